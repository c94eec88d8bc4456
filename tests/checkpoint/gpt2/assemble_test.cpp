#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "checkpoint/gpt2/completion.h"
#include "checkpoint/gpt2/config_json.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/safetensors.h"
#include "support/safetensors_writer.h"

namespace chorus::checkpoint {
namespace {

using test::counting;
using test::FileTensors;
using testing::AllOf;
using testing::HasSubstr;

// The tensors as a file in Hugging Face's layout has them, without a config.
RawCheckpoint raw_of(const FileTensors& tensors) {
  Bytes bytes = copy_bytes("model", test::safetensors_file(tensors));
  auto content = read_safetensors(bytes);
  EXPECT_TRUE(content) << content.assume_error().message;
  RawCheckpoint raw;
  raw.path = "model";
  raw.format = "pytorch";
  raw.tensors = std::move(content.assume_value().tensors);
  raw.other_tensors = std::move(content.assume_value().other_tensors);
  raw.owners.push_back(bytes.owner);
  raw.conv1d_layout = true;
  raw.config.activation = Activation::kGeluTanh;  // so that no note says that it is left open
  return raw;
}

ConfigFields tiny_fields() { return parse_config_json(test::tiny_config()).assume_value(); }

Checkpoint expect_assembled(RawCheckpoint raw, const OpenOptions& options = {.n_head = 2}) {
  auto checkpoint = assemble(std::move(raw), options);
  EXPECT_TRUE(checkpoint) << checkpoint.assume_error().message;
  return checkpoint ? checkpoint.assume_value() : Checkpoint{};
}

Error expect_refused(RawCheckpoint raw, const OpenOptions& options = {.n_head = 2}) {
  auto checkpoint = assemble(std::move(raw), options);
  EXPECT_FALSE(checkpoint);
  return checkpoint ? Error{ErrorCode::kIo, "no error"} : checkpoint.assume_error();
}

TEST(Assemble, ConfigComesFromTheShapesWhereItIsNotStated) {
  Checkpoint checkpoint = expect_assembled(raw_of(test::tiny_gpt2()));
  const ModelConfig& config = checkpoint.config;
  EXPECT_EQ(config.vocab_size, 6);
  EXPECT_EQ(config.block_size, 4);
  EXPECT_EQ(config.n_layer, 2);
  EXPECT_EQ(config.n_head, 2);
  EXPECT_EQ(config.n_embd, 4);
  EXPECT_EQ(config.n_inner, 16);
  EXPECT_TRUE(config.bias);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(checkpoint.tensors.size(), 28u);
  EXPECT_EQ(checkpoint.parameter_count(),
            24 + 16 + 8 + 2 * (16 + 48 + 12 + 16 + 4 + 64 + 16 + 64 + 4));
}

TEST(Assemble, PrefixesGoInAnyOrderAndNumber) {
  for (const char* prefix :
       {"transformer.", "module.", "_orig_mod.", "_orig_mod.module.transformer.",
        "module._orig_mod.", "module.module.transformer._orig_mod."}) {
    FileTensors tensors;
    for (auto& [name, tensor] : test::tiny_gpt2()) tensors[prefix + name] = tensor;
    EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.count("h.1.mlp.c_fc.bias"), 1u) << prefix;
  }
}

// 4 x 4 f32: which of them are 1.
test::FileTensor mask(const std::function<bool(int, int)>& is_set) {
  test::FileTensor tensor{"F32", {1, 1, 4, 4}, ""};
  for (int i = 0; i < 16; ++i) {
    tensor.bytes += is_set(i / 4, i % 4) ? std::string("\0\0\x80\x3f", 4) : std::string(4, '\0');
  }
  return tensor;
}

TEST(Assemble, CausalMasksArePassedOver) {
  FileTensors tensors = test::tiny_gpt2();
  tensors["h.0.attn.bias"] = mask([](int row, int column) { return column <= row; });
  tensors["transformer.h.1.attn.bias"] = {"BOOL", {4}, "1111"};  // whose data is not there
  tensors["h.1.attn.mask"] = mask([](int row, int column) { return column > row; });
  tensors["h.0.attn.causal_mask"] = tensors["h.0.attn.bias"];
  tensors["h.0.attn.masked_bias"] = counting({}, -1e4F);
  tensors["h.1.attn.masked_bias"] = counting({1}, -INFINITY);
  EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.size(), 28u);
}

