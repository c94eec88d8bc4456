#include "checkpoint/gpt2/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chorus::checkpoint {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kActivationField = "activation_function";

ConfigFields sizes(std::int64_t n_embd, std::int64_t n_layer) {
  ConfigFields fields;
  fields.block_size = 8;
  fields.vocab_size = 11;
  fields.n_layer = n_layer;
  fields.n_embd = n_embd;
  fields.n_inner = 4 * n_embd;
  return fields;
}

CompleteConfig complete(const ConfigFields& fields, const OpenOptions& options = {}) {
  auto result = complete_config(fields, {}, options);
  EXPECT_TRUE(result) << result.assume_error().message;
  return result ? std::move(result).assume_value() : CompleteConfig{};
}

Error refused(const ConfigFields& fields, const OpenOptions& options = {}) {
  auto result = complete_config(fields, {}, options);
  EXPECT_FALSE(result);
  return result ? Error{ErrorCode::kIo, "no error"} : result.assume_error();
}

TEST(Completion, HeadsOfAKnownShapeAreItsOwnAndTheAssumptionIsSaid) {
  struct Row {
    std::int64_t n_embd, n_layer, n_head;
  };
  for (Row row : {Row{192, 6, 6}, Row{128, 4, 4}, Row{48, 3, 3}, Row{512, 8, 16}, Row{512, 6, 8},
                  Row{768, 12, 12}, Row{1600, 48, 25}, Row{64, 1, 1}}) {
    SCOPED_TRACE(row.n_embd);
    CompleteConfig complete_one = complete(sizes(row.n_embd, row.n_layer));
    EXPECT_EQ(complete_one.config.n_head, row.n_head);
    EXPECT_EQ(complete_one.sources.at("n_head"), ValueSource::kAssumed);
    EXPECT_THAT(complete_one.notes,
                Contains(testing::AllOf(HasSubstr("heads of"), HasSubstr("--n-head"))));
  }
  EXPECT_THAT(refused(sizes(100, 1)).message, HasSubstr("--n-head"));
}

TEST(Completion, HeadsThatAreToldAreNotAssumed) {
  ConfigFields fields = sizes(192, 6);
  fields.head_size = 16;
  EXPECT_EQ(complete(fields).config.n_head, 12);
  EXPECT_EQ(complete(fields).sources.at("n_head"), ValueSource::kDerived);
  fields.n_head = 6;
  EXPECT_THAT(refused(fields).message, HasSubstr("n_head and head_size are 6 and 16"));
  fields.head_size = 7;
  EXPECT_THAT(refused(fields).message, HasSubstr("expected a divisor of n_embd"));

  fields = sizes(192, 6);
  fields.preset_n_head = 3;
  EXPECT_EQ(complete(fields).config.n_head, 3);
  EXPECT_EQ(complete(fields).sources.at("n_head"), ValueSource::kDerived);

  fields = sizes(192, 6);
  EXPECT_EQ(complete(fields, {.n_head = 2}).sources.at("n_head"), ValueSource::kOption);
  EXPECT_THAT(complete(fields, {.n_head = 2}).notes, Not(Contains(HasSubstr("n_head"))));
  fields.kind = Origin::kTransformers;
  EXPECT_EQ(complete(fields).config.n_head, 12);
  EXPECT_EQ(complete(fields).sources.at("n_head"), ValueSource::kOfKind);
  EXPECT_THAT(complete(fields).notes, Contains(HasSubstr("n_head is not stated: 12, as transf")));
  EXPECT_EQ(complete(fields, {.n_head = 2}).config.n_head, 2);
  fields.n_embd = 100;
  EXPECT_THAT(refused(fields).message, HasSubstr("a multiple of n_head, which is 12"));
}

TEST(Completion, KeysAndValuesOfFewerHeadsAreRefused) {
  ConfigFields fields = sizes(64, 1);
  fields.n_head = 4;
  fields.n_kv_head = 4;
  EXPECT_EQ(complete(fields).config.n_head, 4);
  fields.n_kv_head = 2;
  fields.stated["n_kv_head"] = "config.kv_heads";
  EXPECT_THAT(refused(fields).message, HasSubstr("config.kv_heads is 2, and n_head 4"));
}

TEST(Completion, AnActivationThatIsNotStatedIsTheKindsAndIsSaid) {
  struct Row {
    std::optional<Origin> kind;
    Activation activation;
    ValueSource source;
  };
  for (Row row : {Row{Origin::kNanoGpt, Activation::kGeluErf, ValueSource::kOfKind},
                  Row{Origin::kTalk, Activation::kGeluTanh, ValueSource::kOfKind},
                  Row{Origin::kTransformers, Activation::kGeluTanh, ValueSource::kOfKind},
                  Row{std::nullopt, Activation::kGeluTanh, ValueSource::kAssumed}}) {
    ConfigFields fields = sizes(768, 12);
    fields.n_head = 12;
    fields.kind = row.kind;
    CompleteConfig complete_one = complete(fields);
    EXPECT_EQ(complete_one.config.activation, row.activation);
    EXPECT_EQ(complete_one.sources.at(kActivationField), row.source);
    EXPECT_THAT(complete_one.notes,
                testing::ElementsAre(testing::AllOf(
                    HasSubstr("activation_function is not stated: "),
                    HasSubstr(activation_name(row.activation)), HasSubstr("--activation"))));
  }
}

TEST(Completion, TheOptionOverridesTheActivationAndSaysSoWhereTheFileSaysAnother) {
  ConfigFields fields = sizes(64, 1);
  fields.n_head = 1;
  CompleteConfig open = complete(fields, {.activation = Activation::kRelu});
  EXPECT_EQ(open.config.activation, Activation::kRelu);
  EXPECT_EQ(open.sources.at(kActivationField), ValueSource::kOption);
  EXPECT_TRUE(open.notes.empty());
  fields.activation = Activation::kGeluErf;
  fields.sources[kActivationField] = ValueSource::kStated;
  EXPECT_EQ(complete(fields).sources.at(kActivationField), ValueSource::kStated);
  CompleteConfig overridden = complete(fields, {.activation = Activation::kRelu});
  EXPECT_EQ(overridden.config.activation, Activation::kRelu);
  EXPECT_THAT(overridden.notes, testing::ElementsAre(HasSubstr("gelu by the file and relu by")));
}

}  // namespace
}  // namespace chorus::checkpoint
