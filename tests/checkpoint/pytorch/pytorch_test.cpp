// The committed files under data/ were written by a real PyTorch: see
// tests/torch/make_pytorch_checkpoints.py, which also says what every element must be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/raw.h"
#include "core/half.h"
#include "support/shared_data.h"

namespace chorus::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<RawCheckpoint> read_file(const std::string& path) {
  CHORUS_TRY(Bytes bytes, map_file(path));
  EXPECT_TRUE(looks_like_pytorch(bytes)) << path;
  return read_pytorch(bytes);
}

std::string data_path(const std::string& name) {
  return std::string(CHORUS_SOURCE_DIR) + "/tests/checkpoint/data/" + name + ".pt";
}

RawCheckpoint read_data(const std::string& name) {
  Result<RawCheckpoint> raw = read_file(data_path(name));
  if (!raw) {
    ADD_FAILURE() << raw.assume_error().message;
    return {};
  }
  return std::move(raw).assume_value();
}

float element_at(const Tensor& tensor, std::int64_t index) {
  std::int64_t place = 0;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    place += index % tensor.shape[i] * tensor.strides[i];
    index /= tensor.shape[i];
  }
  std::size_t size = block_bytes(tensor.dtype);
  auto bytes = tensor.data.subspan(static_cast<std::size_t>(place) * size, size);
  std::uint16_t half = 0;
  float result = 0;
  if (size == 4) {
    std::memcpy(&result, bytes.data(), 4);
    return result;
  }
  std::memcpy(&half, bytes.data(), 2);
  return tensor.dtype == NumberFormat::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
}

std::vector<float> elements(const Tensor& tensor) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < tensor.element_count(); ++i) result.push_back(element_at(tensor, i));
  return result;
}

// What fill() of make_pytorch_checkpoints.py gives element `index` of the tensor `name`.
float filled(const std::string& name, std::int64_t index) {
  return static_cast<float>((index * 7 + static_cast<std::int64_t>(name.size())) % 61 - 30);
}

void expect_filled(const RawCheckpoint& raw, const std::string& name, const std::string& filled_as,
                   std::vector<std::int64_t> shape, NumberFormat dtype = NumberFormat::kF32) {
  SCOPED_TRACE(name);
  ASSERT_TRUE(raw.tensors.contains(name));
  const Tensor& tensor = raw.tensors.at(name);
  EXPECT_EQ(tensor.dtype, dtype);
  EXPECT_EQ(tensor.shape, shape);
  for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
    ASSERT_EQ(element_at(tensor, i), filled(filled_as, i)) << i;
  }
}

// All tensors of the script's model, under `prefix`.
void expect_model(const RawCheckpoint& raw, const std::string& prefix, bool bias,
                  NumberFormat dtype = NumberFormat::kF32) {
  auto expect = [&](const std::string& name, std::vector<std::int64_t> shape) {
    expect_filled(raw, prefix + name, name, std::move(shape), dtype);
  };
  // The tied pair is filled under the name that named_parameters() gives it.
  expect_filled(raw, prefix + "lm_head.weight", "transformer.wte.weight", {11, 4}, dtype);
  expect("transformer.wte.weight", {11, 4});
  expect("transformer.wpe.weight", {3, 4});
  std::map<std::string, std::vector<std::int64_t>> layers = {{"h.0.ln_1", {4}},
                                                             {"h.0.ln_2", {4}},
                                                             {"ln_f", {4}},
                                                             {"h.0.attn.c_attn", {12, 4}},
                                                             {"h.0.attn.c_proj", {4, 4}},
                                                             {"h.0.mlp.c_fc", {16, 4}},
                                                             {"h.0.mlp.c_proj", {4, 16}}};
  for (const auto& [name, shape] : layers) {
    expect("transformer." + name + ".weight", shape);
    if (bias) expect("transformer." + name + ".bias", {shape[0]});
  }
  EXPECT_EQ(raw.tensors.size(), 3 + layers.size() * (bias ? 2 : 1));
  EXPECT_EQ(raw.format, "pytorch");
  EXPECT_FALSE(raw.conv1d_layout);
}

void expect_config(const ConfigFields& config) {
  EXPECT_EQ(config.block_size, 3);
  EXPECT_EQ(config.vocab_size, 11);
  EXPECT_EQ(config.n_layer, 1);
  EXPECT_EQ(config.n_head, 2);
  EXPECT_EQ(config.n_embd, 4);
  EXPECT_FALSE(config.n_inner);
}

TEST(Pytorch, ReadsBuildNanogptsForm) {
  RawCheckpoint raw = read_data("build_nanogpt");
  expect_model(raw, "", true);
  expect_config(raw.config);
  EXPECT_FALSE(raw.config.bias);
  EXPECT_EQ(raw.origin, Origin::kTalk);
  EXPECT_EQ(raw.step, 19072);
  EXPECT_EQ(raw.val_loss, 3.0723);
  EXPECT_EQ(raw.path, data_path("build_nanogpt"));
}

TEST(Pytorch, ReadsAGptConfigObjectInEveryProtocol) {
  for (const char* protocol : {"2", "3", "4", "5"}) {
    SCOPED_TRACE(protocol);
    RawCheckpoint raw = read_data(std::string("gpt_config_protocol") + protocol);
    expect_model(raw, "", true);
    expect_config(raw.config);
    EXPECT_EQ(raw.step, 19072);
  }
}

