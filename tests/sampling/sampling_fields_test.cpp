#include "sampling/sampling_fields.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "sampling/sampling_json.h"

namespace chorus::sampling {
namespace {

struct Names {
  std::vector<std::string> names = {}, helps = {};
  void add(const Field& field) {
    names.emplace_back(field.name);
    helps.emplace_back(field.help);
  }
  template <class Number>
  void number(const NumberField<Number>& field, Number value) {
    add(field);
    EXPECT_LE(field.low, value) << field.name;  // the default
    EXPECT_LE(value, field.high) << field.name;
  }
  template <class Value>
  void word(const WordField& field, Value value) {
    add(field);
    for (const char* word : field.words) EXPECT_TRUE(set_word(word, value)) << word;
    EXPECT_FALSE(set_word("nonsense", value));
  }
  template <class Bool>
  void flag(const Field& field, Bool) {
    add(field);
  }
  void seed(const Field& field, std::uint64_t) { add(field); }
};

TEST(SamplingFields, EachIsThereOnceWithHelpAndADefaultInItsRange) {
  Request request;
  Names found;
  visit_sampling_fields(request, found);
  EXPECT_EQ(std::set<std::string>(found.names.begin(), found.names.end()).size(),
            found.names.size());
  EXPECT_EQ(found.names.size(), 14u);
  for (const std::string& help : found.helps) EXPECT_FALSE(help.empty());
}

std::string error_of(const std::string& object, Request& request) {
  boost::json::object parsed = boost::json::parse(object).as_object();
  JsonFields fields(parsed, {.refuse_unknown = true});
  visit_sampling_fields(request, SamplingJson(fields));
  auto error = fields.error();
  return error ? error->message() : "";
}

TEST(SamplingFields, AreReadFromJson) {
  Request request;
  EXPECT_EQ(error_of(R"({"top_k": 7, "temperature": 0.5, "top_p": 0.9, "min_p": 0.1,
                         "repetition_penalty": 1.5, "presence_penalty": -1,
                         "frequency_penalty": 2, "seed": -1, "rng": "torch-cuda",
                         "loop": "nanogpt", "past_block": "crop", "one_stream": true,
                         "ignore_eos": false, "min_tokens": 3})",
                     request),
            "");
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.sampling.top_p, 0.9);
  EXPECT_EQ(request.sampling.min_p, 0.1f);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(request.sampling.presence_penalty, -1.0f);
  EXPECT_EQ(request.sampling.frequency_penalty, 2.0f);
  EXPECT_EQ(request.sampling.seed, ~std::uint64_t{0});
  EXPECT_EQ(request.sampling.rng, RandomStream::kTorchCuda);
  EXPECT_EQ(request.sampling.loop, SamplingLoop::kNanoGpt);
  EXPECT_EQ(request.past_block, PastBlock::kCrop);
  EXPECT_TRUE(request.one_stream);
  EXPECT_EQ(request.ignore_eos, false);
  EXPECT_EQ(request.min_tokens, 3);
}

TEST(SamplingFields, SayWhatWasExpected) {
  Request request;
  EXPECT_EQ(error_of("{}", request), "");
  EXPECT_EQ(error_of(R"({"top_k": -1})", request),
            "top_k: expected a whole number from 0 to 2147483647, found -1");
  EXPECT_EQ(error_of(R"({"top_p": 1.5})", request),
            "top_p: expected a number from 0 to 1, found 1.5");
  EXPECT_EQ(error_of(R"({"temperature": -0.5})", request),
            "temperature: expected a finite number of at least 0, found -0.5");
  EXPECT_EQ(error_of(R"({"loop": "hf"})", request),
            "loop: expected one of talk, nanogpt, transformers, found \"hf\"");
}

TEST(SamplingFields, ASeedIsASignedOrUnsignedNumberOf64Bits) {
  EXPECT_EQ(parse_seed("0"), 0u);
  EXPECT_EQ(parse_seed("-1"), ~std::uint64_t{0});
  EXPECT_EQ(parse_seed("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(parse_seed("-9223372036854775808"), std::uint64_t{1} << 63);
  for (const char* wrong :
       {"", "x", "1x", " 1", "1.0", "18446744073709551616", "-9223372036854775809"}) {
    EXPECT_FALSE(parse_seed(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace chorus::sampling
