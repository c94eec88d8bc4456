// Checkpoints as torch.save writes them; archive.h opens the two formats. What was saved is one of
//   {"model": state_dict, "config": dict or object, "step": int, "val_loss": float}
//   {"model": state_dict, "model_args": dict, "iter_num": int, "best_val_loss": number, ...}
//   state_dict
// or of the kinds that state_dict.h finds. Whatever else is in the file is not looked at.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "checkpoint/gpt2/names.h"
#include "checkpoint/pytorch/config.h"
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

// Of integers or bools, which are read of such tensors alone.
bool is_mask(const std::string& name, const ElementType& type) {
  if (type.size > sizeof(std::uint64_t)) return false;
  std::optional<SplitName> split = split_name(name);
  return split && is_mask_buffer(split->plain);
}

Result<void> read_tensor(PytorchArchive& archive, const std::string& name, PickleRef ref,
                         RawCheckpoint& raw) {
  forget(name, raw);
  if (!is_tensor(archive.pickle, ref)) {
    raw.other_tensors[name].type = kind_of(archive.pickle, ref);
    return ok();
  }
  CHORUS_TRY(TensorRecord record, read_tensor_record(archive.pickle, ref));
  if (record.is_lazy) {
    raw.other_tensors[name] = {fmt::format("{}, a view that negates or conjugates (resolve_neg() "
                                           "and resolve_conj() make it a tensor)",
                                           record.type->name),
                               std::move(record.shape)};
    return ok();
  }
  const bool is_f64 = record.type->name == std::string_view("float64");
  if (!record.type->dtype && !is_f64 && !is_mask(name, *record.type)) {
    raw.other_tensors[name] = {record.type->name, std::move(record.shape)};
    return ok();
  }
  CHORUS_TRY(auto data, tensor_data(archive, record));
  if (!record.type->dtype) {
    raw.other_tensors[name] = {
        record.type->name, std::move(record.shape), is_f64, std::move(record.strides), data,
        record.type->size};
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

// nanoGPT's flags name the data that it was trained on.
void read_dataset(const PytorchArchive& archive, const StateDict& state_dict, RawCheckpoint& raw) {
  const Pickle& pickle = archive.pickle;
  PickleRef flags = find_around(pickle, state_dict, "config");
  if (flags == kNoPickleRef || !is_dict(pickle, flags)) return;
  PickleRef dataset = pickle.find(flags, "dataset");
  if (dataset == kNoPickleRef || pickle[dataset].kind != PickleKind::kString) return;
  raw.tokenizer_hints.dataset = std::string(pickle[dataset].text);
}

// What the config says of the ids that begin and end a text.
void read_token_ids(RawCheckpoint& raw) {
  std::vector<std::string> fields;
  for (const auto& [name, ids] : raw.config.token_ids) {
    fields.push_back(fmt::format(R"("{}_token_id":[{}])", name.substr(0, 3), fmt::join(ids, ",")));
  }
  if (!fields.empty()) {
    raw.tokenizer_hints.token_ids = fmt::format("{{{}}}", fmt::join(fields, ","));
  }
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
  CHORUS_TRY(read_pytorch_config(archive, state_dict, raw));
  read_dataset(archive, state_dict, raw);
  read_token_ids(raw);
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
