// Which tokenizer and which ids a checkpoint gets: of its folder, of a converted file, of what lies
// near it, by its vocabulary's size, or the one that is asked for.
#include "checkpoint/model_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/safetensors/huggingface_write.h"
#include "checkpoint/safetensors/write.h"
#include "support/scratch_folder.h"
#include "support/tiny_model.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/characters.h"

namespace chorus::checkpoint {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tokenizer::kEndOfText;
using tokenizer::Tokenizer;

constexpr const char* kVocabulary = R"({"a":0,"b":1,"ab":2,"<e>":3,"<f>":4})";
constexpr const char* kMerges = "#version: 0.2\na b\n";

class ModelTokenizer : public testing::Test {
 protected:
  // A model of so many ids, without a tokenizer.
  static Checkpoint model(std::int64_t vocab_size) {
    ModelConfig config = test::odd_config();
    config.vocab_size = vocab_size;
    test::TinyModel tiny(config);
    Checkpoint result = tiny.checkpoint();
    result.tokenizer = nullptr;
    result.token_ids = {};
    return result;
  }

  // A Hugging Face folder with the weights of such a model and a config with `fields`.
  std::string folder(std::int64_t vocab_size, const std::string& fields = "") {
    std::string path = files_.file("folder" + std::to_string(++count_));
    auto written = write_huggingface_folder(model(vocab_size), path, NumberFormat::kF32);
    EXPECT_TRUE(written);
    std::string config = test::read_file(path + "/config.json");
    std::size_t ids = config.find(",\"bos_token_id\"");
    std::size_t behind = config.find(",\"torch_dtype\"");
    config.replace(ids, behind - ids, fields);
    put(path, "config.json", config);
    std::filesystem::remove(path + "/generation_config.json");
    return path;
  }
  static void put(const std::string& folder, const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name, std::ios::binary) << text;
  }

  static Checkpoint opened(const std::string& path, const OpenOptions& options = {}) {
    auto result = open(path, options);
    EXPECT_TRUE(result) << result.assume_error().message;
    return result ? std::move(result.assume_value()) : Checkpoint();
  }
  static std::string error_of(const std::string& path, const OpenOptions& options) {
    auto result = open(path, options);
    return result ? "" : result.assume_error().message;
  }
  static std::vector<std::int32_t> encode(const Checkpoint& checkpoint, std::string_view text) {
    return checkpoint.tokenizer->encode(text).assume_value();
  }

  test::ScratchFolder files_;
  int count_ = 0;
};

TEST_F(ModelTokenizer, AFoldersFilesSay) {
  std::string path = folder(5);
  put(path, "vocab.json", kVocabulary);
  put(path, "merges.txt", kMerges);
  put(path, "special_tokens_map.json", R"({"bos_token":"<f>","eos_token":"<e>"})");
  Checkpoint checkpoint = opened(path);
  ASSERT_NE(checkpoint.tokenizer, nullptr) << checkpoint.no_tokenizer;
  EXPECT_THAT(encode(checkpoint, "abb"), ElementsAre(2, 1));
  EXPECT_EQ(checkpoint.token_ids.bos, 4);
  EXPECT_THAT(checkpoint.token_ids.eos, ElementsAre(3));
  EXPECT_THAT(checkpoint.notes, Contains(HasSubstr("no eos_token_id is stated")));

  // OpenAI's names for the same; and a weights file in the folder is the folder's.
  std::filesystem::rename(path + "/vocab.json", path + "/encoder.json");
  std::filesystem::rename(path + "/merges.txt", path + "/vocab.bpe");
  EXPECT_THAT(encode(opened(path), "abb"), ElementsAre(2, 1));
}

