#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "support/pickle_writer.h"
#include "support/safetensors_writer.h"
#include "support/scratch_folder.h"

namespace chorus::checkpoint {
namespace {

using test::FileTensors;
using test::safetensors_file;
using test::ScratchFolder;
using testing::HasSubstr;

void expect_tiny(const Result<Checkpoint>& opened, const std::string& format) {
  ASSERT_TRUE(opened) << opened.assume_error().message;
  const Checkpoint& checkpoint = opened.assume_value();
  EXPECT_EQ(checkpoint.format, format);
  EXPECT_EQ(checkpoint.config.n_head, 2);
  EXPECT_EQ(checkpoint.tensors.size(), 28u);
  EXPECT_EQ(checkpoint.tensors.at("h.1.attn.c_proj.weight").strides,
            (std::vector<std::int64_t>{1, 4}));
}

// The tensors without those of layer 1, and those alone.
std::pair<FileTensors, FileTensors> two_shards() {
  FileTensors first, second;
  for (const auto& [name, tensor] : test::tiny_gpt2()) {
    (name.starts_with("h.1.") ? second : first)["transformer." + name] = tensor;
  }
  return {first, second};
}

std::string index_of(const FileTensors& first, const FileTensors& second,
                     const std::string& second_name) {
  std::vector<std::string> map;
  for (const auto& [name, tensor] : first) {
    map.push_back(fmt::format(R"("{}": "a.safetensors")", name));
  }
  for (const auto& [name, tensor] : second) {
    map.push_back(fmt::format(R"("{}": "{}")", name, second_name));
  }
  return fmt::format(R"({{"metadata": {{}}, "weight_map": {{{}}}}})", fmt::join(map, ", "));
}

TEST(Open, ReadsAHuggingFaceFolder) {
  ScratchFolder folder;
  folder.write("config.json", test::tiny_config());
  std::string file = folder.write("model.safetensors", safetensors_file(test::tiny_gpt2()));
  expect_tiny(open(folder.path()), "huggingface");
  expect_tiny(open(folder.path() + "/"), "huggingface");
  expect_tiny(open(file), "huggingface");  // the config lies beside it
}

TEST(Open, AnAdapterBesideAModelIsSaid) {
  ScratchFolder folder;
  folder.write("config.json", test::tiny_config());
  folder.write("model.safetensors", safetensors_file(test::tiny_gpt2()));
  auto says = testing::Contains(HasSubstr("adapter_config.json) lies beside the model and is not"));
  EXPECT_THAT(open(folder.path()).value().notes, testing::Not(says));
  folder.write("adapter_config.json", R"({"peft_type": "LORA"})");
  EXPECT_THAT(open(folder.path()).value().notes, says);
}

TEST(Open, AHuggingFaceFolderFollowsTransformersUnlessItsFileSaysWhereItComesFrom) {
  ScratchFolder folder;
  folder.write("config.json", test::tiny_config());
  folder.write("model.safetensors", safetensors_file(test::tiny_gpt2()));
  EXPECT_EQ(open(folder.path()).value().origin, Origin::kTransformers);
  folder.write("model.safetensors",
               safetensors_file(test::tiny_gpt2(), R"({"chorus.origin": "nanogpt"})"));
  EXPECT_EQ(open(folder.path()).value().origin, Origin::kNanoGpt);
  folder.write("model.safetensors",
               safetensors_file(test::tiny_gpt2(), R"({"chorus.origin": "elsewhere"})"));
  EXPECT_THAT(open(folder.path()).assume_error().message,
              HasSubstr("metadata chorus.origin is 'elsewhere'; expected talk, nanogpt or"));
}

TEST(Open, ReadsShardsByTheirIndex) {
  ScratchFolder folder;
  auto [first, second] = two_shards();
  folder.write("config.json", test::tiny_config());
  folder.write("a.safetensors", safetensors_file(first));
  folder.write("b.safetensors", safetensors_file(second));
  folder.write("model.safetensors.index.json", index_of(first, second, "b.safetensors"));
  expect_tiny(open(folder.path()), "huggingface");
}

TEST(Open, RefusesWrongIndexes) {
  auto [first, second] = two_shards();
  struct Row {
    std::string index;
    const char* message;
  };
  const Row rows[] = {
      {"{", "model.safetensors.index.json: bad JSON"},
      {"{}", "'weight_map' is missing"},
      {R"({"weight_map": {"wte.weight": 1}})", "tensor 'wte.weight' a shard that is not a string"},
      {index_of(first, second, "../b.safetensors"), "'../b.safetensors' is not the plain name"},
      {index_of(first, second, "/etc/passwd"), "'/etc/passwd' is not the plain name"},
      {index_of(first, second, ".."), "'..' is not the plain name"},
      {index_of(first, second, ""), "'' is not the plain name"},
      {index_of(first, second, R"(b\u0000)"), "is not the plain name"},
      {index_of(first, second, "c.safetensors"), "c.safetensors: No such file"},
      {index_of(first, second, "a.safetensors"), "missing tensor 'transformer.h.1."},
      {index_of(first, second, "twice.safetensors"), "stands in another shard too"},
      {index_of(first, second, "config.json"), "config.json: "},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.index);
    ScratchFolder folder;
    folder.write("config.json", test::tiny_config());
    folder.write("a.safetensors", safetensors_file(first));
    folder.write("b.safetensors", safetensors_file(second));
    FileTensors both = second;
    both.insert(*first.begin());
    folder.write("twice.safetensors", safetensors_file(both));
    folder.write("model.safetensors.index.json", row.index);
    auto opened = open(folder.path());
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.assume_error().message, HasSubstr(row.message));
  }
}

