// Where in a file the weights are, and what may lie beside them.
#include "checkpoint/pytorch/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/raw.h"
#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;
using namespace test;
using testing::HasSubstr;
using Items = std::vector<std::pair<std::string, std::string>>;

Result<RawCheckpoint> read_saved(const std::string& saved) {
  return read_pytorch(copy_bytes("file.pt", pytorch_file(pickle(saved))));
}

std::string weights(const std::string& prefix = "") {
  return dict({{prefix + "wte.weight", tensor()}, {prefix + "h.0.ln_1.weight", tensor()}});
}

void expect_weights(const std::string& saved, const std::string& name = "wte.weight",
                    std::size_t note_count = 0) {
  Result<RawCheckpoint> raw = read_saved(saved);
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_TRUE(raw.assume_value().tensors.contains(name));
  EXPECT_EQ(raw.assume_value().tensors.size(), 2u);
  EXPECT_EQ(raw.assume_value().notes.size(), note_count);
}

TEST(StateDict, MayStandUnderAnyKey) {
  expect_weights(weights());
  for (const char* key : {"model", "state_dict", "model_state_dict", "module", "net", "weights"}) {
    SCOPED_TRACE(key);
    expect_weights(dict({{"epoch", integer(3)}, {key, weights()}}));
    expect_weights(dict({{"checkpoint", dict({{key, weights()}})}}));
    expect_weights(dict({{key, weights("module.transformer.")}}), "module.transformer.wte.weight");
  }
}

TEST(StateDict, MayBeAnElementOfATuple) {
  expect_weights(tuple({weights(), dict({{"lr", real(0.1)}})}));
}

TEST(StateDict, MayBeADictForEachModule) {
  std::string layer = dict({{"ln_1", dict({{"weight", tensor()}})}});
  std::string saved =
      dict({{"transformer",
             dict({{"wte", dict({{"weight", tensor()}})}, {"h", "}"s + integer(0) + layer + "s"}})},
            {"optimizer", dict({{"state", tensor()}})}});
  Result<RawCheckpoint> raw = read_saved(saved);
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_TRUE(raw.assume_value().tensors.contains("wte.weight"));
  EXPECT_TRUE(raw.assume_value().tensors.contains("h.0.ln_1.weight"));
}

TEST(StateDict, MayBeAnObjectThatIsFilledAsADict) {
  for (std::string made :
       {call(global("my.module", "AttrDict"), {}), global("collections", "OrderedDict") + ")R"s}) {
    expect_weights(dict({{"model", made + "(" + text("wte.weight") + tensor() +
                                       text("h.0.ln_1.weight") + tensor() + "u"}}));
  }
}

TEST(StateDict, AveragesAndWhatIsCalledOtherwiseArePassedOverAndSaidSo) {
  expect_weights(dict({{"ema", weights()}, {"model", weights("m.")}}), "m.wte.weight", 1);
  expect_weights(dict({{"ema_state_dict", weights()}, {"net", weights("m.")}}), "m.wte.weight", 1);
  expect_weights(dict({{"best", weights()}, {"model", weights("m.")}}), "m.wte.weight", 1);
  expect_weights(dict({{"model_ema", weights("m.")}}), "m.wte.weight", 1);
}

TEST(StateDict, OptimizersByNameAreNoModel) {
  std::string state = dict({{"wte.weight", dict({{"exp_avg", tensor()}})}});
  expect_weights(dict({{"optimizer", dict({{"state", weights()}})},
                       {"optim_state_dict", weights()},
                       {"model", weights()}}));
  expect_weights(dict({{"adam", state}, {"model", weights()}}));
}

TEST(StateDict, TwoOfEqualRightAreRefused) {
  Result<RawCheckpoint> raw = read_saved(dict({{"actor", weights()}, {"critic", weights()}}));
  ASSERT_FALSE(raw);
  EXPECT_THAT(raw.assume_error().message, HasSubstr("weights are under both 'actor' and 'critic'"));
}