TEST_F(ModelTokenizer, AnotherKindIsRefusedByNameAndIdsStillWork) {
  for (const auto& [file, kind] : {std::pair("vocab.txt", "WordPiece"),
                                   {"spiece.model", "SentencePiece"},
                                   {"tokenizer.model", "SentencePiece"}}) {
    std::string path = folder(50257);
    put(path, file, "x");
    Checkpoint checkpoint = opened(path);
    EXPECT_EQ(checkpoint.tokenizer, nullptr) << file << ": GPT-2's would be a guess";
    EXPECT_THAT(checkpoint.no_tokenizer, HasSubstr(kind));
    EXPECT_THAT(checkpoint.no_tokenizer, HasSubstr("--tokenizer PATH"));
    EXPECT_THAT(checkpoint.notes, Contains(HasSubstr(kind)));
    EXPECT_EQ(opened(path, {.tokenizer = "gpt2"}).tokenizer, Tokenizer::gpt2());
  }
  std::string path = folder(50257);
  put(path, "tokenizer.json", R"({"model":{"type":"Unigram"}})");
  EXPECT_THAT(opened(path).no_tokenizer, HasSubstr("Unigram"));
  put(path, "tokenizer.json", "{");
  EXPECT_THAT(opened(path).no_tokenizer, HasSubstr("tokenizer.json: bad JSON"));
}

TEST_F(ModelTokenizer, WithoutFilesTheVocabularysSizeDecidesAndThatIsSaid) {
  for (std::int64_t size : {50257, 50260, 50304, 50432, 51200}) {
    Checkpoint checkpoint = opened(folder(size));
    EXPECT_EQ(checkpoint.tokenizer, Tokenizer::gpt2()) << size;
    EXPECT_THAT(checkpoint.notes, Contains(HasSubstr("GPT-2's is used")));
    EXPECT_THAT(checkpoint.token_ids.eos, ElementsAre(kEndOfText));
    EXPECT_EQ(checkpoint.token_ids.bos, kEndOfText);
  }
  for (std::int64_t size : {65, 50256, 52000}) {
    Checkpoint checkpoint = opened(folder(size));
    EXPECT_EQ(checkpoint.tokenizer, nullptr) << size;
    EXPECT_THAT(checkpoint.no_tokenizer, HasSubstr(std::to_string(size) + " ids is not GPT-2's"));
    EXPECT_THAT(checkpoint.no_tokenizer, HasSubstr("--tokenizer PATH"));
  }
  EXPECT_THAT(opened(folder(50256)).token_ids.eos, IsEmpty());
}

TEST_F(ModelTokenizer, StatedIdsAreTaken) {
  auto ids = [&](const std::string& config, const std::string& generation = "") {
    std::string path = folder(50257, config);
    if (!generation.empty()) put(path, "generation_config.json", generation);
    return opened(path).token_ids;
  };
  TokenIds one = ids(R"(,"bos_token_id":7,"eos_token_id":8,"pad_token_id":9)");
  EXPECT_EQ(one.bos, 7);
  EXPECT_THAT(one.eos, ElementsAre(8));
  EXPECT_EQ(one.pad, 9);
  EXPECT_THAT(ids(R"(,"eos_token_id":[8,9])").eos, ElementsAre(8, 9));
  EXPECT_THAT(ids(R"(,"eos_token_id":null)").eos, IsEmpty());
  TokenIds both = ids(R"(,"bos_token_id":7,"eos_token_id":8)", R"({"eos_token_id":[3,4]})");
  EXPECT_EQ(both.bos, 7);
  EXPECT_THAT(both.eos, ElementsAre(3, 4)) << "generation_config.json has the last word";
  EXPECT_THAT(ids(R"(,"eos_token_id":8)", R"({"eos_token_id":null})").eos, IsEmpty());
}

// As transformers 4.40 was seen to end its texts, or not.
TEST_F(ModelTokenizer, GenerationConfigAloneSaysWhatEndsAText) {
  auto opened_with = [&](const std::string& config, const std::string& generation) {
    std::string path = folder(50257, R"(,"eos_token_id":8)" + config);
    put(path, "generation_config.json", generation);
    return opened(path);
  };
  for (const char* silent : {"{}", R"({"bos_token_id":7})", R"({"_from_model_config":true})"}) {
    Checkpoint checkpoint = opened_with("", silent);
    EXPECT_THAT(checkpoint.token_ids.eos, IsEmpty()) << silent;
    EXPECT_THAT(checkpoint.notes, Contains(HasSubstr("--stop-ids 8"))) << silent;
  }
  std::string of_config = R"(,"repetition_penalty":1.3)";
  EXPECT_THAT(opened_with(of_config, "{}").token_ids.eos, IsEmpty());
  EXPECT_THAT(opened_with(of_config, R"({"_from_model_config":true})").token_ids.eos,
              ElementsAre(8))
      << "it is made anew of a config.json that has options";
}

