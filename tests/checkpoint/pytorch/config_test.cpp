// Where configs stand in a PyTorch checkpoint, and what they are made of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/raw.h"
#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace test;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using Items = std::vector<std::pair<std::string, std::string>>;

// A file with a tensor and these items beside it.
Result<RawCheckpoint> read_beside(Items items) {
  items.emplace_back("model", dict({{"w", tensor()}}));
  return read_pytorch(copy_bytes("file.pt", pytorch_file(pickle(dict(items)))));
}

RawCheckpoint beside(const Items& items) {
  Result<RawCheckpoint> raw = read_beside(items);
  EXPECT_TRUE(raw) << raw.assume_error().message;
  return raw ? std::move(raw).assume_value() : RawCheckpoint{};
}

std::string beside_error(const Items& items) {
  Result<RawCheckpoint> raw = read_beside(items);
  EXPECT_FALSE(raw);
  return raw ? "no error" : raw.assume_error().message;
}

std::string fields_object(const std::string& module, const std::string& name, const Items& items) {
  return call(global(module, name), {}) + dict(items) + "b";
}

const Items kHeads3 = {{"n_heads", integer(3)}};

TEST(PytorchConfig, IsFoundWhereverProgramsPutIt) {
  for (const char* place : {"model_args", "config", "hyper_parameters", "hparams", "args",
                            "model_config", "gpt_config", "cfg", "params", "hyperparameters"}) {
    SCOPED_TRACE(place);
    EXPECT_EQ(beside({{place, dict(kHeads3)}}).config.n_head, 3);
    EXPECT_EQ(beside({{place, fields_object("argparse", "Namespace", kHeads3)}}).config.n_head, 3);
    EXPECT_EQ(beside({{place, fields_object("m", "GPTConfig", kHeads3)}}).config.n_head, 3);
    for (const char* inner : {"config", "model", "model_config", "args", "anything"}) {
      EXPECT_EQ(beside({{place, dict({{inner, dict(kHeads3)}})}}).config.n_head, 3) << inner;
    }
  }
  EXPECT_EQ(beside({{"n_head", integer(3)}}).config.n_head, 3);
  EXPECT_EQ(beside({{"step", integer(3)}, {"flux", integer(1)}}).config.notes.size(), 0u);
}

TEST(PytorchConfig, IdsThatBeginAndEndATextAreItsOwn) {
  RawCheckpoint raw =
      beside({{"model_args", dict({{"n_head", integer(3)}, {"eos_token_id", integer(5)}})},
              {"config", dict({{"eos_token_id", integer(6)},
                               {"bos_token_id", list({integer(7)})},
                               {"pad_token_id", "N"}})}});
  EXPECT_EQ(raw.tokenizer_hints.token_ids, R"({"bos_token_id":[7],"eos_token_id":[5]})");
  raw = beside({{"config", dict({{"eos_token_id", text("</s>")}, {"bos_token_id", "N"}})}});
  EXPECT_EQ(raw.tokenizer_hints.token_ids, "");
  EXPECT_THAT(raw.config.notes, Contains(HasSubstr("eos_token_id = '</s>'")));
}

TEST(PytorchConfig, TheKindIsToldByWhereItStands) {
  EXPECT_EQ(beside({{"model_args", dict(kHeads3)}}).origin, Origin::kNanoGpt);
  EXPECT_EQ(beside({{"model_args", dict(kHeads3)}}).config.kind, Origin::kNanoGpt);
  EXPECT_EQ(beside({{"config", dict(kHeads3)}}).config.kind, Origin::kTalk);
  EXPECT_EQ(beside({{"args", dict(kHeads3)}}).config.kind, std::nullopt);
  EXPECT_EQ(beside({{"args", dict(kHeads3)}}).origin, Origin::kTalk);
  EXPECT_EQ(beside({{"config", dict({{"transformers_version", text("4.57.0")}})}}).origin,
            Origin::kTransformers);
  EXPECT_EQ(beside({}).config.kind, std::nullopt);
}

