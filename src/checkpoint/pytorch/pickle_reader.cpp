// A pickle is a program for a stack machine: opcode, operand, opcode, ..., STOP. Python's
// pickletools describes every opcode; protocols 2 to 5 are PEP 307, PEP 3154 and PEP 574.
#include "checkpoint/pytorch/pickle_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "checkpoint/little_endian.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace chorus::checkpoint {
namespace {

constexpr std::size_t kLargestPickle = 64 << 20;  // bytes; a real one has about 100 for each tensor
constexpr std::size_t kMostValues = 4 << 20;
constexpr std::uint8_t kProtocolOpcode = 0x80;
constexpr std::uint8_t kStopOpcode = '.';
// The values that every pickle shares, so that their opcodes make none.
constexpr PickleRef kNoneRef = 0, kFalseRef = 1, kTrueRef = 2;

}  // namespace

Result<Pickle> PickleReader::run() {
  const bool is_cut = bytes_.size() > kLargestPickle;
  if (is_cut) bytes_ = bytes_.first(kLargestPickle);
  if (bytes_.empty() || std::to_integer<std::uint8_t>(bytes_[0]) != kProtocolOpcode) {
    return fail(ErrorCode::kUnsupported, "no pickle of protocol 2 to 5 begins here");
  }
  pickle_.values_.resize(3);
  pickle_.values_[kFalseRef].kind = PickleKind::kBool;
  pickle_.values_[kTrueRef].kind = PickleKind::kBool;
  pickle_.values_[kTrueRef].integer = 1;
  while (position_ == bytes_.size() ||
         std::to_integer<std::uint8_t>(bytes_[position_]) != kStopOpcode) {
    if (is_cut && position_ == bytes_.size()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("a pickle of more than {} bytes", kLargestPickle));
    }
    CHORUS_TRY(step());
  }
  opcode_offset_ = position_;
  opcode_name_ = "STOP";
  CHORUS_TRY(pickle_.root_, pop("the result"));
  if (!stack_.empty() || !marks_.empty()) return corrupt("other values are left on the stack");
  pickle_.byte_count_ = position_ + 1;
  return std::move(pickle_);
}

Result<void> PickleReader::step() {
  opcode_offset_ = position_;
  if (position_ == bytes_.size()) {
    return Error{
        ErrorCode::kCorrupt,
        fmt::format("the pickle ends at byte {} without a STOP: it is truncated", position_)};
  }
  auto number = std::to_integer<std::uint8_t>(bytes_[position_++]);
  const Opcode& opcode = kOpcodes[number];
  if (opcode.handler == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 opcode.name == nullptr
                     ? fmt::format("byte {}: unknown opcode 0x{:02x}", opcode_offset_, number)
                     : fmt::format("byte {}: opcode 0x{:02x} ({}) is not allowed in a checkpoint",
                                   opcode_offset_, number, opcode.name)};
  }
  opcode_name_ = opcode.name;
  return (this->*opcode.handler)();
}

Error PickleReader::fail(ErrorCode code, const std::string& message) const {
  return {code, fmt::format("byte {}: {}: {}", opcode_offset_, opcode_name_, message)};
}

Result<std::span<const std::byte>> PickleReader::take(std::uint64_t count) {
  if (count > bytes_.size() - position_) {
    return corrupt(fmt::format("{} bytes expected, but the pickle ends after {}: it is truncated",
                               count, bytes_.size() - position_));
  }
  auto result = bytes_.subspan(position_, count);
  position_ += count;
  return result;
}

Result<std::uint64_t> PickleReader::take_number(std::size_t size) {
  CHORUS_TRY(auto bytes, take(size));
  return load_little_endian(bytes.data(), size);
}

Result<std::string_view> PickleReader::take_line() {
  std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_,
                        bytes_.size() - position_);
  std::size_t size = rest.find('\n');
  if (size == std::string_view::npos) return corrupt("a line without an end: it is truncated");
  position_ += size + 1;
  return rest.substr(0, size);
}