TEST_F(ModelTokenizer, OptionsOfGenerateAreNamed) {
  auto notes = [&](const std::string& config, const std::string& generation = "") {
    std::string path = folder(50257, config);
    if (!generation.empty()) put(path, "generation_config.json", generation);
    return opened(path).notes;
  };
  constexpr const char* kSays = "options of transformers' generate()";
  EXPECT_THAT(notes("", R"({"temperature":0.7,"top_k":20,"num_beams":4,"bad_words_ids":[[1]]})"),
              Contains(HasSubstr(": temperature 0.7, top_k 20, bad_words_ids [[1]], "
                                 "num_beams 4")));
  EXPECT_THAT(
      notes(R"(,"top_p":0.9,"repetition_penalty":1.2)"),
      Contains(HasSubstr("config.json states options of transformers' generate(), which are "
                         "the request's here and not taken from the file: top_p 0.9, "
                         "repetition_penalty 1.2")));
  EXPECT_THAT(notes(R"(,"top_p":0.9)", R"({"top_p":1.0})"), Not(Contains(HasSubstr(kSays))));
  // Null is no top-k, and fields that are not known may be anything.
  EXPECT_THAT(notes("", R"({"top_k":null,"xtc_probability":0.5,"do_sample":false,"idle":0})"),
              Contains(HasSubstr(": top_k null, xtc_probability 0.5, do_sample false")));
  EXPECT_THAT(notes(R"(,"top_k":null,"xtc_probability":0.5)"), Not(Contains(HasSubstr(kSays))));
  for (const char* neutral :
       {"{}", R"({"temperature":1,"top_k":50,"top_p":1.0,"do_sample":true,"max_length":50})",
        R"({"temperature":null,"num_beams":1,"suppress_tokens":[],"min_length":0})"}) {
    EXPECT_THAT(notes("", neutral), Not(Contains(HasSubstr(kSays)))) << neutral;
  }
}

TEST_F(ModelTokenizer, IdsThatAreNoneAreNamed) {
  Checkpoint checkpoint = opened(folder(300, R"(,"bos_token_id":50256,"eos_token_id":[-1,5])"));
  EXPECT_EQ(checkpoint.token_ids.bos, std::nullopt);
  EXPECT_THAT(checkpoint.token_ids.eos, ElementsAre(5));
  EXPECT_THAT(checkpoint.notes, Contains(HasSubstr("bos_token_id 50256 is not in the vocabulary")));
  EXPECT_THAT(checkpoint.notes, Contains(HasSubstr("eos_token_id -1 is not in the vocabulary")));
  for (const char* wrong : {R"("x")", "1.5", "true", "{}", "[[1]]", "99999999999"}) {
    std::string path = folder(300, std::string(",\"eos_token_id\":") + wrong);
    EXPECT_THAT(error_of(path, {}), HasSubstr("config.json: eos_token_id: expected an id"))
        << wrong;
  }
}