TEST(Assemble, OtherMasksAreRefused) {
  struct Row {
    const char* name;
    test::FileTensor tensor;
    const char* says;
  };
  auto causal = [](int row, int column) { return column <= row; };
  const Row rows[] = {
      {"h.1.attn.bias", mask([](int, int) { return true; }), "other than the causal one"},
      {"h.1.attn.bias", mask([](int row, int column) { return column <= row && column > row - 2; }),
       "other than the causal one"},
      {"h.1.attn.bias", mask([](int row, int column) { return column > row; }),
       "other than the causal one"},
      {"h.0.attn.mask", mask([](int, int) { return false; }), "other than the causal one"},
      {"h.0.attn.tril", mask([](int row, int column) { return column < row; }),
       "other than the causal one"},
      {"h.0.attn.masked_bias", counting({}, -10), "would still be seen"},
      {"h.0.attn.bias", counting({4}, 1), "unexpected tensor 'h.0.attn.bias'"},
      {"h.0.attn.bias", counting({4, 2}, 1), "unexpected tensor 'h.0.attn.bias'"},
  };
  for (const Row& row : rows) {
    FileTensors tensors = test::tiny_gpt2();
    tensors["h.0.attn.bias"] = mask(causal);
    tensors[row.name] = row.tensor;
    EXPECT_THAT(expect_refused(raw_of(tensors)).message,
                AllOf(HasSubstr(row.name), HasSubstr(row.says)));
    // transformers looks at none of them.
    RawCheckpoint raw = raw_of(tensors);
    raw.origin = Origin::kTransformers;
    EXPECT_EQ(expect_assembled(std::move(raw)).tensors.size(), 28u);
  }
}

TEST(Assemble, MasksMayNotCostMoreThanTheyAreWorth) {
  // One mask of 65,536 positions of one byte, shown by strides of 0.
  RawCheckpoint raw = raw_of(test::tiny_gpt2());
  auto bytes = std::make_shared<std::vector<std::byte>>(1);
  raw.other_tensors["h.0.attn.mask"] = {
      "bool", {1 << 17, 1 << 17}, false, {0, 0}, std::span<const std::byte>(*bytes), 1};
  EXPECT_THAT(expect_refused(std::move(raw)).message, HasSubstr("too many elements to look at"));
}

TEST(Assemble, TensorsOfOtherTypesThatNoWeightIsOfAreNamed) {
  FileTensors tensors = test::tiny_gpt2();
  tensors["h.0.attn.rel_index"] = {"I64", {1}, std::string(8, '\1')};
  tensors["transformer.position_ids"] = {"I64", {1}, std::string(8, '\1')};
  EXPECT_THAT(expect_assembled(raw_of(tensors)).notes,
              testing::ElementsAre(AllOf(HasSubstr("'h.0.attn.rel_index' (I64)"),
                                         testing::Not(HasSubstr("position_ids")))));
}

TEST(Assemble, AMissingTensorIsToldBesideWhatTheFileHasInstead) {
  auto message = [](const char* from, const char* to) {
    FileTensors tensors;
    for (auto& [name, tensor] : test::tiny_gpt2()) {
      std::string renamed = name;
      if (std::size_t at = renamed.find(from); at != std::string::npos) {
        renamed.replace(at, std::string_view(from).size(), to);
      }
      tensors[renamed] = tensor;
    }
    return expect_refused(raw_of(tensors)).message;
  };
  EXPECT_THAT(message("mlp.c_fc", "mlp.up"),
              AllOf(HasSubstr("missing tensor 'h.0.mlp.c_fc.weight'; the file has 'h.0.mlp.up."),
                    HasSubstr("renamed")));
  EXPECT_THAT(message("c_fc.weight", "c_fc.weight_g"),
              AllOf(HasSubstr("the file has 'h.0.mlp.c_fc.weight_g'"), HasSubstr("made of parts")));
}

