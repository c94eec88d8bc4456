// Small tokenizers of Hugging Face's, whose ids can be told by hand. Many strings against the real
// libraries: tests/torch/tokenizer_parity.py.
#include "tokenizer/huggingface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/characters.h"

namespace chorus::tokenizer {
namespace {

using testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

// Letters a to d, a space, "ab", " ab", "cd", and two added tokens.
constexpr const char* kSmall = R"({
  "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
  "added_tokens": [
    {"id": 8, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true},
    {"id": 9, "content": "<w>", "single_word": false, "lstrip": true, "rstrip": false,
     "normalized": true, "special": false}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": {"type": "ByteLevel", "trim_offsets": false},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
    "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "Ġ": 4, "ab": 5, "Ġab": 6, "cd": 7},
    "merges": ["a b", ["Ġ", "ab"], "c d"]}})";

// kSmall with the first `from` as `to`.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = kSmall;
  std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Result<ReadTokenizer> read(const std::string& text) {
  return read_tokenizer_json(copy_bytes("tokenizer.json", text));
}

std::string error_of(Result<ReadTokenizer> read) {
  return read ? "" : std::move(read.assume_error()).message;
}

Ids encode(const Tokenizer& tokenizer, std::string_view text, Special special) {
  return tokenizer.encode(text, special).assume_value();
}

TEST(HuggingFace, ATokenizerJsonIsRead) {
  auto small = read(kSmall);
  ASSERT_TRUE(small) << error_of(std::move(small));
  const Tokenizer& tokenizer = *small.assume_value().tokenizer;
  EXPECT_EQ(encode(tokenizer, "ab abcd", Special::kAsText), (Ids{5, 6, 7}));
  EXPECT_EQ(encode(tokenizer, "ab <w>d<s>", Special::kRecognise), (Ids{5, 9, 3, 8}));
  EXPECT_EQ(encode(tokenizer, "<w><s>", Special::kAsText), (Ids{9})) << "no other bytes are known";
  EXPECT_EQ(tokenizer.decode(Ids{6, 9, 8, 10}), " ab<w><s><|id 10|>");
  EXPECT_TRUE(tokenizer.is_special(8));
  EXPECT_FALSE(tokenizer.is_special(9));
  EXPECT_EQ(tokenizer.size(), 10);
  EXPECT_EQ(tokenizer.most_bytes(), std::nullopt) << "<w> takes any number of spaces";
  EXPECT_THAT(small.assume_value().notes, testing::ElementsAre(HasSubstr("251 of the 256 bytes")));
}

TEST(HuggingFace, WhatIsWrittenIsReadAlike) {
  for (
      const std::string& text :
      {std::string(kSmall), changed(R"("unk_token": null)", R"("unk_token": "d")"),
       changed(R"("fuse_unk": false)", R"("unk_token2": 0, "fuse_unk": true)"),
       changed(R"("add_prefix_space": false)", R"("add_prefix_space": true)"),
       changed(R"("dropout": null)", R"("ignore_merges": true)"),
       changed(
           R"({"type": "ByteLevel", "trim_offsets": false})",
           R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}],
                    "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [8], "tokens": ["<s>"]}}})")}) {
    auto once = read(text);
    ASSERT_TRUE(once) << error_of(std::move(once));
    auto again = read(to_tokenizer_json(*once.assume_value().tokenizer));
    ASSERT_TRUE(again) << error_of(std::move(again));
    EXPECT_EQ(static_cast<const ByteLevelBpe&>(*once.assume_value().tokenizer),
              static_cast<const ByteLevelBpe&>(*again.assume_value().tokenizer))
        << text;
  }
}

TEST(HuggingFace, GPT2sOwnFilesAreTheBuiltInOne) {
  auto files = to_huggingface_files(*Tokenizer::gpt2(), Tokenizer::gpt2()->roles());
  HuggingFaceFiles whole, pair;
  for (const auto& [name, text] : files) {
    Bytes bytes = copy_bytes(name, text);
    if (name == "tokenizer.json") whole.tokenizer_json = bytes;
    if (name == "vocab.json") pair.vocab_json = bytes;
    if (name == "merges.txt") pair.merges = bytes;
    if (name == "tokenizer_config.json") whole.tokenizer_config = bytes;
  }
  for (const HuggingFaceFiles& found : {whole, pair, HuggingFaceFiles()}) {
    auto read = read_huggingface(found);
    ASSERT_TRUE(read) << error_of(std::move(read));
    EXPECT_EQ(read.assume_value().tokenizer, Tokenizer::gpt2());
  }
}