TEST_F(ModelTokenizer, AConvertedFileCarriesBoth) {
  std::string path = folder(5, R"(,"bos_token_id":4,"eos_token_id":[3,4])");
  put(path, "vocab.json", kVocabulary);
  put(path, "merges.txt", kMerges);
  put(path, "added_tokens.json", R"({"<f>": 4})");
  Checkpoint source = opened(path);
  std::string file = files_.file("alone.safetensors");
  ASSERT_TRUE(write_safetensors(source, file, NumberFormat::kF32));
  Checkpoint copy = opened(file);
  ASSERT_NE(copy.tokenizer, nullptr) << copy.no_tokenizer;
  EXPECT_EQ(static_cast<const tokenizer::ByteLevelBpe&>(*copy.tokenizer).added().all(),
            static_cast<const tokenizer::ByteLevelBpe&>(*source.tokenizer).added().all());
  EXPECT_THAT(encode(copy, "ab<f>"), ElementsAre(2, 4));
  EXPECT_EQ(copy.token_ids.bos, 4);
  EXPECT_THAT(copy.token_ids.eos, ElementsAre(3, 4));
  EXPECT_THAT(copy.notes, ElementsAre(HasSubstr("254 of the 256 bytes"))) << "as in the folder";
  EXPECT_TRUE(read_tokenizer(file));

  std::string gpt2 = files_.file("gpt2.safetensors");
  ASSERT_TRUE(write_safetensors(opened(folder(50257)), gpt2, NumberFormat::kF32));
  EXPECT_EQ(opened(gpt2).tokenizer, Tokenizer::gpt2());
  EXPECT_THAT(opened(gpt2).notes, IsEmpty());
  std::string none = files_.file("none.safetensors");
  ASSERT_TRUE(
      write_safetensors(opened(folder(50257), {.tokenizer = "none"}), none, NumberFormat::kF32));
  EXPECT_EQ(opened(none).tokenizer, nullptr);
  EXPECT_FALSE(read_tokenizer(none));
}

TEST_F(ModelTokenizer, TheOneThatIsAskedForIsTakenOrRefused) {
  std::string path = folder(50257);
  Checkpoint none = opened(path, {.tokenizer = "none"});
  EXPECT_EQ(none.tokenizer, nullptr);
  EXPECT_THAT(none.no_tokenizer, HasSubstr("none"));
  std::string other = folder(5);
  put(other, "vocab.json", kVocabulary);
  put(other, "merges.txt", kMerges);
  EXPECT_THAT(encode(opened(path, {.tokenizer = other}), "abb"), ElementsAre(2, 1));
  EXPECT_THAT(encode(opened(path, {.tokenizer = other + "/merges.txt"}), "abb"), ElementsAre(2, 1));
  EXPECT_THAT(error_of(path, {.tokenizer = files_.file("nowhere")}), HasSubstr("nowhere"));
  EXPECT_THAT(error_of(path, {.tokenizer = path}), HasSubstr("a folder without a tokenizer"));
  EXPECT_THAT(error_of(path, {.tokenizer = files_.write("x", "text")}),
              HasSubstr("not a tokenizer"));
  EXPECT_THAT(error_of(path, {.tokenizer = files_.write("vocab.txt", "[PAD]\n")}),
              HasSubstr("WordPiece"));
  EXPECT_THAT(error_of(path, {.tokenizer = files_.write("spm.model", "\n\x0e")}),
              HasSubstr("SentencePiece"));
}

// A protocol-4 pickle of {"itos": {0: "a", 1: "b"}}.
std::string meta_of_two() {
  using namespace std::string_literals;
  return "\x80\x04}(\x8c\x04itos}(K\x00\x8c\x01"s
         "aK\x01\x8c\x01"s
         "buu."s;
}

TEST_F(ModelTokenizer, CharactersLieBesideTheWeights) {
  std::string file = files_.file("model.safetensors");
  Checkpoint two = model(2);
  ASSERT_TRUE(write_safetensors(two, file, NumberFormat::kF32));
  EXPECT_EQ(opened(file).tokenizer, nullptr);
  files_.write("meta.pkl", meta_of_two());
  Checkpoint found = opened(file);
  ASSERT_NE(found.tokenizer, nullptr) << found.no_tokenizer;
  EXPECT_THAT(encode(found, "ba"), ElementsAre(1, 0));
  EXPECT_THAT(found.notes, Contains(HasSubstr("meta.pkl (2 characters)")));
  EXPECT_THAT(found.token_ids.eos, IsEmpty());

  std::string large = files_.file("large.safetensors");
  ASSERT_TRUE(write_safetensors(model(50304), large, NumberFormat::kF32));
  Checkpoint other = opened(large, {.tokenizer = {}});
  EXPECT_EQ(other.tokenizer, nullptr);
  EXPECT_THAT(other.notes, Contains(HasSubstr("passed over, as it names 2 ids")));
  files_.write("meta.pkl",
               "\x80\x04"
               "cos\nsystem\n.");
  EXPECT_THAT(opened(file).notes, Contains(HasSubstr("os.system")));
}

}  // namespace
}  // namespace chorus::checkpoint