TEST(Assemble, TheFormatAndNotTheShapeDecidesWhatIsTransposed) {
  Checkpoint hugging_face = expect_assembled(raw_of(test::tiny_gpt2()));
  const Tensor& square = hugging_face.tensors.at("h.0.attn.c_proj.weight");
  EXPECT_EQ(square.strides, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(hugging_face.tensors.at("h.0.mlp.c_proj.weight").shape,
            (std::vector<std::int64_t>{4, 16}));
  EXPECT_TRUE(hugging_face.tensors.at("wpe.weight").is_contiguous());

  FileTensors tensors = test::tiny_gpt2();
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with("h.") && tensor.shape.size() == 2)
      std::swap(tensor.shape[0], tensor.shape[1]);
  }
  RawCheckpoint raw = raw_of(tensors);
  raw.conv1d_layout = false;
  Checkpoint pytorch = expect_assembled(raw);
  EXPECT_EQ(pytorch.tensors.at("h.0.attn.c_proj.weight").strides,
            (std::vector<std::int64_t>{4, 1}));
}

TEST(Assemble, ModelsWithoutBiasesAreTold) {
  FileTensors tensors = test::tiny_gpt2();
  std::erase_if(tensors, [](const auto& item) { return item.first.ends_with(".bias"); });
  Checkpoint checkpoint = expect_assembled(raw_of(tensors));
  EXPECT_FALSE(checkpoint.config.bias);
  EXPECT_EQ(checkpoint.tensors.size(), 15u);
}

TEST(Assemble, TheHeadIsTiedIfItIsAbsentOrTheSameOrTheConfigSaysSo) {
  FileTensors tensors = test::tiny_gpt2();
  tensors["lm_head.weight"] = tensors["wte.weight"];
  Checkpoint equal = expect_assembled(raw_of(tensors));
  EXPECT_TRUE(equal.config.tie_word_embeddings);
  EXPECT_FALSE(equal.tensors.contains("lm_head.weight"));

  RawCheckpoint stated = raw_of(tensors);
  stated.config.tie_word_embeddings = false;
  EXPECT_TRUE(expect_assembled(stated).tensors.contains("lm_head.weight"));

  tensors["lm_head.weight"].bytes.back() = '\x01';
  Checkpoint differs = expect_assembled(raw_of(tensors));
  EXPECT_FALSE(differs.config.tie_word_embeddings);
  EXPECT_TRUE(differs.tensors.contains("lm_head.weight"));
  EXPECT_EQ(differs.parameter_count(), equal.parameter_count() + 24);

  RawCheckpoint tied = raw_of(tensors);
  tied.config.tie_word_embeddings = true;
  EXPECT_FALSE(expect_assembled(tied).tensors.contains("lm_head.weight"));

  RawCheckpoint untied = raw_of(test::tiny_gpt2());
  untied.config.tie_word_embeddings = false;
  EXPECT_THAT(expect_refused(untied).message, HasSubstr("missing tensor 'lm_head.weight'"));
}

TEST(Assemble, HeadsAreOf64UnlessToldAndNeverGuessedOtherwise) {
  RawCheckpoint raw = raw_of(test::tiny_gpt2());
  Error error = expect_refused(raw, {});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("--n-head"));
  EXPECT_THAT(expect_refused(raw, {.n_head = 3}).message, HasSubstr("does not divide n_embd"));
  EXPECT_THAT(expect_refused(raw, {.n_head = 0}).message, HasSubstr("does not divide n_embd"));
  EXPECT_EQ(expect_assembled(raw, {.n_head = 4}).config.n_head, 4);
  raw.config.n_head = 1;
  EXPECT_EQ(expect_assembled(raw, {}).config.n_head, 1);
  EXPECT_THAT(expect_refused(raw, {.n_head = 2}).message, HasSubstr("contradicts"));

  ConfigFields fields;
  fields.block_size = 1;
  fields.n_inner = 1;
  auto wide =
      complete_config(fields, {{"wte.weight", {NumberFormat::kF32, {1, 256}, {256, 1}, {}}}}, {});
  ASSERT_TRUE(wide) << wide.assume_error().message;
  EXPECT_EQ(wide.assume_value().config.n_head, 4);
}

