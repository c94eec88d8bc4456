// Checkpoints as torch.save writes them since version 1.6: a zip of stored members,
//   ROOT/data.pkl   the pickle of what was saved; ROOT is any folder name
//   ROOT/data/KEY   the bytes of one storage, which the pickle refers to by its key
//   ROOT/byteorder  "little" or "big" (since 2.1)
// What was saved is one of
//   {"model": state_dict, "config": dict or GPTConfig, "step": int, "val_loss": float}
//   {"model": state_dict, "model_args": dict, "iter_num": int, "best_val_loss": number, ...}
//   state_dict
// and a state_dict is a dict of tensors by name. Whatever else is in the file is not looked at.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "checkpoint/pytorch/scalars.h"
#include "checkpoint/raw.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kEmptyZipMagic = "PK\x05\x06";
// A pickle of torch's old magic number, 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::size_t kLongestName = 1024;  // bytes, of a tensor

bool is_call_of(const Pickle& pickle, PickleRef ref, Global global) {
  return callable_of(pickle, ref) == static_cast<int>(global);
}

bool is_dict(const Pickle& pickle, PickleRef ref) {
  return ref != kNoPickleRef &&
         (pickle[ref].kind == PickleKind::kDict || is_call_of(pickle, ref, Global::kOrderedDict));
}

// The one folder with a data.pkl in it, with its slash.
Result<std::string> find_root(const ZipArchive& zip) {
  constexpr std::string_view kPickleName = "data.pkl";
  std::string root;
  for (const ZipMember& member : zip.members()) {
    std::size_t slash = member.name.find('/');
    if (slash == std::string_view::npos || member.name.substr(slash + 1) != kPickleName) continue;
    if (!root.empty()) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("both {}data.pkl and {} are in the zip; expected one data.pkl",
                               printable(root), printable(member.name))};
    }
    root = member.name.substr(0, slash + 1);
  }
  if (root.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "a zip archive without a NAME/data.pkl: not one that torch.save wrote"};
  }
  return root;
}

Result<void> check_is_not_torchscript(const ZipArchive& zip, const std::string& root) {
  for (const ZipMember& member : zip.members()) {
    if (!member.name.starts_with(root)) continue;
    std::string_view name = member.name.substr(root.size());
    if (name == "constants.pkl" || name.starts_with("code/")) {
      return Error{
          ErrorCode::kUnsupported,
          fmt::format("a TorchScript archive (it holds {}); expected a checkpoint: write one "
                      "with torch.save(model.state_dict(), path)",
                      in_quotes(member.name))};
    }
  }
  return ok();
}

Result<void> check_byte_order(const ZipArchive& zip, const std::string& root) {
  const ZipMember* member = zip.find(root + "byteorder");
  if (member == nullptr) return ok();
  CHORUS_TRY(auto bytes, zip.data(*member));
  std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (order != "little") {
    return Error{ErrorCode::kUnsupported, fmt::format("{}: the byte order is {}; expected 'little'",
                                                      printable(member->name), in_quotes(order))};
  }
  return ok();
}

Result<PytorchArchive> open_archive(const Bytes& bytes) {
  PytorchArchive archive;
  CHORUS_TRY(archive.zip, ZipArchive::open(bytes.data));
  CHORUS_TRY(archive.root, find_root(archive.zip));
  CHORUS_TRY(check_is_not_torchscript(archive.zip, archive.root));
  CHORUS_TRY(check_byte_order(archive.zip, archive.root));
  // The pickle's CRC is checked, as a flipped bit in it could be a plausible shape or offset. The
  // storages' are not: that would be a pass over the whole file each time it is opened.
  const ZipMember& member = *archive.zip.find(archive.root + "data.pkl");
  CHORUS_TRY(auto data, archive.zip.checked_data(member));
  Result<Pickle> pickle = Pickle::read(data, resolve_global);
  if (!pickle) return std::move(pickle).assume_error().in(printable(member.name));
  archive.pickle = std::move(pickle).assume_value();
  return archive;
}