// Every tensor of the tiny model over its own storage, as torch.save writes a state_dict.
std::string pytorch_file_of(const FileTensors& tensors) {
  std::vector<std::pair<std::string, std::string>> items;
  std::vector<test::ZipEntry> members;
  for (const auto& [name, tensor] : tensors) {
    std::string key = std::to_string(items.size());
    auto count = static_cast<std::int64_t>(tensor.bytes.size() / 4);
    std::vector<std::int64_t> strides = {1};
    if (tensor.shape.size() == 2) strides = {tensor.shape[1], 1};
    items.emplace_back(
        name,
        test::tensor({.key = key, .count = count, .shape = tensor.shape, .strides = strides}));
    members.push_back({.name = "archive/data/" + key, .data = tensor.bytes});
  }
  members.push_back({.name = "archive/data.pkl", .data = test::pickle(test::dict(items))});
  return test::write_zip(members);
}

std::string pytorch_model() { return pytorch_file_of(test::tiny_gpt2()); }

TEST(Open, ReadsShardsOfPytorchFilesAndOfBothFormats) {
  auto [first, second] = two_shards();
  for (bool mixed : {false, true}) {
    ScratchFolder folder;
    folder.write("config.json", test::tiny_config());
    folder.write("a.safetensors", mixed ? safetensors_file(first) : pytorch_file_of(first));
    folder.write("b.bin", pytorch_file_of(second));
    folder.write("pytorch_model.bin.index.json", index_of(first, second, "b.bin"));
    expect_tiny(open(folder.path()), "huggingface");
  }
}

TEST(Open, TheOtherNameOfATiedTensorMayBeInTheMetadata) {
  ScratchFolder folder;
  FileTensors tensors = test::tiny_gpt2();
  auto node = tensors.extract("wte.weight");
  node.key() = "lm_head.weight";
  tensors.insert(std::move(node));
  folder.write("config.json", test::tiny_config());
  folder.write("model.safetensors",
               safetensors_file(tensors, R"({"format": "pt", "wte.weight": "lm_head.weight"})"));
  expect_tiny(open(folder.path()), "huggingface");
}

TEST(Open, ReadsAHuggingFaceFolderWithAPytorchFile) {
  ScratchFolder folder;
  folder.write("config.json", test::tiny_config());
  std::string file = folder.write("pytorch_model.bin", pytorch_model());
  expect_tiny(open(folder.path()), "huggingface");
  expect_tiny(open(file), "huggingface");  // the config lies beside it
  std::filesystem::remove(folder.file("config.json"));
  expect_tiny(open(file, {.n_head = 2}), "pytorch");
  expect_tiny(open(folder.path(), {.n_head = 2}), "pytorch");
}

TEST(Open, ReadsShardsWithoutAConfig) {
  ScratchFolder folder;
  auto [first, second] = two_shards();
  folder.write("a.safetensors", pytorch_file_of(first));
  folder.write("b.bin", pytorch_file_of(second));
  folder.write("pytorch_model.bin.index.json", index_of(first, second, "b.bin"));
  expect_tiny(open(folder.path(), {.n_head = 2}), "huggingface");
  auto wrong = open(folder.path(), {.n_head = 3});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.assume_error().message, testing::StartsWith(folder.path() + ": "));
}

TEST(Open, ContentAndNotTheNameSaysWhatAFileIs) {
  ScratchFolder folder;
  folder.write("config.json", test::tiny_config());
  expect_tiny(open(folder.write("model.pt", safetensors_file(test::tiny_gpt2()))), "huggingface");
}

TEST(Open, EveryPathThatIsNoCheckpointGetsOneClearError) {
  ScratchFolder folder;
  std::string lone = folder.write("lone", safetensors_file(test::tiny_gpt2()));
  struct Row {
    std::string path;
    ErrorCode code;
    const char* message;
  };
  const Row rows[] = {
      {folder.file("absent"), ErrorCode::kNotFound, "No such file"},
      {folder.path(), ErrorCode::kNotFound, "a folder without config.json"},
      {folder.write("empty", ""), ErrorCode::kUnsupported, "not a checkpoint (0 bytes)"},
      {folder.write("text", "Once upon a time"), ErrorCode::kUnsupported, "not a checkpoint"},
      {folder.write("brace", "Once up {n a time"), ErrorCode::kUnsupported, "not a checkpoint"},
      {folder.write("settings.json", "{\"n_layer\": 1}"), ErrorCode::kUnsupported,
       "give the folder"},
      {lone, ErrorCode::kUnsupported, "without a config; expected 'chorus.config'"},
      {folder.write("loss", safetensors_file(test::tiny_gpt2(),
                                             R"({"chorus.config": "{}", "chorus.val_loss": "x"})")),
       ErrorCode::kCorrupt, "loss: metadata chorus.val_loss is 'x'; expected a number"},
      {folder.write("config", safetensors_file(test::tiny_gpt2(), R"({"chorus.config": "{"})")),
       ErrorCode::kCorrupt, "config: metadata chorus.config: bad JSON"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.path);
    auto opened = open(row.path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.assume_error().code, row.code);
    EXPECT_THAT(opened.assume_error().message, HasSubstr(row.message));
    EXPECT_THAT(opened.assume_error().message, testing::StartsWith(folder.path()));
  }
  folder.write("config.json", test::tiny_config());
  auto no_weights = open(folder.path());
  ASSERT_FALSE(no_weights);
  EXPECT_THAT(no_weights.assume_error().message, HasSubstr("a folder without weights"));
}

}  // namespace
}  // namespace chorus::checkpoint