struct WrongModel {
  const char* what;
  void (*spoil)(FileTensors&);
  ErrorCode code;
  const char* message;
};

const WrongModel kWrongModels[] = {
    {"no embedding", [](FileTensors& t) { t.erase("wte.weight"); }, ErrorCode::kCorrupt,
     "model: missing tensor 'wte.weight'"},
    {"a weight missing", [](FileTensors& t) { t.erase("h.1.mlp.c_fc.weight"); },
     ErrorCode::kCorrupt, "model: missing tensor 'h.1.mlp.c_fc.weight'"},
    {"one bias missing", [](FileTensors& t) { t.erase("h.1.ln_2.bias"); }, ErrorCode::kCorrupt,
     "missing tensor 'h.1.ln_2.bias'"},
    {"a layer missing",
     [](FileTensors& t) {
       std::erase_if(t, [](const auto& item) { return item.first.starts_with("h.0."); });
     },
     ErrorCode::kCorrupt, "missing tensor 'h.0."},
    {"wrong shape", [](FileTensors& t) { t["h.0.ln_1.weight"] = counting({5}, 0); },
     ErrorCode::kCorrupt, "tensor 'h.0.ln_1.weight' has the wrong shape: found [5], expected [4]"},
    {"wrong shape, as the file has it",
     [](FileTensors& t) {
       t["h.0.attn.c_attn.weight"] = counting({12, 4}, 0);
     },
     ErrorCode::kCorrupt,
     "tensors 'h.0.attn.c_attn.weight' and 'h.1.attn.c_attn.weight' have different layouts, [12, "
     "4] "
     "and [4, 12]"},
    {"one matrix in the other layout",
     [](FileTensors& t) {
       t["h.0.mlp.c_proj.weight"] = counting({4, 16}, 0);
     },
     ErrorCode::kCorrupt,
     "'h.0.mlp.c_proj.weight' has the wrong shape: found [4, 16], expected [16, 4]"},
    {"wrong rank", [](FileTensors& t) { t["wte.weight"] = counting({24}, 0); }, ErrorCode::kCorrupt,
     "tensor 'wte.weight' has the wrong shape: found [24], expected"},
    {"two names for one tensor",
     [](FileTensors& t) {
       t["module.wte.weight"] = t["wte.weight"];
       t["module.wte.weight"].bytes.back() ^= 1;
     },
     ErrorCode::kCorrupt,
     "tensors 'module.wte.weight' and 'wte.weight' are both 'wte.weight', and differ"},
    {"a type that is not a weight's",
     [](FileTensors& t) {
       t["ln_f.bias"] = {"I32", {4}, std::string(16, '\0')};
     },
     ErrorCode::kUnsupported,
     "tensor 'ln_f.bias' is of type 'I32'; expected f32, f16, bf16 or f64"},
    {"another head",
     [](FileTensors& t) {
       t["score.weight"] = counting({2, 4}, 0);
     },
     ErrorCode::kUnsupported, "unexpected tensor 'score.weight'"},
    {"an adapter", [](FileTensors& t) { t["h.0.attn.c_attn.lora_A.weight"] = counting({2}, 0); },
     ErrorCode::kUnsupported, "unexpected tensor 'h.0.attn.c_attn.lora_A.weight'"},
    {"layer with a leading zero", [](FileTensors& t) { t["h.00.ln_1.weight"] = counting({4}, 0); },
     ErrorCode::kUnsupported, "unexpected tensor 'h.00.ln_1.weight'"},
    {"a layer far away", [](FileTensors& t) { t["h.999999999.ln_1.weight"] = counting({4}, 0); },
     ErrorCode::kCorrupt, "config field n_layer is 1000000000"},
};

TEST(Assemble, EveryWrongModelIsRefusedByTheNameOfItsTensor) {
  for (const WrongModel& row : kWrongModels) {
    SCOPED_TRACE(row.what);
    FileTensors tensors = test::tiny_gpt2();
    row.spoil(tensors);
    Error error = expect_refused(raw_of(tensors));
    EXPECT_EQ(error.code, row.code);
    EXPECT_THAT(error.message, HasSubstr(row.message));
  }
}