TEST(HuggingFace, TokensAddedBesideGPT2sAreRead) {
  HuggingFaceFiles files;
  files.added_tokens = copy_bytes("added_tokens.json", R"({"<|sep|>": 50258, "<|pad|>": 50257})");
  files.special_tokens_map = copy_bytes("special_tokens_map.json", R"({"pad_token": "<|pad|>"})");
  auto read = read_huggingface(files);
  ASSERT_TRUE(read) << error_of(std::move(read));
  const Tokenizer& tokenizer = *read.assume_value().tokenizer;
  EXPECT_EQ(encode(tokenizer, "Hello<|sep|>", Special::kAsText), (Ids{15496, 50258}));
  EXPECT_EQ(encode(tokenizer, "<|pad|>", Special::kAsText).size(), 5u) << "special";
  EXPECT_EQ(encode(tokenizer, "<|pad|>", Special::kRecognise), Ids{50257});
  EXPECT_EQ(tokenizer.roles().pad, 50257);
  EXPECT_EQ(tokenizer.roles().eos, kEndOfText);
  EXPECT_EQ(tokenizer.size(), 50259);
}

TEST(HuggingFace, SpecialTokensWithoutAnIdGetTheNext) {
  HuggingFaceFiles files;
  files.tokenizer_json = copy_bytes("tokenizer.json", kSmall);
  files.tokenizer_config = copy_bytes("tokenizer_config.json",
                                      R"({"tokenizer_class": "GPT2Tokenizer", "eos_token": "<s>",
          "pad_token": "<p>", "bos_token": "<p>", "mask_token": "cd", "sep_token": "",
          "additional_special_tokens": ["<w>", {"content": "<x>", "rstrip": true}]})");
  auto read = read_huggingface(files);
  ASSERT_TRUE(read) << error_of(std::move(read));
  const Tokenizer& tokenizer = *read.assume_value().tokenizer;
  // In the order of bos, eos, unk (<|endoftext|> unless stated), sep, pad ..., as transformers 4.40.
  EXPECT_EQ(tokenizer.roles().bos, 10);
  EXPECT_EQ(tokenizer.roles().pad, 10);
  EXPECT_EQ(tokenizer.roles().eos, 8);
  EXPECT_EQ(tokenizer.roles().unk, 11);
  EXPECT_EQ(encode(tokenizer, "a<p><|endoftext|><x> cd", Special::kRecognise),
            (Ids{0, 10, 11, 12, 7}));
  EXPECT_EQ(tokenizer.size(), 13);
  EXPECT_EQ(read.assume_value().given, 3);
  EXPECT_THAT(read.assume_value().notes,
              testing::IsSupersetOf({HasSubstr("bos_token '<p>' is not in the tokenizer's "
                                               "vocabulary: it gets the next id, 10"),
                                     HasSubstr("the special token '<x>'")}));
  // As transformers 5 writes a tokenizer.json with roles.
  files.tokenizer_config = copy_bytes("tokenizer_config.json",
                                      R"({"tokenizer_class": "TokenizersBackend",
          "pad_token": "<p>", "extra_special_tokens": ["<x>"]})");
  auto of5 = read_huggingface(files);
  ASSERT_TRUE(of5) << error_of(std::move(of5));
  EXPECT_EQ(encode(*of5.assume_value().tokenizer, "<p><x>", Special::kRecognise), (Ids{10, 11}));
  EXPECT_EQ(of5.assume_value().tokenizer->roles().eos, std::nullopt);
  // A tokenizer.json alone has no such roles.
  auto alone = read_tokenizer_json(*files.tokenizer_json);
  EXPECT_EQ(alone.assume_value().tokenizer->size(), 10);
}

TEST(HuggingFace, GapsOfIdsAreKeptAndSaid) {
  auto gap = read(changed(R"("id": 9)", R"("id": 20)"));
  ASSERT_TRUE(gap) << error_of(std::move(gap));
  EXPECT_EQ(encode(*gap.assume_value().tokenizer, "<w>", Special::kAsText), (Ids{20}));
  EXPECT_THAT(gap.assume_value().notes,
              testing::Contains(HasSubstr("'<w>' has the id 20, as its file says; Hugging Face's "
                                          "tokenizers would number it 9")));
}

