#include "checkpoint/pytorch/scalars.h"

#include <array>
#include <bit>
#include <string_view>

#include "checkpoint/little_endian.h"
#include "core/half.h"

namespace chorus::checkpoint {
namespace {

Number of_integer(std::int64_t value) { return {true, value, static_cast<double>(value)}; }
Number of_real(double value) { return {false, 0, value}; }

// `bytes` holds one element of the type.
std::optional<Number> decode(const ElementType& type, const std::byte* bytes) {
  std::string_view name = type.name;
  std::uint64_t bits = load_little_endian(bytes, type.size <= 8 ? type.size : 8);
  if (name == "float64") return of_real(std::bit_cast<double>(bits));
  if (name == "float32") return of_real(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (name == "float16") return of_real(f16_to_f32(static_cast<std::uint16_t>(bits)));
  if (name == "bfloat16") return of_real(bf16_to_f32(static_cast<std::uint16_t>(bits)));
  if (name == "int64") return of_integer(static_cast<std::int64_t>(bits));
  if (name == "int32") return of_integer(static_cast<std::int32_t>(bits));
  if (name == "int16") return of_integer(static_cast<std::int16_t>(bits));
  if (name == "int8") return of_integer(static_cast<std::int8_t>(bits));
  if (name == "uint8") return of_integer(static_cast<std::uint8_t>(bits));
  return std::nullopt;
}

// At most 8 bytes, of a bytes value or of the text that stands for one in protocol 2, where each
// byte is the character of its number.
struct FewBytes {
  std::array<std::byte, 8> data{};
  std::size_t size = 0;
};

std::optional<FewBytes> read_bytes(const Pickle& pickle, PickleRef ref) {
  FewBytes result;
  bool is_text = callable_of(pickle, ref) == static_cast<int>(Global::kEncode);
  if (is_text) {
    const auto& arguments = pickle[pickle[ref].arguments].items;
    if (arguments.empty() || pickle[arguments[0]].kind != PickleKind::kString) return std::nullopt;
    ref = arguments[0];
  } else if (pickle[ref].kind != PickleKind::kBytes && pickle[ref].kind != PickleKind::kString) {
    return std::nullopt;
  }
  std::string_view text = pickle[ref].text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<std::uint8_t>(text[i]);
    if (is_text && byte >= 0x80) {  // two bytes of UTF-8, of which the reader made sure
      if (byte > 0xc3) return std::nullopt;
      byte = static_cast<std::uint8_t>((byte & 3) << 6 | (text[++i] & 0x3f));
    }
    if (result.size == result.data.size()) return std::nullopt;
    result.data[result.size++] = std::byte{byte};
  }
  return result;
}

std::optional<Number> read_numpy(const Pickle& pickle, PickleRef ref) {
  const auto& items = pickle[pickle[ref].arguments].items;
  if (items.size() != 2) return std::nullopt;
  PickleRef dtype = items[0];
  if (callable_of(pickle, dtype) != static_cast<int>(Global::kNumpyDtype)) return std::nullopt;
  const auto& arguments = pickle[pickle[dtype].arguments].items;
  if (arguments.empty() || pickle[arguments[0]].kind != PickleKind::kString) return std::nullopt;
  const ElementType* type = element_type_of_numpy(pickle[arguments[0]].text);
  std::optional<FewBytes> bytes = read_bytes(pickle, items[1]);
  if (type == nullptr || !bytes || bytes->size != type->size) return std::nullopt;
  // The state is (version, byte order, ...), and "<" or "|" the order read here.
  if (PickleRef state = pickle[dtype].state; state != kNoPickleRef) {
    const auto& fields = pickle[state].items;
    if (fields.size() >= 2 && pickle[fields[1]].text == ">") return std::nullopt;
  }
  return decode(*type, bytes->data.data());
}

}  // namespace

std::optional<Number> read_plain_number(const Pickle& pickle, PickleRef ref) {
  const PickleValue& value = pickle[ref];
  if (value.kind == PickleKind::kInt) return of_integer(value.integer);
  if (value.kind == PickleKind::kFloat) return of_real(value.real);
  if (callable_of(pickle, ref) == static_cast<int>(Global::kNumpyScalar)) {
    return read_numpy(pickle, ref);
  }
  return std::nullopt;
}

Result<std::optional<Number>> read_number(PytorchArchive& archive, PickleRef ref) {
  const Pickle& pickle = archive.pickle;
  if (std::optional<Number> number = read_plain_number(pickle, ref)) return number;
  if (!is_tensor(pickle, ref)) return std::nullopt;
  CHORUS_TRY(auto record, read_tensor_record(pickle, ref));
  for (std::int64_t size : record.shape) {
    if (size != 1) return std::nullopt;
  }
  CHORUS_TRY(auto bytes, tensor_data(archive, record));
  return decode(*record.type, bytes.data());
}

}  // namespace chorus::checkpoint