TEST(Assemble, TensorsThatTheConfigDeniesAreRefused) {
  RawCheckpoint raw = raw_of(test::tiny_gpt2());
  raw.config = tiny_fields();
  raw.config.n_layer = 1;
  EXPECT_THAT(expect_refused(raw).message, HasSubstr("the config has n_layer 1"));
  raw.config.n_layer = 2;
  raw.config.bias = false;
  EXPECT_THAT(expect_refused(raw).message, HasSubstr("the model has no biases"));
  raw.config.bias = true;
  raw.config.vocab_size = 5;
  EXPECT_THAT(expect_refused(raw).message, HasSubstr("found [6, 4], expected [5, 4]"));
}

TEST(Assemble, SizesOfAnyFormatsConfigAreChecked) {
  for (std::int64_t wrong : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    for (auto field : {&ConfigFields::block_size, &ConfigFields::vocab_size, &ConfigFields::n_layer,
                       &ConfigFields::n_head, &ConfigFields::n_embd, &ConfigFields::n_inner}) {
      RawCheckpoint raw = raw_of(test::tiny_gpt2());
      raw.config.n_head = 2;
      raw.config.*field = wrong;
      EXPECT_THAT(expect_refused(raw, {}).message, HasSubstr(std::to_string(wrong)));
    }
  }
}

TEST(Assemble, TheShapeOfCAttnTellsTheLayout) {
  for (bool stated : {false, true}) {
    RawCheckpoint raw = raw_of(test::tiny_gpt2());
    raw.conv1d_layout = stated;
    Checkpoint checkpoint = expect_assembled(raw);
    EXPECT_EQ(checkpoint.tensors.at("h.0.attn.c_proj.weight").strides,
              (std::vector<std::int64_t>{1, 4}));
    EXPECT_EQ(checkpoint.origin, Origin::kTransformers);
  }
}

FileTensors renamed(const std::function<std::string(const std::string&)>& rename) {
  FileTensors result;
  for (const auto& [name, tensor] : test::tiny_gpt2()) result[rename(name)] = tensor;
  return result;
}

// "h.1.ln_1.weight" with a part put in behind the first `count` of its parts.
std::string with_part(const std::string& name, const std::string& part, int count) {
  std::size_t place = 0;
  for (; count > 0 && place != std::string::npos; --count) {
    place = name.find('.', place + 1);
  }
  if (place == std::string::npos) return name;
  return name.substr(0, place) + (place == 0 ? part + "." : "." + part) + name.substr(place);
}

TEST(Assemble, WrappersAreFoundInEveryPlaceOfANameAndInAnyOrder) {
  for (std::string part :
       {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_module", "module",
        "_forward_module", "model", "gpt", "net", "backbone", "transformer.module",
        "module._orig_mod._fsdp_wrapped_module", "base_layer", "_something_new"}) {
    for (int count = 0; count < 5; ++count) {
      SCOPED_TRACE(part + " " + std::to_string(count));
      FileTensors tensors =
          renamed([&](const std::string& name) { return with_part(name, part, count); });
      EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.size(), 28u);
    }
  }
}

TEST(Assemble, AnyCommonPrefixIsPassedOver) {
  for (std::string prefix : {"policy.", "lit_module.gpt_2.", "a.b.c.d.", "ema_model.", "h.", "wte.",
                             "pretrained_model.transformer.", "base_model.model.transformer."}) {
    SCOPED_TRACE(prefix);
    FileTensors tensors = renamed([&](const std::string& name) { return prefix + name; });
    EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.size(), 28u);
    // A head beside the body.
    tensors["lm_head.weight"] = counting({6, 4}, 70000);
    EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.size(), 29u);
  }
}