Result<PickleValue*> PickleReader::push(PickleKind kind) {
  if (pickle_.values_.size() == kMostValues) {
    return fail(ErrorCode::kUnsupported, fmt::format("more than {} values", kMostValues));
  }
  stack_.push_back(static_cast<Ref>(pickle_.values_.size()));
  PickleValue& value = pickle_.values_.emplace_back();
  value.kind = kind;
  value.offset = static_cast<std::uint32_t>(opcode_offset_);
  return &value;
}

Result<PickleRef> PickleReader::pop(const char* what) {
  if (available() == 0) return corrupt(fmt::format("the stack is empty; expected {}", what));
  Ref ref = stack_.back();
  stack_.pop_back();
  return ref;
}

Result<PickleRef> PickleReader::pop(PickleKind kind, const char* what) {
  CHORUS_TRY(Ref ref, pop(what));
  if (pickle_[ref].kind != kind) return corrupt(fmt::format("expected {} on the stack", what));
  return ref;
}

Result<std::vector<PickleRef>> PickleReader::pop_many(std::size_t count) {
  if (available() < count) {
    return corrupt(fmt::format("{} values on the stack; expected {}", available(), count));
  }
  auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<Ref> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

Result<std::vector<PickleRef>> PickleReader::pop_marked() {
  if (marks_.empty()) return corrupt("no mark on the stack");
  CHORUS_TRY(auto items, pop_many(available()));
  marks_.pop_back();
  return items;
}

Result<void> PickleReader::protocol() {
  CHORUS_TRY(auto version, take_number(1));
  if (version < 2 || version > 5) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("pickle protocol {}; expected 2 to 5", version));
  }
  return ok();
}

Result<void> PickleReader::frame() {
  CHORUS_TRY(auto size, take_number(8));
  if (size > bytes_.size() - position_) {
    return corrupt(fmt::format("a frame of {} bytes, but the pickle ends after {}: it is truncated",
                               size, bytes_.size() - position_));
  }
  return ok();
}

Result<void> PickleReader::push_none() {
  stack_.push_back(kNoneRef);
  return ok();
}

template <bool value>
Result<void> PickleReader::push_bool() {
  stack_.push_back(value ? kTrueRef : kFalseRef);
  return ok();
}

template <std::size_t size, bool is_signed>
Result<void> PickleReader::push_integer() {
  CHORUS_TRY(auto number, take_number(size));
  CHORUS_TRY(PickleValue * value, push(PickleKind::kInt));
  value->integer =
      is_signed ? static_cast<std::int32_t>(number) : static_cast<std::int64_t>(number);
  return ok();
}

template <PickleKind kind>
Result<void> PickleReader::push_empty() {
  CHORUS_TRY(push(kind));
  return ok();
}

template <std::size_t size>
Result<void> PickleReader::push_long() {
  CHORUS_TRY(auto length, take_number(size));
  CHORUS_TRY(auto bytes, take(length));
  if (bytes.size() > 8) return push_empty<PickleKind::kBigInt>();
  CHORUS_TRY(PickleValue * value, push(PickleKind::kInt));
  // Two's complement of any length: the sign is the highest bit of the last byte.
  std::uint64_t number = load_little_endian(bytes.data(), bytes.size());
  if (!bytes.empty() && bytes.size() < 8 && (std::to_integer<int>(bytes.back()) & 0x80) != 0) {
    number |= ~std::uint64_t{0} << (8 * bytes.size());
  }
  value->integer = static_cast<std::int64_t>(number);
  return ok();
}

Result<void> PickleReader::push_float() {
  CHORUS_TRY(auto bytes, take(8));
  std::uint64_t bits = 0;  // the one big-endian operand of the format
  for (std::byte byte : bytes) bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
  CHORUS_TRY(PickleValue * value, push(PickleKind::kFloat));
  value->real = std::bit_cast<double>(bits);
  return ok();
}

