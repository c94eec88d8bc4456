// Checkpoints as torch.save writes them; archive.h opens the two formats. What was saved is one of
//   {"model": state_dict, "config": dict or GPTConfig, "step": int, "val_loss": float}
//   {"model": state_dict, "model_args": dict, "iter_num": int, "best_val_loss": number, ...}
//   state_dict
// or of the kinds that state_dict.h finds. Whatever else is in the file is not looked at.
#include <fmt/format.h>

#include <array>

#include "checkpoint/pytorch/scalars.h"
#include "checkpoint/pytorch/state_dict.h"
#include "checkpoint/raw.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kEmptyZipMagic = "PK\x05\x06";

// What stands under the name, unless it is there already: of equal keys the last counts.
void forget(const std::string& name, RawCheckpoint& raw) {
  raw.tensors.erase(name);
  raw.other_tensors.erase(name);
}

Result<void> read_tensor(PytorchArchive& archive, const std::string& name, PickleRef ref,
                         RawCheckpoint& raw) {
  forget(name, raw);
  if (!is_tensor(archive.pickle, ref)) {
    raw.other_tensors[name].type = kind_of(archive.pickle, ref);
    return ok();
  }
  CHORUS_TRY(TensorRecord record, read_tensor_record(archive.pickle, ref));
  const bool is_f64 = record.type->name == std::string_view("float64");
  if (!record.type->dtype && !is_f64) {
    raw.other_tensors[name] = {record.type->name, std::move(record.shape)};
    return ok();
  }
  CHORUS_TRY(auto data, tensor_data(archive, record));
  if (is_f64) {
    raw.other_tensors[name] = {record.type->name, std::move(record.shape), true,
                               std::move(record.strides), data};
    return ok();
  }
  raw.tensors[name] =
      Tensor{*record.type->dtype, std::move(record.shape), std::move(record.strides), data};
  return ok();
}

Result<void> read_tensors(PytorchArchive& archive, const StateDict& state_dict,
                          RawCheckpoint& raw) {
  for (const auto& [name, ref] : state_dict.items) {
    CHORUS_TRY(in_place(read_tensor(archive, name, ref, raw), "tensor " + in_quotes(name)));
  }
  return ok();
}

// The value of a key in one of the dicts around the weights, the innermost first.
PickleRef find_around(const Pickle& pickle, const StateDict& state_dict, std::string_view key) {
  for (PickleRef dict : state_dict.around) {
    PickleRef found = is_dict(pickle, dict) ? pickle.find(dict, key) : kNoPickleRef;
    if (found != kNoPickleRef) return found;
  }
  return kNoPickleRef;
}

// The dict of the fields that `ref` has: its own items, or the attributes of an object of whatever
// class. Nothing if it is neither; an empty dict has no place, so an object without attributes is
// kNoPickleRef.
std::optional<PickleRef> find_fields(const Pickle& pickle, PickleRef ref) {
  if (is_dict(pickle, ref)) return ref;
  if (pickle[ref].kind != PickleKind::kObject) return std::nullopt;
  PickleRef state = pickle[ref].state;
  if (state == kNoPickleRef) return kNoPickleRef;
  // An object with __slots__ has (its __dict__ or None, a dict of the slots).
  const auto& parts = pickle[state].items;
  if (pickle[state].kind == PickleKind::kTuple && parts.size() == 2) {
    state = is_dict(pickle, parts[1]) ? parts[1] : parts[0];
  }
  if (!is_dict(pickle, state)) return kNoPickleRef;
  // Pydantic's has its attributes under this key.
  PickleRef attributes = pickle.find(state, "__dict__");
  return attributes != kNoPickleRef && is_dict(pickle, attributes) ? attributes : state;
}

Error wrong_field(const Pickle& pickle, const std::string& field, PickleRef ref,
                  const char* expected) {
  return {ErrorCode::kCorrupt, fmt::format("{}: byte {}: {} is not {}", pickle.name,
                                           pickle[ref].offset, field, expected)};
}

Result<void> read_integer_fields(PytorchArchive& archive, const std::string& place,
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

Result<void> read_config(PytorchArchive& archive, const StateDict& state_dict, RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  // nanoGPT's "config" is its training script's flags; the model's own are its "model_args".
  std::string place = "model_args";
  PickleRef ref = find_around(pickle, state_dict, place);
  if (ref != kNoPickleRef) raw.origin = Origin::kNanoGpt;
  if (ref == kNoPickleRef) ref = find_around(pickle, state_dict, place = "config");
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
Result<void> read_progress(PytorchArchive& archive, const StateDict& state_dict,
                           RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  auto read = [&](const char* name) -> Result<std::optional<Number>> {
    PickleRef ref = find_around(pickle, state_dict, name);
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
  CHORUS_TRY(PytorchArchive archive, looks_like_legacy_archive(bytes) ? open_legacy_archive(bytes)
                                                                      : open_zip_archive(bytes));
  CHORUS_TRY(StateDict state_dict, find_state_dict(archive.pickle));
  RawCheckpoint raw;
  raw.path = bytes.name;
  raw.format = "pytorch";
  if (bytes.owner) raw.owners.push_back(bytes.owner);
  raw.owners.push_back(archive.storages);
  raw.notes = state_dict.notes;
  CHORUS_TRY(read_tensors(archive, state_dict, raw));
  CHORUS_TRY(read_config(archive, state_dict, raw));
  CHORUS_TRY(read_progress(archive, state_dict, raw));
  return raw;
}

}  // namespace

bool looks_like_pytorch(const Bytes& bytes) {
  std::string_view text = bytes.text();
  return text.starts_with(kZipMagic) || text.starts_with(kEmptyZipMagic) ||
         looks_like_legacy_archive(bytes);
}

Result<RawCheckpoint> read_pytorch(const Bytes& bytes) {
  return in_place(read_archive(bytes), bytes.name);
}

}  // namespace chorus::checkpoint
