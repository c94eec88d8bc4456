// Pieces of pickles: each function gives the opcodes that leave one value on the stack, so that a
// pickle is written as the value it stands for: pickle(dict({{text("step"), integer(1)}})).
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/zip_writer.h"

namespace chorus::test {

using namespace std::string_literals;

inline std::string pickle(const std::string& value) { return "\x80\x02"s + value + "."; }

inline std::string text(const std::string& value) {
  return "X"s + little_endian(value.size(), 4) + value;
}

inline std::string bytes(const std::string& value) {
  return "C"s + little_endian(value.size(), 1) + value;
}

inline std::string integer(std::int64_t value) {
  return "\x8a\x08"s + little_endian(static_cast<std::uint64_t>(value), 8);
}

inline std::string real(double value) {
  std::string digits = little_endian(std::bit_cast<std::uint64_t>(value), 8);
  return "G"s + std::string(digits.rbegin(), digits.rend());
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c"s + module + "\n"s + name + "\n";
}

inline std::string sequence(const std::string& close, const std::vector<std::string>& values) {
  std::string result = "(";
  for (const std::string& value : values) result += value;
  return result + close;
}

inline std::string tuple(const std::vector<std::string>& values) { return sequence("t", values); }
inline std::string list(const std::vector<std::string>& values) { return sequence("l", values); }

inline std::string integers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> pieces;
  for (std::int64_t value : values) pieces.push_back(integer(value));
  return tuple(pieces);
}

inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string result = "}(";
  for (const auto& [key, value] : items) result += text(key) + value;
  return result + "u";
}

inline std::string call(const std::string& callable, const std::vector<std::string>& arguments) {
  return callable + tuple(arguments) + "R";
}

// A tensor over the storage `key` of `count` elements; by default one that fills it.
struct TensorPickle {
  std::string storage = "FloatStorage";
  std::string key = "0";
  std::int64_t count = 4;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape = {2, 2};
  std::vector<std::int64_t> strides = {2, 1};
};

inline std::string storage(const TensorPickle& tensor) {
  return tuple({text("storage"), global("torch", tensor.storage), text(tensor.key), text("cpu"),
                integer(tensor.count)}) +
         "Q";
}

inline std::string tensor(const TensorPickle& value = {}) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(value), integer(value.offset), integers(value.shape),
               integers(value.strides), "\x89", call(global("collections", "OrderedDict"), {})});
}

// A checkpoint: `data_pickle` beside one storage, "0", of four floats.
inline std::string pytorch_file(const std::string& data_pickle) {
  return write_zip({{.name = "archive/data.pkl", .data = data_pickle},
                    {.name = "archive/data/0", .data = std::string(16, '\0')},
                    {.name = "archive/version", .data = "3\n"}});
}

}  // namespace chorus::test