template <std::size_t size, PickleKind kind>
Result<void> PickleReader::push_text() {
  CHORUS_TRY(auto length, take_number(size));
  CHORUS_TRY(auto bytes, take(length));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHORUS_TRY(PickleValue * value, push(is_well_formed(text) ? kind : PickleKind::kBytes));
  value->text = text;
  return ok();
}

template <std::size_t count>
Result<void> PickleReader::push_tuple() {
  CHORUS_TRY(auto items, pop_many(count));
  CHORUS_TRY(PickleValue * value, push(PickleKind::kTuple));
  value->items = std::move(items);
  return ok();
}

template <PickleKind kind>
Result<void> PickleReader::push_marked() {
  CHORUS_TRY(auto items, pop_marked());
  if (kind == PickleKind::kDict && items.size() % 2 != 0) return corrupt("a key without a value");
  CHORUS_TRY(PickleValue * value, push(kind));
  value->items = std::move(items);
  return ok();
}

Result<void> PickleReader::append_to(PickleKind kind, const std::vector<Ref>& items) {
  const char* what = kind == PickleKind::kList ? "a list" : "a set";
  CHORUS_TRY(Ref container, pop(what));
  stack_.push_back(container);
  // An object that is filled as a list or a set is (a deque, say) holds nothing that is looked for.
  if (pickle_[container].kind == PickleKind::kObject) return ok();
  if (pickle_[container].kind != kind)
    return corrupt(fmt::format("expected {} on the stack", what));
  auto& target = pickle_.values_[container].items;
  target.insert(target.end(), items.begin(), items.end());
  return ok();
}

Result<void> PickleReader::append() {
  CHORUS_TRY(auto items, pop_many(1));
  return append_to(PickleKind::kList, items);
}

template <PickleKind kind>
Result<void> PickleReader::append_marked() {
  CHORUS_TRY(auto items, pop_marked());
  return append_to(kind, items);
}

Result<void> PickleReader::set_items_of(const std::vector<Ref>& items) {
  if (items.size() % 2 != 0) return corrupt("a key without a value");
  CHORUS_TRY(Ref dict, pop("a dict"));
  stack_.push_back(dict);
  PickleValue& target = pickle_.values_[dict];
  if (target.kind != PickleKind::kDict && target.kind != PickleKind::kObject) {
    return corrupt("expected a dict on the stack");
  }
  target.items.insert(target.items.end(), items.begin(), items.end());
  return ok();
}

Result<void> PickleReader::set_item() {
  CHORUS_TRY(auto items, pop_many(2));
  return set_items_of(items);
}

Result<void> PickleReader::set_items() {
  CHORUS_TRY(auto items, pop_marked());
  return set_items_of(items);
}

Result<void> PickleReader::mark() {
  marks_.push_back(stack_.size());
  return ok();
}

Result<void> PickleReader::pop_any() {
  if (available() == 0 && !marks_.empty()) {
    marks_.pop_back();  // as Python does
    return ok();
  }
  CHORUS_TRY(pop("a value"));
  return ok();
}

Result<void> PickleReader::pop_mark() {
  CHORUS_TRY(pop_marked());
  return ok();
}

Result<void> PickleReader::duplicate() {
  CHORUS_TRY(Ref ref, pop("a value"));
  stack_.insert(stack_.end(), 2, ref);
  return ok();
}

Result<void> PickleReader::remember(std::uint64_t index) {
  // A pickler numbers its memo by the values that it wrote, so no number passes the bytes so far.
  if (index > position_) return corrupt(fmt::format("memo index {} is out of range", index));
  CHORUS_TRY(Ref ref, pop("a value"));
  stack_.push_back(ref);
  if (index >= memo_.size()) memo_.resize(index + 1, kNoPickleRef);
  memo_[index] = ref;
  return ok();
}

template <std::size_t size>
Result<void> PickleReader::put() {
  CHORUS_TRY(auto index, take_number(size));
  return remember(index);
}

Result<void> PickleReader::memoize() { return remember(memo_.size()); }

