// The stack machine behind Pickle::read: one opcode at a time, every size checked before it is
// used. One reader reads one pickle, on one thread.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/pytorch/pickle.h"

namespace chorus::checkpoint {

class PickleReader {
 public:
  PickleReader(std::span<const std::byte> bytes, Pickle::ResolveGlobal resolve)
      : bytes_(bytes), resolve_(resolve) {}

  Result<Pickle> run();

 private:
  using Ref = PickleRef;
  using Handler = Result<void> (PickleReader::*)();
  struct Opcode {
    const char* name = nullptr;  // pickletools' name; null: there is no such opcode
    Handler handler = nullptr;   // null: no checkpoint needs it, so it is refused
  };
  // By their numbers.
  static constexpr std::array<Opcode, 256> make_opcodes();
  static const std::array<Opcode, 256> kOpcodes;

  Result<void> step();

  // Opcodes. The first template argument is the size of the operand or of its length, in bytes.
  Result<void> protocol();
  Result<void> frame();
  Result<void> push_none();
  template <bool value>
  Result<void> push_bool();
  template <std::size_t size, bool is_signed>
  Result<void> push_integer();
  template <std::size_t size>
  Result<void> push_long();
  Result<void> push_float();
  template <std::size_t size, PickleKind kind>
  Result<void> push_text();
  template <PickleKind kind>
  Result<void> push_empty();
  template <std::size_t count>
  Result<void> push_tuple();
  template <PickleKind kind>
  Result<void> push_marked();  // a container of everything above the mark
  Result<void> append();
  template <PickleKind kind>
  Result<void> append_marked();
  Result<void> set_item();
  Result<void> set_items();
  Result<void> mark();
  Result<void> pop_any();
  Result<void> pop_mark();
  Result<void> duplicate();
  template <std::size_t size>
  Result<void> put();
  Result<void> memoize();
  template <std::size_t size>
  Result<void> get();
  Result<void> global();
  Result<void> stack_global();
  Result<void> persistent();
  Result<void> reduce();  // and NEWOBJ, which leaves the same object
  Result<void> new_object_with_keywords();
  Result<void> build();

  // The next `count` bytes, the little-endian number in the next `size`, the next line.
  Result<std::span<const std::byte>> take(std::uint64_t count);
  Result<std::uint64_t> take_number(std::size_t size);
  Result<std::string_view> take_line();

  // A new value, on the stack as well. The pointer holds until the next push.
  Result<PickleValue*> push(PickleKind kind);
  Result<Ref> pop(const char* what);
  Result<Ref> pop(PickleKind kind, const char* what);
  // The topmost `count` values, the lowest first.
  Result<std::vector<Ref>> pop_many(std::size_t count);
  // Everything above the topmost mark, which goes too.
  Result<std::vector<Ref>> pop_marked();
  Result<void> append_to(PickleKind kind, const std::vector<Ref>& items);
  Result<void> set_items_of(const std::vector<Ref>& items);
  Result<PickleValue*> push_global(std::string_view module, std::string_view name);
  Result<void> remember(std::uint64_t index);
  // How many values stand above the topmost mark, or at all.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  Error fail(ErrorCode code, const std::string& message) const;
  Error corrupt(const std::string& message) const { return fail(ErrorCode::kCorrupt, message); }

  std::span<const std::byte> bytes_;
  Pickle::ResolveGlobal resolve_;
  std::size_t position_ = 0;
  std::size_t opcode_offset_ = 0;  // of the opcode being executed
  const char* opcode_name_ = "PROTO";
  Pickle pickle_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::vector<Ref> memo_;
};

}  // namespace chorus::checkpoint