TEST(Assemble, OneTensorUnderTwoNamesIsReadOnceIfItIsTheSame) {
  FileTensors tensors = test::tiny_gpt2();
  for (const auto& [name, tensor] : test::tiny_gpt2()) {
    tensors["module." + name] = tensor;
    tensors["encoder." + name] = tensor;
  }
  EXPECT_EQ(expect_assembled(raw_of(tensors)).tensors.size(), 28u);
  tensors["encoder.wpe.weight"].bytes[0] ^= 1;
  EXPECT_THAT(expect_refused(raw_of(tensors)).message,
              AllOf(HasSubstr("holds two models, one without a prefix"),
                    HasSubstr("one under 'encoder.' ('encoder.wpe.weight')")));
}

TEST(Assemble, AveragesBesideTheWeightsArePassedOverAndSaidSo) {
  for (std::string prefix :
       {"ema_model.", "model_ema.", "ema.", "swa_model.module.", "model.ema."}) {
    SCOPED_TRACE(prefix);
    FileTensors tensors = renamed([](const std::string& name) { return "online." + name; });
    for (auto [name, tensor] : test::tiny_gpt2()) {
      tensor.bytes[0] ^= 1;
      tensors[prefix + name] = tensor;
    }
    tensors[prefix + "decay"] = counting({1}, 0);
    Checkpoint checkpoint = expect_assembled(raw_of(tensors));
    ASSERT_EQ(checkpoint.notes.size(), 1u);
    EXPECT_THAT(checkpoint.notes[0], HasSubstr("29 tensors of an average"));
    EXPECT_EQ(checkpoint.tensors.at("wte.weight").data[0], std::byte{0});
  }
}

TEST(Assemble, AnAverageAloneIsReadAndSaidSo) {
  FileTensors tensors = renamed([](const std::string& name) { return "ema_model." + name; });
  EXPECT_THAT(expect_assembled(raw_of(tensors)).notes,
              testing::ElementsAre(HasSubstr("the only ones in the file")));
}