TEST(Pytorch, ReadsNanogptsFormAndNotItsTrainingFlags) {
  RawCheckpoint raw = read_data("nanogpt");
  expect_model(raw, "_orig_mod.", false);
  expect_config(raw.config);
  EXPECT_EQ(raw.config.bias, false);
  EXPECT_EQ(raw.origin, Origin::kNanoGpt);
  EXPECT_EQ(raw.step, 250);
  EXPECT_EQ(raw.val_loss, 1.5);
}

TEST(Pytorch, ReadsABareStateDictInBothHalfPrecisions) {
  RawCheckpoint raw = read_data("state_dict_f16");
  expect_model(raw, "", true, NumberFormat::kF16);
  EXPECT_FALSE(raw.config.n_layer);
  EXPECT_FALSE(raw.step);
  EXPECT_FALSE(raw.val_loss);
  expect_model(read_data("state_dict_bf16"), "", true, NumberFormat::kBf16);
}

TEST(Pytorch, TiedTensorsViewTheSameBytes) {
  RawCheckpoint raw = read_data("build_nanogpt");
  EXPECT_EQ(raw.tensors["lm_head.weight"].data.data(),
            raw.tensors["transformer.wte.weight"].data.data());
}

TEST(Pytorch, RespectsOffsetsStridesAndSharedStorages) {
  RawCheckpoint raw = read_data("views");
  const Tensor& rows = raw.tensors.at("rows");
  EXPECT_THAT(rows.shape, ElementsAre(3, 4));
  for (std::int64_t i = 0; i < 12; ++i) EXPECT_EQ(element_at(rows, i), filled("base", 8 + i));
  const Tensor& transposed = raw.tensors.at("transposed");
  EXPECT_THAT(transposed.shape, ElementsAre(4, 6));
  EXPECT_FALSE(transposed.is_contiguous());
  for (std::int64_t i = 0; i < 24; ++i) {
    EXPECT_EQ(element_at(transposed, i), filled("base", i % 6 * 4 + i / 6));
  }
  EXPECT_EQ(rows.data.data(), transposed.data.data() + 32);
  EXPECT_THAT(elements(raw.tensors.at("column")),
              ElementsAre(filled("base", 1), filled("base", 5), filled("base", 9),
                          filled("base", 13), filled("base", 17), filled("base", 21)));
  EXPECT_THAT(elements(raw.tensors.at("expanded")), ElementsAre(5, 5, 5));
}

TEST(Pytorch, ReadsParametersScalarsAndEmptyTensors) {
  RawCheckpoint raw = read_data("views");
  expect_filled(raw, "parameter", "parameter", {2, 3});
  expect_filled(raw, "attribute", "attribute", {2});
  expect_filled(raw, "half", "half", {3, 2}, NumberFormat::kF16);
  expect_filled(raw, "brain", "brain", {3, 2}, NumberFormat::kBf16);
  EXPECT_THAT(elements(raw.tensors.at("scalar")), ElementsAre(2));
  EXPECT_TRUE(raw.tensors.at("scalar").shape.empty());
  EXPECT_THAT(raw.tensors.at("empty").shape, ElementsAre(0, 4));
  EXPECT_TRUE(raw.tensors.at("empty").data.empty());
}

TEST(Pytorch, NamesTheTypesOfTensorsThatCannotBeWeights) {
  std::map<std::string, std::string> expected = {
      {"double", "float64"}, {"ids", "int64"}, {"mask", "bool"}};
  std::map<std::string, std::string> found;
  for (const auto& [name, tensor] : read_data("views").other_tensors) found[name] = tensor.type;
  EXPECT_EQ(found, expected);
}

TEST(Pytorch, ReadsNumbersHoweverTheyAreStored) {
  for (const char* name : {"scalars_protocol2", "scalars_protocol5"}) {
    SCOPED_TRACE(name);
    RawCheckpoint raw = read_data(name);
    EXPECT_EQ(raw.config.n_layer, 1);
    EXPECT_EQ(raw.config.n_head, 2);
    EXPECT_EQ(raw.config.n_embd, 2);
    EXPECT_EQ(raw.step, -7);
    EXPECT_EQ(raw.val_loss, 2.5);
  }
}

TEST(Pytorch, ReadsTheFormatBeforeVersion16) {
  RawCheckpoint raw = read_data("legacy");
  EXPECT_FALSE(raw.tensors.empty());
}

TEST(Pytorch, ReadsTheStoryteller) {
  CHORUS_NEEDS_SHARED("models/storyteller.pt");
  Result<RawCheckpoint> read = read_file(test::shared_path("models/storyteller.pt"));
  ASSERT_TRUE(read) << read.assume_error().message;
  const RawCheckpoint& raw = read.assume_value();
  EXPECT_EQ(raw.step, 4037);
  EXPECT_EQ(raw.val_loss, 4.027576506137848);
  EXPECT_EQ(raw.config.n_layer, 6);
  EXPECT_EQ(raw.config.n_head, 4);
  EXPECT_EQ(raw.config.n_embd, 128);
  EXPECT_EQ(raw.config.block_size, 1024);
  EXPECT_EQ(raw.config.vocab_size, 50304);
  EXPECT_THAT(raw.tensors.at("transformer.wte.weight").shape, ElementsAre(50304, 128));
  EXPECT_EQ(raw.tensors.at("lm_head.weight").data.data(),
            raw.tensors.at("transformer.wte.weight").data.data());
}

}  // namespace
}  // namespace chorus::checkpoint
