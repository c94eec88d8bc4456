// A tensor is pickled as a call of one of torch._utils' rebuild functions, and its storage as a
// persistent id, the tuple
//   ("storage", storage class, key, location, number of elements [, view])
// where `view` stands in the legacy format alone: None, or (key, first element, number of elements)
// of the part of the storage that the tensor's offset counts from.
#include "checkpoint/pytorch/tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::size_t kMostDimensions = 8;
// Expanded tensors (strides of zero) may have more elements than their storage, but not so many
// that a small file asks for all of the memory.
constexpr std::int64_t kMostExpandedElements = std::int64_t{1} << 26;

Error at_value(const Pickle& pickle, PickleRef ref, ErrorCode code, const std::string& message) {
  return {code, fmt::format("{}: byte {}: {}", pickle.name, pickle[ref].offset, message)};
}

bool is_global(int number, Global global) { return number == static_cast<int>(global); }

// The elements of a tuple, a list or a torch.Size, as non-negative integers.
Result<std::vector<std::int64_t>> read_sizes(const Pickle& pickle, PickleRef ref,
                                             const char* what) {
  PickleRef sequence = ref;
  if (is_global(callable_of(pickle, ref), Global::kSize)) {
    const auto& arguments = pickle[pickle[ref].arguments].items;
    if (arguments.size() == 1) sequence = arguments[0];
  }
  const PickleValue& value = pickle[sequence];
  if (value.kind != PickleKind::kTuple && value.kind != PickleKind::kList) {
    return at_value(pickle, ref, ErrorCode::kCorrupt, fmt::format("the {} is not a tuple", what));
  }
  if (value.items.size() > kMostDimensions) {
    return at_value(
        pickle, ref, ErrorCode::kUnsupported,
        fmt::format("{} dimensions; expected at most {}", value.items.size(), kMostDimensions));
  }
  std::vector<std::int64_t> result;
  for (PickleRef item : value.items) {
    const PickleValue& element = pickle[item];
    if (element.kind != PickleKind::kInt) {
      return at_value(pickle, ref, ErrorCode::kCorrupt,
                      fmt::format("the {} holds something that is not a 64-bit integer", what));
    }
    if (element.integer < 0) {
      return at_value(pickle, ref, ErrorCode::kCorrupt,
                      fmt::format("the {} holds a negative number, {}", what, element.integer));
    }
    result.push_back(element.integer);
  }
  return result;
}

// The call that makes the tensor itself, inside those that make it a parameter or give it
// attributes.
struct RebuildCall {
  PickleRef object = kNoPickleRef;
  int callable = -1;
  PickleRef arguments = kNoPickleRef;
};

RebuildCall unwrap(const Pickle& pickle, PickleRef ref) {
  for (int depth = 0; depth < 4; ++depth) {
    int callable = callable_of(pickle, ref);
    if (callable < 0) break;
    PickleRef arguments = pickle[ref].arguments;
    const auto& items = pickle[arguments].items;
    if (is_global(callable, Global::kRebuildParameter) && !items.empty()) {
      ref = items[0];
      continue;
    }
    if (is_global(callable, Global::kRebuildFromType) && items.size() == 4 &&
        pickle[items[0]].kind == PickleKind::kGlobal &&
        pickle[items[2]].kind == PickleKind::kTuple) {
      callable = static_cast<int>(pickle[items[0]].integer);
      arguments = items[2];
    }
    return {ref, callable, arguments};
  }
  return {ref, -1, kNoPickleRef};
}

bool is_rebuild(int callable) {
  return is_global(callable, Global::kRebuildTensor) ||
         is_global(callable, Global::kRebuildTensorV3);
}

// Whether the tensor's last argument, a dict, sets one of PyTorch's bits for views that negate or
// conjugate when they are read.
bool is_lazy(const Pickle& pickle, const RebuildCall& call) {
  const auto& items = pickle[call.arguments].items;
  std::size_t place = is_global(call.callable, Global::kRebuildTensorV3) ? 7 : 6;
  if (items.size() <= place || pickle[items[place]].kind != PickleKind::kDict) return false;
  for (const char* bit : {"neg", "conj"}) {
    PickleRef value = pickle.find(items[place], bit);
    bool is_set = value != kNoPickleRef && pickle[value].kind == PickleKind::kBool &&
                  pickle[value].integer != 0;
    if (is_set) return true;
  }
  return false;
}