TEST(Assemble, BiasesThatNoLayerHasAreZero) {
  struct Row {
    std::vector<const char*> gone;
    std::size_t notes;
  };
  const Row rows[] = {{{"attn.c_attn.bias"}, 1},
                      {{"c_attn.bias", "c_proj.bias", "c_fc.bias"}, 4},
                      {{"ln_1.bias", "ln_2.bias", "ln_f.bias"}, 3}};
  for (const Row& row : rows) {
    FileTensors tensors = test::tiny_gpt2();
    std::erase_if(tensors, [&](const auto& item) {
      return std::ranges::any_of(row.gone,
                                 [&](const char* end) { return item.first.ends_with(end); });
    });
    Checkpoint checkpoint = expect_assembled(raw_of(tensors));
    EXPECT_TRUE(checkpoint.config.bias);
    EXPECT_EQ(checkpoint.tensors.size(), 28u);
    EXPECT_EQ(checkpoint.notes.size(), row.notes);
    std::string gone =
        row.gone[0] == std::string_view("ln_1.bias") ? "h.1.ln_1.bias" : "h.1.attn.c_attn.bias";
    const Tensor& zeros = checkpoint.tensors.at(gone);
    EXPECT_EQ(zeros.shape, std::vector<std::int64_t>{gone.ends_with("ln_1.bias") ? 4 : 12});
    EXPECT_TRUE(std::ranges::all_of(zeros.data, [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_EQ(zeros.data.size(), static_cast<std::size_t>(zeros.element_count()) * 4);
  }
  // One that a layer lacks and another has is missing, as is the last norm's alone.
  for (const char* name : {"h.0.attn.c_attn.bias", "ln_f.bias"}) {
    FileTensors tensors = test::tiny_gpt2();
    tensors.erase(name);
    EXPECT_THAT(expect_refused(raw_of(tensors)).message,
                HasSubstr(std::string("missing tensor '") + name));
  }
}

TEST(Assemble, TiedWeightsMayBeUnderTheHeadsNameAlone) {
  for (std::string prefix : {"", "module.", "policy."}) {
    FileTensors tensors = renamed([&](const std::string& name) {
      return prefix + (name == "wte.weight" ? "lm_head.weight" : name);
    });
    for (std::optional<bool> stated : {std::optional<bool>(), std::optional(true)}) {
      RawCheckpoint raw = raw_of(tensors);
      raw.config.tie_word_embeddings = stated;
      Checkpoint checkpoint = expect_assembled(raw);
      EXPECT_EQ(checkpoint.tensors.size(), 28u);
      EXPECT_TRUE(checkpoint.config.tie_word_embeddings);
    }
    RawCheckpoint untied = raw_of(tensors);
    untied.config.tie_word_embeddings = false;
    EXPECT_THAT(expect_refused(untied).message, HasSubstr("missing tensor 'wte.weight'"));
  }
}

// PyTorch loads the head last, into the one matrix.
TEST(Assemble, OfTiedWeightsThatDifferTheHeadsCount) {
  FileTensors tensors = test::tiny_gpt2();
  tensors["lm_head.weight"] = counting({6, 4}, 70000);
  RawCheckpoint raw = raw_of(tensors);
  raw.config.tie_word_embeddings = true;
  Checkpoint checkpoint = expect_assembled(raw);
  float first = 0;
  std::memcpy(&first, checkpoint.tensors.at("wte.weight").data.data(), sizeof first);
  EXPECT_EQ(first, 70000);
  ASSERT_EQ(checkpoint.notes.size(), 1u);
  EXPECT_THAT(checkpoint.notes[0], HasSubstr("lm_head.weight and wte.weight differ"));
}

TEST(Assemble, Float64WeightsAreRoundedToTheNearest) {
  FileTensors tensors = test::tiny_gpt2();
  const double values[] = {0.1, 1e300, 1.0 + 0x1p-24, 1.0 + 0x1.8p-24};
  tensors["ln_f.bias"] = {"F64", {4}, std::string(reinterpret_cast<const char*>(values), 32)};
  Checkpoint checkpoint = expect_assembled(raw_of(tensors));
  const Tensor& bias = checkpoint.tensors.at("ln_f.bias");
  float rounded[4];
  ASSERT_EQ(bias.data.size(), sizeof rounded);
  std::memcpy(rounded, bias.data.data(), sizeof rounded);
  EXPECT_EQ(rounded[0], 0.1f);
  EXPECT_TRUE(std::isinf(rounded[1]));
  EXPECT_EQ(rounded[2], 1.0f);  // a tie, to even
  EXPECT_EQ(rounded[3], 1.0f + 0x1p-23f);
  ASSERT_EQ(checkpoint.notes.size(), 1u);
  EXPECT_THAT(checkpoint.notes[0], HasSubstr("1 tensors are f64"));
}

TEST(Assemble, ATensorsViewsOfFloat64AreGathered) {
  RawCheckpoint raw = raw_of(test::tiny_gpt2());
  const double values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  raw.tensors.erase("ln_f.bias");
  raw.other_tensors["ln_f.bias"] = {
      "float64", {4}, true, {2}, std::as_bytes(std::span(values)).first(56)};
  Checkpoint checkpoint = expect_assembled(raw);
  float gathered[4];
  std::memcpy(gathered, checkpoint.tensors.at("ln_f.bias").data.data(), sizeof gathered);
  EXPECT_THAT(gathered, testing::ElementsAre(1, 3, 5, 7));
}

TEST(Assemble, HeadsOfOtherKindsArePassedOverAndSaidSo) {
  FileTensors tensors = test::tiny_gpt2();
  tensors["v_head.summary.weight"] = counting({1, 4}, 0);
  Checkpoint checkpoint = expect_assembled(raw_of(tensors));
  ASSERT_EQ(checkpoint.notes.size(), 1u);
  EXPECT_THAT(checkpoint.notes[0], HasSubstr("'v_head.summary.weight' is another head's"));
}

// Each tensor would be packed into memory of its own.
TEST(Assemble, TensorsThatShowTheSameBytesTooOftenAreRefused) {
  RawCheckpoint raw = raw_of(test::tiny_gpt2());
  raw.tensors["h.0.attn.c_attn.weight"].shape = {1 << 13, 3 << 13};
  raw.tensors["h.0.attn.c_attn.weight"].strides = {0, 0};
  Error error = expect_refused(raw);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("expected at most 16 times as many"));
}

}  // namespace
}  // namespace chorus::checkpoint
