#include "checkpoint/pytorch/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/config_value.h"
#include "checkpoint/gpt2/config_fields.h"
#include "checkpoint/pytorch/scalars.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

using Kind = ConfigValue::Kind;

constexpr std::size_t kLongestText = 1024;  // bytes, of a name or a value

// Pickled values as ConfigValues, so many at most. Values of a pickle may stand in several places
// and in themselves: the budget and the depth bound what is made of them.
class Converter {
 public:
  explicit Converter(PytorchArchive& archive) : archive_(archive), pickle_(archive.pickle) {}

  Result<ConfigValue> convert(PickleRef ref, int depth = 0) {
    if (left_ == 0 || depth > kDeepestConfig) return other("one of very many values");
    --left_;
    const PickleValue& value = pickle_[ref];
    ConfigValue result;
    switch (value.kind) {
      case PickleKind::kNone:
        return result;
      case PickleKind::kBool:
        result.kind = Kind::kBool;
        result.integer = value.integer;
        return result;
      case PickleKind::kBigInt:
        result.kind = Kind::kBigInteger;
        return result;
      case PickleKind::kString:
        if (value.text.size() > kLongestText) return other("a long text");
        return text(std::string(value.text));
      case PickleKind::kTuple:
      case PickleKind::kList:
      case PickleKind::kSet:
        return list(value.items, depth);
      case PickleKind::kGlobal:
        return other(pickle_.global_name(ref));
      case PickleKind::kDict: {
        ConfigValue record;
        record.kind = Kind::kRecord;
        CHORUS_TRY(add_items(value.items, depth, record));
        return record;
      }
      case PickleKind::kBytes:
      case PickleKind::kPersistent:
        return other("bytes");
      case PickleKind::kInt:
      case PickleKind::kFloat:
      case PickleKind::kObject:
        break;
    }
    CHORUS_TRY(std::optional<Number> number, read_number(archive_, ref));
    if (number) {
      result.kind = number->is_integer ? Kind::kInteger : Kind::kReal;
      result.integer = number->integer;
      result.real = number->real;
      return result;
    }
    if (is_tensor(pickle_, ref)) return other("a tensor");
    return object(ref, depth);
  }

 private:
  static ConfigValue text(std::string content) {
    ConfigValue result;
    result.kind = Kind::kText;
    result.text = std::move(content);
    return result;
  }

  static ConfigValue other(std::string what) {
    ConfigValue result = text(std::move(what));
    result.kind = Kind::kOther;
    return result;
  }

  Result<ConfigValue> list(const std::vector<PickleRef>& items, int depth) {
    constexpr std::size_t kMostItems = 16;
    if (items.size() > kMostItems) return other(fmt::format("a list of {}", items.size()));
    ConfigValue result;
    result.kind = Kind::kList;
    for (PickleRef item : items) {
      CHORUS_TRY(ConfigValue value, convert(item, depth + 1));
      result.fields.push_back({"", std::move(value)});
    }
    return result;
  }

  // Of a dict or an object: key, value, key, value, ...; of equal keys the last counts.
  Result<void> add_items(const std::vector<PickleRef>& items, int depth, ConfigValue& record) {
    if (items.size() / 2 > kMostFieldsOfRecord) {
      record.text = fmt::format("a dict of {} items", items.size() / 2);
      record.kind = Kind::kOther;
      return ok();
    }
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = pickle_[items[i]];
      if (key.kind != PickleKind::kString || key.text.size() > kLongestText) continue;
      CHORUS_TRY(ConfigValue value, convert(items[i + 1], depth + 1));
      std::string name(key.text);
      auto found = std::ranges::find(record.fields, name, &ConfigField::name);
      if (found == record.fields.end()) {
        record.fields.push_back({std::move(name), std::move(value)});
      } else {
        found->value = std::move(value);
      }
    }
    return ok();
  }

  // An object's attributes, and its items if it is a kind of dict. Nothing of it is run.
  Result<ConfigValue> object(PickleRef ref, int depth) {
    const PickleValue& value = pickle_[ref];
    std::vector<PickleRef> arguments;
    if (value.arguments != kNoPickleRef) arguments = pickle_[value.arguments].items;
    ConfigValue record;
    record.kind = Kind::kRecord;
    if (callable_of(pickle_, ref) != static_cast<int>(Global::kOrderedDict)) {
      record.text = kind_of(pickle_, ref);
    }
    CHORUS_TRY(add_items(value.items, depth, record));
    if (value.state != kNoPickleRef && record.kind == Kind::kRecord) {
      CHORUS_TRY(add_state(value.state, depth, record));
    }
    // A member of an enum, a path and the like: made of one value, which says what it is.
    bool is_made_of_one = record.kind == Kind::kRecord && record.fields.empty() &&
                          value.state == kNoPickleRef && arguments.size() == 1 &&
                          pickle_[arguments[0]].kind != PickleKind::kGlobal;
    if (is_made_of_one) return convert(arguments[0], depth + 1);
    return unwrapped(std::move(record));
  }

  Result<void> add_state(PickleRef state, int depth, ConfigValue& record) {
    // An object with __slots__ has (its __dict__ or None, a dict of the slots).
    std::vector<PickleRef> parts = {state};
    if (pickle_[state].kind == PickleKind::kTuple) parts = pickle_[state].items;
    for (PickleRef part : parts) {
      bool is_dict = pickle_[part].kind == PickleKind::kDict ||
                     callable_of(pickle_, part) == static_cast<int>(Global::kOrderedDict);
      if (!is_dict) continue;
      CHORUS_TRY(add_items(pickle_[part].items, depth, record));
    }
    return ok();
  }

  // Configs of libraries keep their fields in one of their attributes: OmegaConf's in _content, and
  // each value in _val; wandb's in _items, Pydantic's in __dict__.
  static ConfigValue unwrapped(ConfigValue record) {
    for (const char* name : {"_content", "_items", "_val", "_value_", "__dict__"}) {
      auto found = std::ranges::find(record.fields, name, &ConfigField::name);
      if (found == record.fields.end()) continue;
      ConfigValue inner = std::move(found->value);
      return inner;
    }
    return record;
  }

  PytorchArchive& archive_;
  const Pickle& pickle_;
  std::size_t left_ = kMostConfigValues;
};