TEST(PytorchConfig, TheModelsOwnFieldsComeBeforeATrainingProgramsFlags) {
  RawCheckpoint raw =
      beside({{"config", dict({{"n_head", integer(12)},
                               {"activation", text("relu")},
                               {"flux", integer(1)},
                               {"block_size", text("no number")}})},
              {"model_args", dict({{"n_head", integer(3)}, {"block_size", integer(8)}})}});
  EXPECT_EQ(raw.config.n_head, 3);
  EXPECT_EQ(raw.config.block_size, 8);
  EXPECT_EQ(raw.config.activation, Activation::kRelu);  // what the model's own leaves open
  EXPECT_THAT(raw.config.notes, IsEmpty());
  EXPECT_THAT(
      beside_error({{"config", dict({{"use_rope", "\x88"}})}, {"model_args", dict(kHeads3)}}),
      HasSubstr("config field config.use_rope is true: it asks for rotary positions"));
  // Two of one rank must agree.
  EXPECT_THAT(beside_error({{"config", dict({{"n_head", integer(4)}})}, {"args", dict(kHeads3)}}),
              HasSubstr("config.n_head and args.n_heads are two names of one thing and disagree"));
}

TEST(PytorchConfig, ActivationsMayBeFunctionsClassesAndModules) {
  const std::pair<std::string, Activation> rows[] = {
      {text("gelu_new"), Activation::kGeluTanh},
      {global("torch._C._nn", "gelu"), Activation::kGeluErf},
      {global("torch.nn.functional", "relu"), Activation::kRelu},
      {global("torch.nn.modules.activation", "GELU"), Activation::kGeluErf},
      {fields_object("torch.nn.modules.activation", "GELU", {{"approximate", text("none")}}),
       Activation::kGeluErf},
      {fields_object("torch.nn.modules.activation", "GELU", {{"approximate", text("tanh")}}),
       Activation::kGeluTanh},
      {fields_object("torch.nn.modules.activation", "ReLU", {{"inplace", "\x89"}}),
       Activation::kRelu},
  };
  for (const auto& [value, activation] : rows) {
    EXPECT_EQ(beside({{"config", dict({{"activation", value}})}}).config.activation, activation);
  }
  EXPECT_THAT(beside_error({{"config", dict({{"act", global("torch.nn.functional", "silu")}})}}),
              HasSubstr("config field config.act is torch.nn.functional.silu; expected gelu_new"));
  EXPECT_THAT(beside_error({{"config", dict({{"activation", integer(1)}})}}),
              HasSubstr("config.activation has the wrong type"));
}

TEST(PytorchConfig, PresetsOfMinGptTellTheHeads) {
  RawCheckpoint raw = beside({{"config", dict({{"model_type", text("gpt-mini")}})}});
  EXPECT_EQ(raw.config.preset_n_head, 6);
  EXPECT_THAT(beside_error({{"config", dict({{"model_type", text("llama")}})}}),
              HasSubstr("config.model_type is 'llama'; expected 'gpt2'"));
}

TEST(PytorchConfig, LibrariesKeepTheirFieldsInOneAttribute) {
  std::string any_node = fields_object("argparse", "Namespace", {{"_val", integer(3)}});
  std::string content =
      fields_object("argparse", "Namespace", {{"_content", dict({{"n_head", any_node}})}});
  EXPECT_EQ(beside({{"hyper_parameters", content}}).config.n_head, 3);
}

TEST(PytorchConfig, ModulesAndOptimizersAreNotLookedInto) {
  std::string module =
      fields_object("argparse", "Namespace", {{"_modules", dict({})}, {"n_head", integer(5)}});
  RawCheckpoint raw =
      beside({{"hyper_parameters", dict({{"net", module},
                                         {"optimizer", dict({{"n_head", integer(7)}})},
                                         {"n_head", integer(3)}})}});
  EXPECT_EQ(raw.config.n_head, 3);
  EXPECT_THAT(raw.config.notes, Contains(HasSubstr("hyper_parameters.net = argparse.Namespace")));
}

TEST(PytorchConfig, ValuesThatHoldThemselvesAndVeryManyEndAtABound) {
  // A dict in itself, and one of two references to the next, forty times: 2^40 paths.
  std::string cycle = "}q\x01" + text("model") + "h\x01s";
  EXPECT_FALSE(beside({{"config", cycle}}).config.n_head);
  std::string shared = dict({{"n_layer", integer(1)}}) + "q\x02";
  for (int i = 0; i < 40; ++i) shared = "}(" + text("a") + shared + text("b") + "h\x02u" + "q\x02";
  EXPECT_FALSE(beside({{"config", shared}}).config.n_head);
}

}  // namespace
}  // namespace chorus::checkpoint
