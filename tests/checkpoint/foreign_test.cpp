// What is not read is recognised by its content, and each message says what to do.
#include "checkpoint/foreign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "checkpoint/checkpoint.h"
#include "support/safetensors_writer.h"
#include "support/scratch_folder.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;
using test::ScratchFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') +
    "\nsize 548105171\n";

std::string refusal(const std::string& path) {
  auto opened = open(path);
  return opened ? "opened" : opened.assume_error().message;
}

TEST(Foreign, FilesAreRecognisedByTheirContent) {
  struct Row {
    std::string content;
    const char* what;
    const char* way_out;
  };
  const Row rows[] = {
      {kPointer, "is a Git LFS pointer of 134 bytes, not the file itself, which has 548105171",
       "git lfs pull"},
      {"<!DOCTYPE html><html>", "is a web page", "download it again"},
      {"\xef\xbb\xbf \n<HTML lang='en'>", "is a web page", "download it again"},
      {"<?xml version='1.0'?><Error><Code>AccessDenied", "is a web page or an error", "again"},
      {"GGUF\3\0\0\0"s, "a GGUF file", "give the model that it was made from"},
      {"tjgg\1\0\0\0"s, "a GGML file", "give the model that it was made from"},
      {"\x89HDF\r\n\x1a\n...", "an HDF5 file", "from_tf=True"},
      {"\xc6\xd7\x34\x01\3\0\0\0"s, "a model file of llm.c", "export_hf.py"},
      {"\x1f\x8b\x08", "compressed by gzip", "unpack it"},
      {"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"},
      {std::string(257, '\0') + "ustar", "a tar archive", "unpack it"},
      {std::string(100, 'x') + "\x57\xfb\x80\x8b\x24\x75\x47\xdb", "index of a TensorFlow",
       "from_tf"},
      {"model_checkpoint_path: \"model.ckpt\"", "TensorFlow's list of checkpoints", "from_tf"},
      {"\x81\xabtransformer\x84", "Flax's weights", "from_flax=True"},
      {"\x08\x07\x12\x07pytorch\x1a\x05" + std::string(20, 'x'), "an ONNX model", "made from"},
      {std::string(5000, '\0'), "5000 bytes, all zero", "fetch it again"},
      {"\x80\x04\x95}.", "a pickle that torch.save did not write", "torch.save(model.state_dict()"},
      {"", "not a checkpoint (0 bytes)", "the file is empty"},
      {"{\"n_layer\": 1}", "it looks like JSON", "give the folder"},
      {"Once upon a time", "a text that begins with 'Once upon a time'", "expected a file of"},
      {"\1\2\3\4", "not a checkpoint (4 bytes)", "expected a file of torch.save"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    ScratchFolder folder;
    std::string lone = folder.write("file", row.content);
    EXPECT_THAT(refusal(lone),
                AllOf(StartsWith(lone + ": "), HasSubstr(row.what), HasSubstr(row.way_out)));
    // The same in place of the weights of a folder, whatever they are called, and as a shard.
    folder.write("config.json", test::tiny_config());
    for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
      std::string path = folder.write(name, row.content);
      EXPECT_THAT(refusal(folder.path()), AllOf(StartsWith(path), HasSubstr(row.what)));
      std::filesystem::remove(path);
    }
    folder.write("model.safetensors.index.json", R"({"weight_map": {"wte.weight": "file"}})");
    EXPECT_THAT(refusal(folder.path()), AllOf(StartsWith(lone), HasSubstr(row.what)));
  }
}

TEST(Foreign, NamesTellWhereContentDoesNot) {
  ScratchFolder folder;
  for (auto [name, what] : std::vector<std::pair<std::string, std::string>>{
           {"model.ckpt.data-00000-of-00001", "the data of a TensorFlow checkpoint"},
           {"model.ckpt.meta", "the graph of a TensorFlow checkpoint"},
           {"model.onnx", "an ONNX model"},
           {"flax_model.msgpack", "Flax's weights"}}) {
    EXPECT_THAT(refusal(folder.write(name, "\1\2\3\4\5")), HasSubstr(what));
  }
}

TEST(Foreign, PointersInPlaceOfAFoldersJsonAreRecognised) {
  ScratchFolder folder;
  std::string config = folder.write("config.json", kPointer);
  folder.write("model.safetensors", test::safetensors_file(test::tiny_gpt2()));
  EXPECT_THAT(refusal(folder.path()), AllOf(StartsWith(config), HasSubstr("Git LFS pointer")));
  ScratchFolder sharded;
  sharded.write("config.json", test::tiny_config());
  std::string index = sharded.write("pytorch_model.bin.index.json", kPointer);
  EXPECT_THAT(refusal(sharded.path()), AllOf(StartsWith(index), HasSubstr("Git LFS pointer")));
}