// The dict of the weights: under one of the usual keys, or all that was saved.
PickleRef find_state_dict(const Pickle& pickle) {
  for (const char* key : {"model", "state_dict", "model_state_dict"}) {
    PickleRef found = pickle.find(pickle.root(), key);
    if (is_dict(pickle, found)) return found;
  }
  return pickle.root();
}

Result<void> read_tensor(const PytorchArchive& archive, const std::string& name, PickleRef ref,
                         RawCheckpoint& raw) {
  CHORUS_TRY(TensorRecord record, read_tensor_record(archive.pickle, ref));
  if (!record.type->dtype) {
    raw.tensors.erase(name);
    raw.other_tensors[name] = record.type->name;
    return ok();
  }
  CHORUS_TRY(auto data, tensor_data(archive, record));
  raw.other_tensors.erase(name);
  raw.tensors[name] =
      Tensor{*record.type->dtype, std::move(record.shape), std::move(record.strides), data};
  return ok();
}

Result<void> read_tensors(const PytorchArchive& archive, RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  const auto& items = pickle[find_state_dict(pickle)].items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!is_tensor(pickle, items[i + 1])) continue;
    const PickleValue& key = pickle[items[i]];
    if (key.kind != PickleKind::kString || key.text.size() > kLongestName) {
      return Error{
          ErrorCode::kCorrupt,
          fmt::format("data.pkl: byte {}: a tensor whose name is not a string of at most {} "
                      "bytes",
                      key.offset, kLongestName)};
    }
    Result<void> read = read_tensor(archive, std::string(key.text), items[i + 1], raw);
    if (!read) return std::move(read).assume_error().in("tensor " + in_quotes(key.text));
  }
  if (raw.tensors.empty() && raw.other_tensors.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "no tensors; expected a state_dict, or a dict with one under 'model'"};
  }
  return ok();
}

// The dict of the fields that `ref` has: its own items, or the attributes of a record. Nothing if
// it is neither; an empty dict has no place, so a record without attributes is kNoPickleRef.
std::optional<PickleRef> find_fields(const Pickle& pickle, PickleRef ref) {
  if (is_dict(pickle, ref)) return ref;
  bool is_record = is_call_of(pickle, ref, Global::kRecord);
  if (is_call_of(pickle, ref, Global::kReconstructor)) {
    const auto& arguments = pickle[pickle[ref].arguments].items;
    is_record = !arguments.empty() && pickle[arguments[0]].kind == PickleKind::kGlobal &&
                pickle[arguments[0]].integer == static_cast<int>(Global::kRecord);
  }
  if (!is_record) return std::nullopt;
  PickleRef state = pickle[ref].state;
  if (state == kNoPickleRef) return kNoPickleRef;
  // An object with __slots__ has (its __dict__ or None, a dict of the slots).
  const auto& parts = pickle[state].items;
  if (pickle[state].kind == PickleKind::kTuple && parts.size() == 2) state = parts[1];
  return is_dict(pickle, state) ? state : kNoPickleRef;
}

Error wrong_field(const Pickle& pickle, const std::string& field, PickleRef ref,
                  const char* expected) {
  return {ErrorCode::kCorrupt,
          fmt::format("data.pkl: byte {}: {} is not {}", pickle[ref].offset, field, expected)};
}

Result<void> read_integer_fields(const PytorchArchive& archive, const std::string& place,
                                 PickleRef fields, ConfigFields& config) {
  struct Field {
    const char* name;
    std::optional<std::int64_t> ConfigFields::*value;
  };
  constexpr std::array<Field, 6> kFields = {{{"block_size", &ConfigFields::block_size},
                                             {"vocab_size", &ConfigFields::vocab_size},
                                             {"n_layer", &ConfigFields::n_layer},
                                             {"n_head", &ConfigFields::n_head},
                                             {"n_embd", &ConfigFields::n_embd},
                                             {"n_inner", &ConfigFields::n_inner}}};
  for (const Field& field : kFields) {
    PickleRef ref = archive.pickle.find(fields, field.name);
    if (ref == kNoPickleRef || archive.pickle[ref].kind == PickleKind::kNone) continue;
    CHORUS_TRY(auto number, read_number(archive, ref));
    if (!number || !number->is_integer) {
      return wrong_field(archive.pickle, place + "." + field.name, ref, "an integer");
    }
    config.*field.value = number->integer;
  }
  return ok();
}