TEST(StateDict, ObjectsOfAnyClassMayLieBesideTheWeights) {
  const std::string values[] = {
      call(global("pathlib", "PosixPath"), {text("/home"), text("me")}),
      call(global("datetime", "datetime"), {bytes("\x07\xe9\x01\x01\1\1\1\1\1\1"s)}),
      call(global("__main__", "Mode"), {integer(1)}),
      call(global("builtins", "getattr"), {global("enum", "Mode"), text("ON")}),
      call(global("collections", "deque"), {list({}), integer(5)}) + "(" + integer(1) + "e",
      global("copyreg", "_reconstructor") +
          tuple({global("a", "B"), global("builtins", "object"), "N"}) + "R}b",
      call(global("omegaconf.dictconfig", "DictConfig"), {}) + dict({{"_content", "}"}}) + "b",
      call(global("functools", "partial"), {global("torch.nn.functional", "gelu")}),
      call(global("numpy.core.multiarray", "_reconstruct"),
           {global("numpy", "ndarray"), tuple({integer(0)}), bytes("b")}) +
          tuple({integer(1), tuple({integer(2)}), call(global("numpy", "dtype"), {text("O8")}),
                 "\x89", list({"N", "N"})}) +
          "b",
      call(global("torch", "device"), {text("cuda"), integer(0)}),
      call(call(global("m", "make"), {}), {integer(1)}),
      text("\xed\xa0\x80"),
  };
  for (const std::string& value : values) {
    expect_weights(dict({{"beside", value}, {"model", weights()}, {"list", list({value})}}));
  }
}

TEST(StateDict, AWeightOfAStrangeClassIsToldOf) {
  Result<RawCheckpoint> raw =
      read_saved(dict({{"wte.weight", call(global("torch.distributed.tensor", "DTensor"), {})},
                       {"wpe.weight", tensor()}}));
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_EQ(raw.assume_value().other_tensors.at("wte.weight").type,
            "torch.distributed.tensor.DTensor");
}

TEST(StateDict, FunctionsThatActOnTheMachineAreRefusedWhereverTheyStand) {
  for (auto [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"subprocess", "Popen"},
                                                        {"urllib.request", "urlopen"},
                                                        {"__builtin__", "exec"},
                                                        {"pickle", "loads"}}) {
    SCOPED_TRACE(module + "." + name);
    Result<RawCheckpoint> raw =
        read_saved(dict({{"model", weights()}, {"x", call(global(module, name), {})}}));
    ASSERT_FALSE(raw);
    EXPECT_THAT(raw.assume_error().message,
                HasSubstr("global " + module + "." + name + " is not allowed"));
  }
}

TEST(StateDict, AConfigMayBeAnObjectOfAnyClass) {
  const std::string fields = dict({{"n_head", integer(5)}});
  const std::string configs[] = {
      fields,
      call(global("__main__", "ModelConfig"), {}) + fields + "b",
      global("my.config", "Config") + ")\x81" + fields + "b",
      global("my.config", "Slots") + ")\x81" + tuple({"N", fields}) + "b",
      global("pydantic", "Model") + ")\x81" + dict({{"__dict__", fields}}) + "b",
      call(global("easydict", "EasyDict"), {}) + "(" + text("n_head") + integer(5) + "u",
  };
  for (const std::string& config : configs) {
    Result<RawCheckpoint> raw = read_saved(dict({{"model", weights()}, {"config", config}}));
    ASSERT_TRUE(raw) << raw.assume_error().message;
    EXPECT_EQ(raw.assume_value().config.n_head, 5);
  }
}

// Dicts in each other, many times: each is visited once.
TEST(StateDict, SharedDictsAreVisitedOnce) {
  std::string saved = weights() + "q\1";
  for (int level = 0; level < 15; ++level) {
    saved += "0}(";
    for (int i = 0; i < 20; ++i) saved += text(std::string(1, static_cast<char>('a' + i))) + "h\1";
    saved += "uq\1";
  }
  expect_weights(saved);
}

TEST(StateDict, ADictInItselfIsVisitedOnce) {
  expect_weights("}q\1(" + text("self") + "h\1" + text("model") + weights() + "u");
}

TEST(StateDict, TheNumberOfTensorsIsBounded) {
  std::string saved = "}(" + text("k") + "q\1" + tensor() + "q\2";
  for (int i = 0; i < (1 << 18) + 1; ++i) saved += "h\1h\2";
  Result<RawCheckpoint> raw = read_saved(saved + "u");
  ASSERT_FALSE(raw);
  EXPECT_THAT(raw.assume_error().message, HasSubstr("more than 262144 tensors"));
}

}  // namespace
}  // namespace chorus::checkpoint