TEST(Foreign, PointersInPlaceOfAVocabularyAreRecognised) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json"}) {
    ScratchFolder folder;
    folder.write("config.json", test::tiny_config());
    folder.write("model.safetensors", test::safetensors_file(test::tiny_gpt2()));
    std::string pointer = folder.write(name, kPointer);
    auto opened = open(folder.path());
    // Ids alone still work: the model is there.
    std::string said = opened ? opened.assume_value().no_tokenizer : opened.assume_error().message;
    EXPECT_THAT(said, AllOf(HasSubstr(pointer), HasSubstr("Git LFS pointer")));
  }
}

TEST(Foreign, FoldersWithoutAModelSayWhatTheyHold) {
  struct Row {
    std::vector<std::string> files;
    const char* message;
  };
  const Row rows[] = {
      {{}, "it is empty"},
      {{"adapter_config.json", "adapter_model.safetensors"}, "a LoRA adapter"},
      {{"ckpt.pt", "meta.pkl"}, "it holds 'ckpt.pt': give the file that is meant"},
      {{"model-00001-of-00002.safetensors"}, "shards 'model-00001-of-00002.safetensors' without"},
      {{"gpt2.Q4_K_M.gguf"}, "llama.cpp's model ('gpt2.Q4_K_M.gguf')"},
      {{"flax_model.msgpack"}, "Flax's weights"},
      {{"tf_model.h5"}, "TensorFlow's weights"},
      {{"checkpoint", "model.ckpt.data-00000-of-00001", "model.ckpt.index", "hparams.json"},
       "TensorFlow's weights ('model.ckpt.index')"},
      {{"zero_to_fp32.py", "latest"}, "a checkpoint of DeepSpeed"},
      {{".metadata", "__0_0.distcp"}, "dcp_to_torch_save"},
      {{"tokenizer.json", "vocab.json"}, "it holds a tokenizer alone"},
      {{"README.md"}, "it holds 'README.md'"},
      {{"a", "b", "c", "d", "e", "f", "g"}, "'e' and 2 more"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.message);
    ScratchFolder folder;
    for (const std::string& name : row.files) folder.write(name, "x");
    EXPECT_THAT(refusal(folder.path()),
                AllOf(StartsWith(folder.path() + ": a folder without config.json"),
                      HasSubstr(row.message)));
  }
}

TEST(Foreign, AnAdapterIsNoModel) {
  ScratchFolder folder;
  test::FileTensors tensors = {
      {"base_model.model.transformer.h.0.attn.c_attn.lora_A.weight", test::counting({2, 4}, 0)},
      {"base_model.model.transformer.h.0.attn.c_attn.lora_B.weight", test::counting({12, 2}, 0)}};
  EXPECT_THAT(refusal(folder.write("adapter_model.safetensors", test::safetensors_file(tensors))),
              AllOf(HasSubstr("holds a LoRA adapter"), HasSubstr("merge_and_unload")));
}

void write_model(const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (auto [name, content] : std::vector<std::pair<std::string, std::string>>{
           {"config.json", test::tiny_config()},
           {"model.safetensors", test::safetensors_file(test::tiny_gpt2())}}) {
    std::ofstream(folder + "/" + name, std::ios::binary) << content;
  }
}

TEST(ModelFolder, TheOneModelOfACacheOrATrainerIsTaken) {
  for (const char* place : {"/snapshots/0123abc", "/checkpoint-500"}) {
    ScratchFolder folder;
    write_model(folder.path() + place);
    auto opened = open(folder.path());
    ASSERT_TRUE(opened) << opened.assume_error().message;
    EXPECT_EQ(opened.assume_value().path, folder.path() + place);
    ASSERT_FALSE(opened.assume_value().notes.empty());
    EXPECT_THAT(opened.assume_value().notes[0], HasSubstr(place));
  }
}

TEST(ModelFolder, OfSeveralTheNamesAreGiven) {
  ScratchFolder trainer;
  for (const char* name : {"/checkpoint-500", "/checkpoint-1000", "/checkpoint-90"}) {
    write_model(trainer.path() + name);
  }
  EXPECT_THAT(refusal(trainer.path()),
              AllOf(HasSubstr("'checkpoint-90', 'checkpoint-500', 'checkpoint-1000'"),
                    HasSubstr("for example " + trainer.path() + "/checkpoint-1000")));
  write_model(trainer.path());
  EXPECT_EQ(refusal(trainer.path()), "opened");
  ScratchFolder cache;
  write_model(cache.path() + "/snapshots/aaa");
  write_model(cache.path() + "/snapshots/bbb");
  EXPECT_THAT(refusal(cache.path()), HasSubstr("several models, 'aaa', 'bbb'"));
}

TEST(ModelFolder, OtherFoldersAreNotLookedInto) {
  ScratchFolder folder;
  write_model(folder.path() + "/other");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("it holds 'other'"));
}

}  // namespace
}  // namespace chorus::checkpoint