Result<void> read_config(const PytorchArchive& archive, RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  // nanoGPT's "config" is its training script's flags; the model's own are its "model_args".
  std::string place = "model_args";
  PickleRef ref = pickle.find(pickle.root(), place);
  if (ref != kNoPickleRef) raw.origin = Origin::kNanoGpt;
  if (ref == kNoPickleRef) ref = pickle.find(pickle.root(), place = "config");
  if (ref == kNoPickleRef || pickle[ref].kind == PickleKind::kNone || is_tensor(pickle, ref)) {
    return ok();
  }
  std::optional<PickleRef> fields = find_fields(pickle, ref);
  if (!fields) return wrong_field(pickle, place, ref, "a dict or a GPTConfig");
  if (*fields == kNoPickleRef) return ok();
  CHORUS_TRY(read_integer_fields(archive, place, *fields, raw.config));
  PickleRef bias = pickle.find(*fields, "bias");
  if (bias == kNoPickleRef || pickle[bias].kind == PickleKind::kNone) return ok();
  if (pickle[bias].kind != PickleKind::kBool) {
    return wrong_field(pickle, place + ".bias", bias, "True or False");
  }
  raw.config.bias = pickle[bias].integer != 0;
  return ok();
}

// The training's progress, where it is stated as a number.
Result<void> read_progress(const PytorchArchive& archive, RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  auto read = [&](const char* name) -> Result<std::optional<Number>> {
    PickleRef ref = pickle.find(pickle.root(), name);
    if (ref == kNoPickleRef) return std::nullopt;
    Result<std::optional<Number>> number = read_number(archive, ref);
    if (!number) return std::move(number).assume_error().in(name);
    return number;
  };
  for (const char* name : {"step", "iter_num"}) {
    CHORUS_TRY(auto number, read(name));
    if (number && number->is_integer && !raw.step) raw.step = number->integer;
  }
  for (const char* name : {"val_loss", "best_val_loss"}) {
    CHORUS_TRY(auto number, read(name));
    if (number && !raw.val_loss) raw.val_loss = number->real;
  }
  return ok();
}

Result<RawCheckpoint> read_archive(const Bytes& bytes) {
  if (bytes.text().starts_with(kLegacyMagic)) {
    return Error{
        ErrorCode::kUnsupported,
        "written by torch.save before version 1.6, or without its zip format; load it with "
        "torch.load and write it again with torch.save of version 1.6 or later"};
  }
  CHORUS_TRY(PytorchArchive archive, open_archive(bytes));
  if (!is_dict(archive.pickle, archive.pickle.root())) {
    return Error{ErrorCode::kUnsupported,
                 "what was saved is not a dict; expected a state_dict, or a dict with one under "
                 "'model'"};
  }
  RawCheckpoint raw;
  raw.path = bytes.name;
  raw.format = "pytorch";
  if (bytes.owner) raw.owners.push_back(bytes.owner);
  CHORUS_TRY(read_tensors(archive, raw));
  CHORUS_TRY(read_config(archive, raw));
  CHORUS_TRY(read_progress(archive, raw));
  return raw;
}

}  // namespace

bool looks_like_pytorch(const Bytes& bytes) {
  std::string_view text = bytes.text();
  return text.starts_with(kZipMagic) || text.starts_with(kEmptyZipMagic) ||
         text.starts_with(kLegacyMagic);
}

Result<RawCheckpoint> read_pytorch(const Bytes& bytes) {
  Result<RawCheckpoint> raw = read_archive(bytes);
  if (!raw) return std::move(raw).assume_error().in(bytes.name);
  return raw;
}

}  // namespace chorus::checkpoint