TEST(HuggingFace, ContradictionsAreNamed) {
  EXPECT_EQ(error_of(read(changed(R"("id": 8)", R"("id": 7)"))),
            "tokenizer.json: added token '<s>' has the id 7, which is 'cd' in the vocabulary");
  EXPECT_EQ(error_of(read(changed(R"("id": 9)", R"("id": 8)"))),
            "tokenizer.json: added tokens '<s>' and '<w>' have the same id, 8");
  EXPECT_EQ(error_of(read(changed(R"("content": "<s>")", R"("content": "ab")"))),
            "tokenizer.json: added token 'ab' has the id 8, and 5 in the vocabulary");
  EXPECT_THAT(error_of(read(changed(R"("c d")", R"("c  d")"))), HasSubstr("model.merges[2]"));
  EXPECT_THAT(error_of(read(changed(R"("unk_token": null)", R"("unk_token": "?")"))),
              HasSubstr("model.unk_token is '?', which is not in the vocabulary"));
  EXPECT_THAT(error_of(read(changed(R"("cd": 7)", R"("cd": "7")"))), HasSubstr("token 'cd'"));
  EXPECT_THAT(error_of(read("[]")), HasSubstr("tokenizer.json"));
  EXPECT_THAT(error_of(read("{}")), HasSubstr("model: expected an object"));
}

TEST(HuggingFace, AVocabularyNeedsItsOtherHalf) {
  HuggingFaceFiles files;
  files.vocab_json = copy_bytes("x/vocab.json", R"({"a": 0})");
  EXPECT_EQ(error_of(read_huggingface(files)), "x/vocab.json: expected merges.txt beside it");
  files.merges = copy_bytes("x/merges.txt", "a a\n");
  EXPECT_EQ(error_of(read_huggingface(files)),
            "x/vocab.json: merge 1, 'a' with 'a': 'aa' is not in the vocabulary");
  files.tokenizer_config =
      copy_bytes("x/tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_THAT(error_of(read_huggingface(files)), HasSubstr("tokenizer_class is 'BertTokenizer'"));
}

TEST(HuggingFace, MergesWithoutAVersionAreReadFromTheirFirstLineAndThatIsSaid) {
  HuggingFaceFiles files;
  files.vocab_json = copy_bytes("vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  files.merges = copy_bytes("merges.txt", "a b\n");
  auto read = read_huggingface(files);
  ASSERT_TRUE(read) << error_of(std::move(read));
  EXPECT_EQ(encode(*read.assume_value().tokenizer, "ab", Special::kAsText), Ids{2});
  EXPECT_THAT(read.assume_value().notes,
              testing::Contains(HasSubstr("does not begin with #version")));
}

TEST(Characters, AreThereAndBack) {
  auto made = Characters::make({{0, "\n"}, {1, "a"}, {2, "\u00E9"}, {5, "word"}});
  ASSERT_TRUE(made);
  const Characters& characters = *made.assume_value();
  EXPECT_EQ(characters.encode("a\u00E9\na", Special::kRecognise).assume_value(), (Ids{1, 2, 0, 1}));
  EXPECT_EQ(characters.decode(Ids{2, 5, 3, 0}), "\u00E9word<|id 3|>\n");
  EXPECT_EQ(characters.size(), 6);
  auto unknown = characters.encode("a\u00E9z", Special::kAsText);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.assume_error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.assume_error().message, HasSubstr("byte 3: the character \"z\""));
  EXPECT_FALSE(characters.encode("a\xFF", Special::kAsText)) << "U+FFFD is not among them";

  auto again = read(to_tokenizer_json(characters));
  ASSERT_TRUE(again) << error_of(std::move(again));
  const auto* read_back = dynamic_cast<const Characters*>(again.assume_value().tokenizer.get());
  ASSERT_NE(read_back, nullptr);
  EXPECT_EQ(read_back->texts(), characters.texts());

  EXPECT_FALSE(Characters::make({}));
  EXPECT_FALSE(Characters::make({{-1, "a"}}));
  EXPECT_FALSE(Characters::make({{0, "a"}, {1, "a"}})) << "one character of two ids";
}

}  // namespace
}  // namespace chorus::tokenizer
