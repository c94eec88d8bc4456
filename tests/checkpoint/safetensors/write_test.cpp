#include "checkpoint/safetensors/write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "checkpoint/element.h"
#include "checkpoint/safetensors/safetensors.h"
#include "support/safetensors_writer.h"
#include "support/scratch_folder.h"

namespace chorus::checkpoint {
namespace {

using test::FileTensors;
using test::ScratchFolder;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Checkpoint open_or_fail(const std::string& path) {
  auto opened = open(path);
  EXPECT_TRUE(opened) << opened.assume_error().message;
  return opened ? opened.assume_value() : Checkpoint{};
}

// A checkpoint out of tensors in Hugging Face's layout.
Checkpoint model_of(const ScratchFolder& folder, const FileTensors& tensors) {
  folder.write("config.json", test::tiny_config());
  return open_or_fail(folder.write("source", test::safetensors_file(tensors)));
}

std::vector<float> elements_by_stride(const Tensor& tensor) {
  std::vector<float> result;
  std::int64_t columns = tensor.shape.back();
  for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
    std::int64_t place = i % columns * tensor.strides.back();
    if (tensor.shape.size() == 2) place += i / columns * tensor.strides[0];
    result.push_back(load_element(
        tensor.dtype,
        tensor.data.data() + static_cast<std::size_t>(place) * block_bytes(tensor.dtype)));
  }
  return result;
}

void expect_same_elements(const Checkpoint& left, const Checkpoint& right) {
  ASSERT_EQ(left.tensors.size(), right.tensors.size());
  for (const auto& [name, tensor] : left.tensors) {
    ASSERT_TRUE(right.tensors.contains(name)) << name;
    EXPECT_EQ(tensor.shape, right.tensors.at(name).shape) << name;
    EXPECT_EQ(elements_by_stride(tensor), elements_by_stride(right.tensors.at(name))) << name;
  }
}

// `input` written and opened again, in a folder without a config.json.
Checkpoint round_trip(const ScratchFolder& folder, const Checkpoint& input, NumberFormat dtype) {
  std::string path = folder.file("out");
  auto written = write_safetensors(input, path, dtype);
  EXPECT_TRUE(written) << written.assume_error().message;
  if (!written) return {};
  EXPECT_EQ(written.assume_value(), std::filesystem::file_size(path));
  return open_or_fail(path);
}

TEST(WriteSafetensors, WhatIsWrittenOpensAloneAndIsTheSame) {
  ScratchFolder source, target;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  input.step = 19072;
  input.origin = Origin::kNanoGpt;
  input.val_loss = 0.1 + 0.2;
  input.config.activation = Activation::kRelu;
  Checkpoint output = round_trip(target, input, NumberFormat::kF32);
  EXPECT_EQ(output.format, "safetensors");
  EXPECT_EQ(output.step, 19072);
  EXPECT_EQ(output.origin, Origin::kNanoGpt);
  EXPECT_EQ(output.val_loss, 0.1 + 0.2);
  EXPECT_EQ(output.config.activation, Activation::kRelu);
  EXPECT_EQ(output.config.n_head, 2);
  expect_same_elements(input, output);
  EXPECT_EQ(target.file_count(), 1u);
}

TEST(WriteSafetensors, WhatWasAssumedStaysSo) {
  ScratchFolder source, target;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  EXPECT_THAT(round_trip(target, input, NumberFormat::kF32).notes,
              Not(Contains(HasSubstr("assumed"))));
  input.sources["n_head"] = input.sources["activation_function"] = ValueSource::kAssumed;
  Checkpoint output = round_trip(target, input, NumberFormat::kBf16);
  EXPECT_EQ(output.config.n_head, 2);
  EXPECT_EQ(output.sources.at("n_head"), ValueSource::kAssumed);
  EXPECT_EQ(output.sources.at("activation_function"), ValueSource::kAssumed);
  EXPECT_EQ(output.sources.at("n_layer"), ValueSource::kStated);
  EXPECT_THAT(output.notes, Contains(HasSubstr("n_head was not stated when the file was made")));
  EXPECT_THAT(output.notes, Contains(HasSubstr("--activation says otherwise")));

  auto other = open(target.file("out"), {.n_head = 1});
  ASSERT_TRUE(other) << other.assume_error().message;
  EXPECT_EQ(other.assume_value().config.n_head, 1);
  EXPECT_EQ(other.assume_value().sources.at("n_head"), ValueSource::kOption);
}

TEST(WriteSafetensors, TheFileServesInAHuggingFaceFolder) {
  ScratchFolder source, target;
  FileTensors tensors = test::tiny_gpt2();
  Checkpoint input = model_of(source, tensors);
  round_trip(target, input, NumberFormat::kF32);
  auto bytes = map_file(target.file("out"));
  ASSERT_TRUE(bytes);
  auto content = read_safetensors(bytes.assume_value());
  ASSERT_TRUE(content);
  ASSERT_EQ(content.assume_value().tensors.size(), tensors.size());
  for (const auto& [name, tensor] : content.assume_value().tensors) {
    EXPECT_EQ(tensor.shape, tensors.at(name).shape) << name;
    std::string_view data(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    EXPECT_EQ(data, tensors.at(name).bytes) << name;
  }
  EXPECT_EQ(content.assume_value().metadata.at("format"), "pt");
}

TEST(WriteSafetensors, PytorchsLayoutIsTransposedAlsoWhereTheMatrixIsSquare) {
  ScratchFolder source, target;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  for (auto& [name, tensor] : input.tensors) {  // as if the file had it as [outputs, inputs]
    if (tensor.shape.size() == 2) tensor.strides = {tensor.shape[1], 1};
  }
  expect_same_elements(input, round_trip(target, input, NumberFormat::kF32));
}

TEST(WriteSafetensors, HalvesAreRoundedOnceAndThenStayTheSame) {
  ScratchFolder source, target;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  for (NumberFormat dtype : {NumberFormat::kBf16, NumberFormat::kF16}) {
    Checkpoint half = round_trip(target, input, dtype);
    EXPECT_EQ(common_dtype(half), dtype);
    const Tensor& bias = half.tensors.at("h.1.mlp.c_proj.bias");  // holds 28000, ...
    float expected = dtype == NumberFormat::kBf16 ? bf16_to_f32(f32_to_bf16(28001)) : 28000;
    EXPECT_EQ(elements_by_stride(bias)[1], expected);
    ScratchFolder again;
    expect_same_elements(half, round_trip(again, half, NumberFormat::kF32));
  }
}

TEST(WriteSafetensors, TheSameCheckpointGivesTheSameBytesAndAnAlignedHeader) {
  ScratchFolder source, first, second;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  round_trip(first, input, NumberFormat::kBf16);
  round_trip(second, input, NumberFormat::kBf16);
  std::string bytes = test::read_file(first.file("out"));
  EXPECT_EQ(bytes, test::read_file(second.file("out")));
  auto data_size = static_cast<std::size_t>(input.parameter_count()) * 2;
  EXPECT_EQ((bytes.size() - data_size) % 64, 0u);
}

TEST(WriteSafetensors, AWeightTooLargeForTheTypeIsRefusedByNameAndLeavesNoFile) {
  ScratchFolder source, target;
  FileTensors tensors = test::tiny_gpt2();
  tensors["h.1.ln_2.weight"] = test::counting({4}, 65520.0f);
  Checkpoint input = model_of(source, tensors);
  auto written = write_safetensors(input, target.file("out"), NumberFormat::kF16);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.assume_error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(written.assume_error().message,
              HasSubstr("tensor 'h.1.ln_2.weight' holds 65520, which is too large for f16"));
  EXPECT_EQ(target.file_count(), 0u);
  EXPECT_TRUE(write_safetensors(input, target.file("out"), NumberFormat::kBf16));
}

// Files of this process may not grow beyond some bytes while it lives: a full disk, in small.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    handler_ = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(WriteSafetensors, AFailedWriteGivesTheSystemsReasonAndKeepsTheOldFile) {
  ScratchFolder source, target;
  Checkpoint input = model_of(source, test::tiny_gpt2());
  std::string path = target.write("out", "old");
  auto written = [&] {
    FileSizeLimit limit(2048);
    return write_safetensors(input, path, NumberFormat::kF32);
  }();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.assume_error().code, ErrorCode::kIo);
  EXPECT_EQ(written.assume_error().message, path + ": File too large");
  EXPECT_EQ(test::read_file(path), "old");
  EXPECT_EQ(target.file_count(), 1u);
}

}  // namespace
}  // namespace chorus::checkpoint