template <std::size_t size>
Result<void> PickleReader::get() {
  CHORUS_TRY(auto index, take_number(size));
  if (index >= memo_.size() || memo_[index] == kNoPickleRef) {
    return corrupt(fmt::format("memo index {} was never set", index));
  }
  stack_.push_back(memo_[index]);
  return ok();
}

Result<PickleValue*> PickleReader::push_global(std::string_view module, std::string_view name) {
  std::optional<int> number = resolve_(module, name);
  if (!number) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("byte {}: global {}.{} is not allowed in a checkpoint: PyTorch would "
                             "run it on loading the file, so do not load it",
                             opcode_offset_, printable(module), printable(name))};
  }
  CHORUS_TRY(PickleValue * value, push(PickleKind::kGlobal));
  value->integer = *number;
  return value;
}

Result<void> PickleReader::global() {
  CHORUS_TRY(auto module, take_line());
  CHORUS_TRY(auto name, take_line());
  CHORUS_TRY(PickleValue * value, push_global(module, name));
  value->text = {module.data(), module.size() + 1 + name.size()};
  return ok();
}

Result<void> PickleReader::stack_global() {
  CHORUS_TRY(Ref name, pop(PickleKind::kString, "the global's name"));
  CHORUS_TRY(Ref module, pop(PickleKind::kString, "the global's module"));
  std::string_view text = pickle_[name].text;
  CHORUS_TRY(PickleValue * value, push_global(pickle_[module].text, text));
  value->text = text;
  value->arguments = module;
  return ok();
}

Result<void> PickleReader::persistent() {
  CHORUS_TRY(Ref id, pop("a persistent id"));
  CHORUS_TRY(PickleValue * value, push(PickleKind::kPersistent));
  value->arguments = id;
  return ok();
}

Result<void> PickleReader::reduce() {
  CHORUS_TRY(Ref arguments, pop(PickleKind::kTuple, "a tuple of arguments"));
  CHORUS_TRY(Ref callable, pop("something to call"));
  PickleKind kind = pickle_[callable].kind;
  if (kind != PickleKind::kGlobal && kind != PickleKind::kObject &&
      kind != PickleKind::kPersistent) {
    return corrupt("expected a global on the stack");
  }
  CHORUS_TRY(PickleValue * value, push(PickleKind::kObject));
  value->callable = callable;
  value->arguments = arguments;
  return ok();
}

Result<void> PickleReader::new_object_with_keywords() {
  CHORUS_TRY(pop(PickleKind::kDict, "a dict of arguments"));
  return reduce();
}

Result<void> PickleReader::build() {
  CHORUS_TRY(Ref state, pop("an object's state"));
  CHORUS_TRY(Ref object, pop(PickleKind::kObject, "an object"));
  stack_.push_back(object);
  pickle_.values_[object].state = state;
  return ok();
}