// The type of the elements: the storage class's, or the dtype given beside an untyped storage.
Result<const ElementType*> read_element_type(const Pickle& pickle, const RebuildCall& call,
                                             PickleRef storage) {
  const auto& items = pickle[call.arguments].items;
  const PickleValue& id = pickle[pickle[storage].arguments];
  if (id.kind != PickleKind::kTuple || id.items.size() < 5 ||
      pickle[id.items[1]].kind != PickleKind::kGlobal ||
      pickle[id.items[2]].kind != PickleKind::kString ||
      pickle[id.items[4]].kind != PickleKind::kInt) {
    return at_value(pickle, storage, ErrorCode::kCorrupt,
                    "expected a storage as ('storage', class, key, location, size)");
  }
  PickleRef type_ref = id.items[1];
  if (is_global(call.callable, Global::kRebuildTensorV3)) {
    if (items.size() < 7) {
      return at_value(pickle, call.object, ErrorCode::kCorrupt, "a tensor without a dtype");
    }
    type_ref = items[6];
  }
  const PickleValue& type = pickle[type_ref];
  const ElementType* result =
      type.kind == PickleKind::kGlobal ? element_type_of(static_cast<int>(type.integer)) : nullptr;
  if (result == nullptr) {
    return at_value(pickle, call.object, ErrorCode::kCorrupt,
                    "expected a storage class or a dtype that says what the elements are");
  }
  return result;
}

// One more than the index in its storage of the last element, or nothing if that overflows.
std::optional<std::int64_t> end_of(const TensorRecord& record) {
  std::int64_t last = record.offset;
  for (std::size_t i = 0; i < record.shape.size(); ++i) {
    if (record.shape[i] == 0) return record.offset;
    std::int64_t step = 0;
    if (__builtin_mul_overflow(record.shape[i] - 1, record.strides[i], &step)) return std::nullopt;
    if (__builtin_add_overflow(last, step, &last)) return std::nullopt;
  }
  if (__builtin_add_overflow(last, 1, &last)) return std::nullopt;
  return last;
}

std::optional<std::int64_t> count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (std::int64_t size : shape) {
    if (size == 0) return 0;
  }
  for (std::int64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

// The storage's bytes, as many as its id says. `size` becomes the number of the record's elements
// that they hold.
Result<std::span<const std::byte>> storage_data(PytorchArchive& archive, const TensorRecord& record,
                                                std::int64_t& size) {
  const Pickle& pickle = archive.pickle;
  const auto& id = pickle[pickle[record.storage].arguments].items;
  std::string_view key = pickle[id[2]].text;
  CHORUS_TRY(auto bytes, archive.storages->find(key));
  const ElementType* stored = element_type_of(static_cast<int>(pickle[id[1]].integer));
  std::int64_t unit = stored == nullptr ? 1 : static_cast<std::int64_t>(stored->size);
  std::int64_t count = pickle[id[4]].integer;
  std::int64_t expected = 0;
  if (count < 0 || __builtin_mul_overflow(count, unit, &expected) ||
      static_cast<std::uint64_t>(expected) != bytes.size()) {
    return corrupt(fmt::format("its storage {} has {} bytes; expected {} elements of {} bytes",
                               in_quotes(key), bytes.size(), count, unit));
  }
  size = expected / static_cast<std::int64_t>(record.type->size);
  return bytes;
}

// Where the view of a storage begins that its id may name, in elements.
Result<std::int64_t> view_offset(const Pickle& pickle, PickleRef storage) {
  const auto& id = pickle[pickle[storage].arguments].items;
  if (id.size() < 6 || pickle[id[5]].kind != PickleKind::kTuple) return 0;
  const auto& view = pickle[id[5]].items;
  if (view.size() != 3 || pickle[view[1]].kind != PickleKind::kInt || pickle[view[1]].integer < 0) {
    return at_value(pickle, storage, ErrorCode::kCorrupt,
                    "expected the view of a storage as (key, offset, size)");
  }
  return pickle[view[1]].integer;
}

}  // namespace

int callable_of(const Pickle& pickle, PickleRef ref) {
  const PickleValue& value = pickle[ref];
  if (value.kind != PickleKind::kObject) return -1;
  if (pickle[value.callable].kind != PickleKind::kGlobal) return -1;
  return static_cast<int>(pickle[value.callable].integer);
}