// Where configs stand beside the weights, the model's own before a training program's flags.
constexpr const char* kNanoGptPlace = "model_args";
constexpr const char* kModelPlaces[] = {"model_config", "gpt_config",           "model_cfg",
                                        "model_params", "model_kwargs",         "model_hparams",
                                        "gptconf",      "model_hyperparameters"};
constexpr const char* kTalkPlace = "config";
constexpr const char* kOtherPlaces[] = {"hyper_parameters",
                                        "hyperparameters",
                                        "hyper_params",
                                        "hparams",
                                        "cfg",
                                        "conf",
                                        "configuration",
                                        "args",
                                        "arguments",
                                        "params",
                                        "kwargs",
                                        "options",
                                        "opts",
                                        "opt",
                                        "settings",
                                        "init_args"};

bool is_of_transformers(const ConfigValue& record) {
  return record.find("transformers_version") != nullptr || record.text.ends_with("GPT2Config");
}

class ConfigFinder {
 public:
  ConfigFinder(PytorchArchive& archive, const StateDict& state_dict, RawCheckpoint& raw)
      : pickle_(archive.pickle), state_dict_(state_dict), converter_(archive), raw_(raw) {}

  Result<void> run() {
    CHORUS_TRY(look(kNanoGptPlace, Origin::kNanoGpt));
    for (const char* place : kModelPlaces) {
      CHORUS_TRY(look(place, std::nullopt));
    }
    end_of_rank();
    CHORUS_TRY(look(kTalkPlace, Origin::kTalk));
    for (const char* place : kOtherPlaces) {
      CHORUS_TRY(look(place, std::nullopt));
    }
    end_of_rank();
    for (PickleRef dict : state_dict_.around) {
      CHORUS_TRY(look_at_neighbours(dict));
    }
    return ok();
  }

 private:
  // A config of lower rank only fills in what those of higher ranks leave open.
  void end_of_rank() { is_fallback_ = is_found_; }

  Result<void> look(const char* place, std::optional<Origin> kind) {
    PickleRef ref = find_around(pickle_, state_dict_, place);
    if (ref == kNoPickleRef || pickle_[ref].kind == PickleKind::kNone) return ok();
    CHORUS_TRY(ConfigValue record, converter_.convert(ref));
    if (record.kind != Kind::kRecord) {
      if (!kind || is_tensor(pickle_, ref)) return ok();
      return Error{
          ErrorCode::kCorrupt,
          fmt::format("{}: byte {}: {} is not a dict or an object with fields; save the model's "
                      "config as a dict",
                      pickle_.name, pickle_[ref].offset, place)};
    }
    if (!is_found_) {
      if (is_of_transformers(record)) kind = Origin::kTransformers;
      raw_.config.kind = kind;
      raw_.origin = kind.value_or(Origin::kTalk);
    }
    is_found_ = true;
    return read_config_fields(
        record, {.place = std::string(place) + ".", .is_fallback = is_fallback_}, raw_.config);
  }

  // Fields that stand among the weights' neighbours themselves. Whatever else stands there is
  // passed over without a word.
  Result<void> look_at_neighbours(PickleRef dict) {
    ConfigValue record;
    record.kind = Kind::kRecord;
    const std::vector<PickleRef>& items = pickle_[dict].items;
    for (std::size_t i = 0; i + 1 < items.size() && record.fields.size() < kMostFieldsOfRecord;
         i += 2) {
      const PickleValue& key = pickle_[items[i]];
      const PickleKind kind = pickle_[items[i + 1]].kind;
      bool is_plain = kind == PickleKind::kInt || kind == PickleKind::kFloat ||
                      kind == PickleKind::kBool || kind == PickleKind::kString;
      if (!is_plain || key.kind != PickleKind::kString || key.text.size() > kLongestText) continue;
      CHORUS_TRY(ConfigValue value, converter_.convert(items[i + 1]));
      record.fields.push_back({std::string(key.text), std::move(value)});
    }
    return read_config_fields(record, {.is_fallback = true}, raw_.config);
  }

  const Pickle& pickle_;
  const StateDict& state_dict_;
  Converter converter_;
  RawCheckpoint& raw_;
  bool is_found_ = false, is_fallback_ = false;
};

}  // namespace

Result<void> read_pytorch_config(PytorchArchive& archive, const StateDict& state_dict,
                                 RawCheckpoint& raw) {
  return ConfigFinder(archive, state_dict, raw).run();
}

}  // namespace chorus::checkpoint