constexpr std::array<PickleReader::Opcode, 256> PickleReader::make_opcodes() {
  using R = PickleReader;
  using K = PickleKind;
  std::array<Opcode, 256> table{};
  table[0x80] = {"PROTO", &R::protocol};
  table[0x95] = {"FRAME", &R::frame};
  table['.'] = {"STOP", nullptr};  // run() looks for it
  // Constants.
  table['N'] = {"NONE", &R::push_none};
  table[0x88] = {"NEWTRUE", &R::push_bool<true>};
  table[0x89] = {"NEWFALSE", &R::push_bool<false>};
  table['J'] = {"BININT", &R::push_integer<4, true>};
  table['K'] = {"BININT1", &R::push_integer<1, false>};
  table['M'] = {"BININT2", &R::push_integer<2, false>};
  table[0x8a] = {"LONG1", &R::push_long<1>};
  table[0x8b] = {"LONG4", &R::push_long<4>};
  table['G'] = {"BINFLOAT", &R::push_float};
  table[0x8c] = {"SHORT_BINUNICODE", &R::push_text<1, K::kString>};
  table['X'] = {"BINUNICODE", &R::push_text<4, K::kString>};
  table[0x8d] = {"BINUNICODE8", &R::push_text<8, K::kString>};
  table['C'] = {"SHORT_BINBYTES", &R::push_text<1, K::kBytes>};
  table['B'] = {"BINBYTES", &R::push_text<4, K::kBytes>};
  table[0x8e] = {"BINBYTES8", &R::push_text<8, K::kBytes>};
  table[0x96] = {"BYTEARRAY8", &R::push_text<8, K::kBytes>};
  // Python 2's str: in a checkpoint it is text.
  table['U'] = {"SHORT_BINSTRING", &R::push_text<1, K::kString>};
  table['T'] = {"BINSTRING", &R::push_text<4, K::kString>};
  // Containers.
  table[')'] = {"EMPTY_TUPLE", &R::push_tuple<0>};
  table[0x85] = {"TUPLE1", &R::push_tuple<1>};
  table[0x86] = {"TUPLE2", &R::push_tuple<2>};
  table[0x87] = {"TUPLE3", &R::push_tuple<3>};
  table['t'] = {"TUPLE", &R::push_marked<K::kTuple>};
  table[']'] = {"EMPTY_LIST", &R::push_empty<K::kList>};
  table['l'] = {"LIST", &R::push_marked<K::kList>};
  table['a'] = {"APPEND", &R::append};
  table['e'] = {"APPENDS", &R::append_marked<K::kList>};
  table[0x8f] = {"EMPTY_SET", &R::push_empty<K::kSet>};
  table[0x91] = {"FROZENSET", &R::push_marked<K::kSet>};
  table[0x90] = {"ADDITEMS", &R::append_marked<K::kSet>};
  table['}'] = {"EMPTY_DICT", &R::push_empty<K::kDict>};
  table['d'] = {"DICT", &R::push_marked<K::kDict>};
  table['s'] = {"SETITEM", &R::set_item};
  table['u'] = {"SETITEMS", &R::set_items};
  // The stack and the memo.
  table['('] = {"MARK", &R::mark};
  table['0'] = {"POP", &R::pop_any};
  table['1'] = {"POP_MARK", &R::pop_mark};
  table['2'] = {"DUP", &R::duplicate};
  table['q'] = {"BINPUT", &R::put<1>};
  table['r'] = {"LONG_BINPUT", &R::put<4>};
  table[0x94] = {"MEMOIZE", &R::memoize};
  table['h'] = {"BINGET", &R::get<1>};
  table['j'] = {"LONG_BINGET", &R::get<4>};
  // Globals and objects.
  table['c'] = {"GLOBAL", &R::global};
  table[0x93] = {"STACK_GLOBAL", &R::stack_global};
  table['Q'] = {"BINPERSID", &R::persistent};
  table['R'] = {"REDUCE", &R::reduce};
  table[0x81] = {"NEWOBJ", &R::reduce};
  table[0x92] = {"NEWOBJ_EX", &R::new_object_with_keywords};
  table['b'] = {"BUILD", &R::build};
  // Protocols 0 and 1, extension codes and out-of-band buffers: nothing that torch.save writes.
  table['F'] = {"FLOAT", nullptr};
  table['I'] = {"INT", nullptr};
  table['L'] = {"LONG", nullptr};
  table['P'] = {"PERSID", nullptr};
  table['S'] = {"STRING", nullptr};
  table['V'] = {"UNICODE", nullptr};
  table['g'] = {"GET", nullptr};
  table['i'] = {"INST", nullptr};
  table['o'] = {"OBJ", nullptr};
  table['p'] = {"PUT", nullptr};
  table[0x82] = {"EXT1", nullptr};
  table[0x83] = {"EXT2", nullptr};
  table[0x84] = {"EXT4", nullptr};
  table[0x97] = {"NEXT_BUFFER", nullptr};
  table[0x98] = {"READONLY_BUFFER", nullptr};
  return table;
}

constexpr std::array<PickleReader::Opcode, 256> PickleReader::kOpcodes = make_opcodes();

}  // namespace chorus::checkpoint