std::string kind_of(const Pickle& pickle, PickleRef ref) {
  constexpr const char* kKinds[] = {"None",    "a bool",   "an integer", "an integer",
                                    "a float", "a string", "bytes",      "a tuple",
                                    "a list",  "a set",    "a dict"};
  const PickleValue& value = pickle[ref];
  if (value.kind <= PickleKind::kDict) return kKinds[static_cast<int>(value.kind)];
  if (value.kind == PickleKind::kGlobal) return printable(pickle.global_name(ref));
  if (value.kind != PickleKind::kObject) return "a storage";
  PickleRef made_by = value.callable;
  if (is_global(callable_of(pickle, ref), Global::kReconstructor)) {
    const auto& arguments = pickle[value.arguments].items;
    if (!arguments.empty()) made_by = arguments[0];
  }
  // A module of the legacy format is ("module", class, file, source).
  if (pickle[made_by].kind == PickleKind::kPersistent) {
    const auto& id = pickle[pickle[made_by].arguments].items;
    if (id.size() >= 2) made_by = id[1];
  }
  if (pickle[made_by].kind != PickleKind::kGlobal) return "an object";
  return printable(pickle.global_name(made_by));
}

bool is_tensor(const Pickle& pickle, PickleRef ref) {
  return is_rebuild(unwrap(pickle, ref).callable);
}

Result<TensorRecord> read_tensor_record(const Pickle& pickle, PickleRef ref) {
  RebuildCall call = unwrap(pickle, ref);
  if (!is_rebuild(call.callable)) {
    return at_value(pickle, ref, ErrorCode::kCorrupt, "expected a tensor");
  }
  const auto& items = pickle[call.arguments].items;
  if (items.size() < 4 || pickle[items[0]].kind != PickleKind::kPersistent ||
      pickle[items[1]].kind != PickleKind::kInt) {
    return at_value(pickle, call.object, ErrorCode::kCorrupt,
                    "expected a tensor of (storage, offset, size, stride, ...)");
  }
  TensorRecord record;
  record.storage = items[0];
  record.offset = pickle[items[1]].integer;
  if (record.offset < 0) {
    return at_value(pickle, call.object, ErrorCode::kCorrupt,
                    fmt::format("the storage offset is negative, {}", record.offset));
  }
  CHORUS_TRY(record.type, read_element_type(pickle, call, record.storage));
  CHORUS_TRY(std::int64_t view, view_offset(pickle, record.storage));
  if (__builtin_add_overflow(record.offset, view, &record.offset)) {
    return at_value(pickle, call.object, ErrorCode::kCorrupt, "the storage offset overflows");
  }
  CHORUS_TRY(record.shape, read_sizes(pickle, items[2], "shape"));
  CHORUS_TRY(record.strides, read_sizes(pickle, items[3], "stride"));
  record.is_lazy = is_lazy(pickle, call);
  if (record.shape.size() != record.strides.size()) {
    return at_value(pickle, call.object, ErrorCode::kCorrupt,
                    fmt::format("a shape of {} dimensions, but a stride of {}", record.shape.size(),
                                record.strides.size()));
  }
  return record;
}

Result<std::span<const std::byte>> tensor_data(PytorchArchive& archive,
                                               const TensorRecord& record) {
  std::int64_t size = 0;
  CHORUS_TRY(auto bytes, storage_data(archive, record, size));
  std::optional<std::int64_t> count = count_of(record.shape);
  std::optional<std::int64_t> end = end_of(record);
  if (!count || !end) {
    return Error{ErrorCode::kCorrupt, "its shape, strides and offset overflow 64 bits"};
  }
  if (*end > size) {
    return Error{ErrorCode::kCorrupt,
                 fmt::format("its elements {} to {} lie outside its storage of {} elements",
                             record.offset, *end - 1, size)};
  }
  if (*count > std::max(size, kMostExpandedElements)) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("it shows {} elements of a storage of {}; expected at most {}", *count,
                             size, std::max(size, kMostExpandedElements))};
  }
  auto unit = record.type->size;
  return bytes.subspan(static_cast<std::size_t>(record.offset) * unit,
                       static_cast<std::size_t>(*end - record.offset) * unit);
}

}  // namespace chorus::checkpoint
