// A restricted reader of Python pickles (protocols 2 to 5). It makes a flat arena of inert values
// and never calls, imports or executes anything: what a pickle asks to have called is kept as an
// object that remembers its callable and arguments, and only globals that the caller knows are let
// in. Immutable once read: any thread may read. Values refer to each other by index and may form
// cycles; strings and bytes are views into the pickle, which must outlive them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::checkpoint {

// The place of a value in its pickle's arena.
using PickleRef = std::uint32_t;
inline constexpr PickleRef kNoPickleRef = 0xffffffff;

enum class PickleKind : std::uint8_t {
  kNone,
  kBool,
  kInt,
  kBigInt,  // an integer that 64 bits do not hold; its value is not kept
  kFloat,
  kString,  // UTF-8
  kBytes,   // and strings that are not UTF-8: Python 2's of any bytes, and lone surrogates
  kTuple,
  kList,
  kSet,
  kDict,
  kGlobal,      // a class or function, as the caller's number for it; see Pickle::global_name
  kPersistent,  // something kept outside of the pickle: a storage
  kObject,      // the result of a call that was not made
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::uint32_t offset = 0;  // of the opcode that made it, in bytes from the pickle's start
  union {
    std::int64_t integer = 0;  // kInt, kBool (0 or 1), kGlobal (the caller's number)
    double real;               // kFloat
  };
  std::string_view text;  // kString, kBytes; kGlobal: the name
  // kTuple, kList, kSet: the elements. kDict, kObject: key, value, key, value, ... in the order in
  // which they were set; of equal keys the last counts.
  std::vector<PickleRef> items;
  PickleRef callable = kNoPickleRef;   // kObject: a kGlobal, a kObject or a kPersistent
  PickleRef arguments = kNoPickleRef;  // kObject: a kTuple; kPersistent: the id; kGlobal: its
                                       // module, a kString (none if `text` holds it, too)
  PickleRef state = kNoPickleRef;      // kObject: what its attributes were set from, if they were
};

class Pickle {
 public:
  // The caller's number for a global, or nothing if it is not let in.
  using ResolveGlobal = std::optional<int> (*)(std::string_view module, std::string_view name);

  // Memory is bounded by a fixed multiple of the pickle's size. Bytes after the pickle are ignored;
  // of a longer run of bytes at most 64 MiB are read.
  // Errors: kCorrupt (truncated, a stack that does not fit) and kUnsupported (a global that
  // `resolve` does not let in, by its name; an opcode, by number and name; over 64 MiB or 4 million
  // values). The message gives the byte's offset, but does not name the file.
  static Result<Pickle> read(std::span<const std::byte> bytes, ResolveGlobal resolve);

  PickleRef root() const { return root_; }
  std::size_t byte_count() const { return byte_count_; }  // up to the end of the pickle
  std::size_t value_count() const { return values_.size(); }
  const PickleValue& operator[](PickleRef ref) const { return values_[ref]; }

  // The value of a string key in a kDict or kObject, or kNoPickleRef.
  PickleRef find(PickleRef dict, std::string_view key) const;

  // "module.name" of a kGlobal.
  std::string global_name(PickleRef global) const;

  // What messages call the pickle, by whoever opened it.
  std::string name = "data.pkl";

 private:
  friend class PickleReader;
  std::vector<PickleValue> values_;
  PickleRef root_ = 0;
  std::size_t byte_count_ = 0;
};

}  // namespace chorus::checkpoint
