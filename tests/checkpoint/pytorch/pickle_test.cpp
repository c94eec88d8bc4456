#include "checkpoint/pytorch/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;

using namespace test;
using testing::HasSubstr;

std::optional<int> resolve(std::string_view module, std::string_view name) {
  if (module == "good" && name == "Class") return 7;
  return std::nullopt;
}

Result<Pickle> read_pickle(const std::string& bytes) {
  return Pickle::read(std::as_bytes(std::span<const char>(bytes.data(), bytes.size())), resolve);
}

// The root of a pickle of one value; `bytes` must outlive it.
class PickleTest : public testing::Test {
 protected:
  const PickleValue& root_of(const std::string& value) {
    bytes_ = pickle(value);
    Result<Pickle> result = read_pickle(bytes_);
    if (!result) {
      ADD_FAILURE() << result.assume_error().message;
      return none_;
    }
    pickle_ = std::move(result).assume_value();
    return pickle_[pickle_.root()];
  }

  std::string bytes_;
  Pickle pickle_;
  PickleValue none_;
};

TEST_F(PickleTest, ReadsIntegersOfEverySize) {
  EXPECT_EQ(root_of("K\xff").integer, 255);
  EXPECT_EQ(root_of("M\xff\xff").integer, 65535);
  EXPECT_EQ(root_of("J\xfe\xff\xff\xff").integer, -2);
  EXPECT_EQ(root_of(std::string("\x8a\x00", 2)).integer, 0);
  EXPECT_EQ(root_of("\x8a\x01\x80").integer, -128);
  EXPECT_EQ(root_of(std::string("\x8a\x02\x80\x00", 4)).integer, 128);
  EXPECT_EQ(root_of(integer(INT64_MIN)).integer, INT64_MIN);
  EXPECT_EQ(root_of(std::string("\x8b\x01\x00\x00\x00\x05", 6)).integer, 5);
  EXPECT_EQ(root_of("\x8a\x09"s + std::string(9, '\x01')).kind, PickleKind::kBigInt);
}

TEST_F(PickleTest, ReadsConstants) {
  EXPECT_EQ(root_of("N").kind, PickleKind::kNone);
  EXPECT_EQ(root_of("\x88").integer, 1);
  EXPECT_EQ(root_of("\x89").kind, PickleKind::kBool);
  EXPECT_EQ(root_of("\x89").integer, 0);
  EXPECT_EQ(root_of(real(-0.75)).real, -0.75);
}

TEST_F(PickleTest, ReadsTextAndBytesOfEveryLengthOfLength) {
  const std::string word = "h\xc3\xa9";
  EXPECT_EQ(root_of("\x8c\x03"s + word).text, word);
  EXPECT_EQ(root_of("X"s + little_endian(3, 4) + word).text, word);
  EXPECT_EQ(root_of("\x8d"s + little_endian(3, 8) + word).text, word);
  EXPECT_EQ(root_of("U\x03"s + word).kind, PickleKind::kString);
  EXPECT_EQ(root_of("C\x01\xff").text, "\xff");
  EXPECT_EQ(root_of("B"s + little_endian(1, 4) + "\xff").kind, PickleKind::kBytes);
  EXPECT_EQ(root_of("\x8e"s + little_endian(1, 8) + "\xff").text, "\xff");
  EXPECT_EQ(root_of("\x96"s + little_endian(1, 8) + "\xff").kind, PickleKind::kBytes);
}

TEST_F(PickleTest, ReadsContainers) {
  EXPECT_EQ(root_of(")").kind, PickleKind::kTuple);
  EXPECT_EQ(root_of("K\1K\2K\3\x87").items.size(), 3u);
  EXPECT_EQ(root_of("]K\1a(K\2K\3e").items.size(), 3u);
  EXPECT_EQ(root_of("\x8f(K\2K\3\x90").kind, PickleKind::kSet);
  EXPECT_EQ(root_of("(K\2K\3\x91").items.size(), 2u);
  EXPECT_EQ(root_of("(K\2K\3d").kind, PickleKind::kDict);
  const PickleValue& tuple_value = root_of("K\1K\2\x86");
  EXPECT_EQ(pickle_[tuple_value.items[0]].integer, 1);
  EXPECT_EQ(pickle_[tuple_value.items[1]].integer, 2);
}

TEST_F(PickleTest, FindsTheLastValueOfAKey) {
  root_of(dict({{"a", integer(1)}, {"b", integer(2)}, {"a", integer(3)}}));
  EXPECT_EQ(pickle_[pickle_.find(pickle_.root(), "a")].integer, 3);
  EXPECT_EQ(pickle_[pickle_.find(pickle_.root(), "b")].integer, 2);
  EXPECT_EQ(pickle_.find(pickle_.root(), "c"), kNoPickleRef);
}

TEST_F(PickleTest, KeepsCallsAsObjectsWithoutMakingThem) {
  const PickleValue& object = root_of(call(global("good", "Class"), {integer(4)}) + "Nb");
  ASSERT_EQ(object.kind, PickleKind::kObject);
  EXPECT_EQ(pickle_[object.callable].integer, 7);
  EXPECT_EQ(pickle_[pickle_[object.arguments].items[0]].integer, 4);
  EXPECT_EQ(pickle_[object.state].kind, PickleKind::kNone);
  EXPECT_EQ(root_of(text("good") + text("Class") + "\x93").integer, 7);
  EXPECT_EQ(root_of(global("good", "Class") + ")\x81").kind, PickleKind::kObject);
  EXPECT_EQ(root_of(global("good", "Class") + ")}\x92").kind, PickleKind::kObject);
}

TEST_F(PickleTest, MemoGivesTheSameValueAgain) {
  EXPECT_EQ(root_of("K\5q\2"
                    "0h\2")
                .integer,
            5);
  std::string index = little_endian(9, 4);
  EXPECT_EQ(root_of("K\5r"s + index + "0N0j"s + index).integer, 5);
  EXPECT_EQ(root_of("K\5\x94"
                    "0h"s +
                    little_endian(0, 1))
                .integer,
            5);
  EXPECT_EQ(root_of("K\5"
                    "2\x86")
                .items.size(),
            2u);
}

TEST_F(PickleTest, CyclesAreRead) {
  const PickleValue& list_value = root_of("]q\1h\1a");
  EXPECT_EQ(list_value.items[0], pickle_.root());
}

struct WrongPickle {
  const char* name;
  std::string bytes;
  ErrorCode code;
  const char* message;
};

std::vector<WrongPickle> wrong_pickles() {
  const auto kCorrupt = ErrorCode::kCorrupt;
  const auto kUnsupported = ErrorCode::kUnsupported;
  const std::string huge(8, '\xff');
  return {
      {"Empty", "", kUnsupported, "no pickle of protocol 2 to 5"},
      {"ProtocolZero", "N.", kUnsupported, "no pickle of protocol 2 to 5"},
      {"ProtocolOne", "\x80\x01N.", kUnsupported,
       "byte 0: PROTO: pickle protocol 1; expected 2 to 5"},
      {"ProtocolSix", "\x80\x06N.", kUnsupported, "pickle protocol 6"},
      {"OnlyProtocol", "\x80\x02", kCorrupt, "ends at byte 2 without a STOP"},
      {"NoOperand", "\x80", kCorrupt, "1 bytes expected, but the pickle ends after 0"},
      {"NothingAtStop", pickle(""), kCorrupt, "byte 2: STOP: the stack is empty"},
      {"TwoValuesAtStop", pickle("NN"), kCorrupt, "other values are left"},
      {"MarkAtStop", pickle("N("), kCorrupt, "the stack is empty"},
      {"UnknownOpcode", pickle("N\xff"), kUnsupported, "byte 3: unknown opcode 0xff"},
      {"Inst", pickle("(ios\nsystem\n"), kUnsupported, "byte 3: opcode 0x69 (INST) is not allowed"},
      {"Extension", pickle("\x82\x01"), kUnsupported, "opcode 0x82 (EXT1)"},
      {"OutOfBandBuffer", pickle("\x97"), kUnsupported, "opcode 0x97 (NEXT_BUFFER)"},
      {"TextInteger", pickle("I1\n"), kUnsupported, "opcode 0x49 (INT)"},
      {"Global", pickle(call(global("os", "system"), {text("true")})), kUnsupported,
       "byte 2: global os.system is not allowed in a checkpoint"},
      {"StackGlobal", pickle(text("builtins") + text("eval") + "\x93"), kUnsupported,
       "global builtins.eval is not allowed"},
      {"GlobalWithControlCharacters", pickle(global("a\x1b[2J", "b")), kUnsupported,
       "global a\\x1b[2J.b is not allowed"},
      {"GlobalCutOff",
       "\x80\x02"
       "cos\nsyst",
       kCorrupt, "a line without an end"},
      {"StackGlobalOfNumbers", pickle("K\1K\1\x93"), kCorrupt, "expected the global's name"},
      {"FrameTooLong", pickle("\x95"s + huge), kCorrupt, "a frame of 18446744073709551615 bytes"},
      {"TextTooLong", pickle("X\xff\xff\xff\xff"), kCorrupt, "4294967295 bytes expected"},
      {"BytesTooLong", pickle("\x8e"s + huge), kCorrupt, "18446744073709551615 bytes expected"},
      {"LongTooLong", pickle("\x8b\xff\xff\xff\xff"), kCorrupt, "4294967295 bytes expected"},
      {"GetOfNothing", pickle("h\x05"), kCorrupt, "BINGET: memo index 5 was never set"},
      {"GetOfAGap", pickle("Nq\x03h\x01"), kCorrupt, "memo index 1 was never set"},
      {"PutOutOfRange", pickle("Nr\xff\xff\xff\xff"), kCorrupt, "memo index 4294967295 is out of"},
      {"PutOfNothing", pickle("q\x01N"), kCorrupt, "BINPUT: the stack is empty"},
      {"PopOfNothing", pickle("0N"), kCorrupt, "POP: the stack is empty"},
      {"TupleOfTooFew", pickle("N\x86"), kCorrupt, "TUPLE2: 1 values on the stack; expected 2"},
      {"TupleAcrossAMark", pickle("N(N\x86"), kCorrupt, "1 values on the stack; expected 2"},
      {"TupleWithoutMark", pickle("Nt"), kCorrupt, "TUPLE: no mark on the stack"},
      {"PopMarkWithoutMark", pickle("N1"), kCorrupt, "no mark"},
      {"AppendToANumber", pickle("K\1Na"), kCorrupt, "APPEND: expected a list"},
      {"AddItemsToAList", pickle("](N\x90"), kCorrupt, "ADDITEMS: expected a set"},
      {"SetItemsOfAList", pickle("](NNu"), kCorrupt, "SETITEMS: expected a dict"},
      {"KeyWithoutValue", pickle("}(Nu"), kCorrupt, "a key without a value"},
      {"DictKeyWithoutValue", pickle("(Nd"), kCorrupt, "a key without a value"},
      {"ReduceOfAString", pickle(text("f") + ")R"), kCorrupt, "REDUCE: expected a global"},
      {"ReduceWithoutArguments", pickle(global("good", "Class") + "NR"), kCorrupt,
       "expected a tuple of arguments"},
      {"BuildOfADict", pickle("}Nb"), kCorrupt, "BUILD: expected an object"},
      {"KeywordsAreNoDict", pickle(global("good", "Class") + ")N\x92"), kCorrupt,
       "expected a dict of arguments"},
  };
}

TEST(Pickle, EveryWrongPickleIsRefusedWithItsReason) {
  for (const WrongPickle& wrong : wrong_pickles()) {
    SCOPED_TRACE(wrong.name);
    Result<Pickle> result = read_pickle(wrong.bytes);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.assume_error().code, wrong.code) << result.assume_error().message;
    EXPECT_THAT(result.assume_error().message, HasSubstr(wrong.message));
  }
}

TEST_F(PickleTest, TextThatIsNotUtf8IsBytes) {
  const PickleValue& any = root_of("U\x02\xff\xfe");  // Python 2's str
  EXPECT_EQ(any.kind, PickleKind::kBytes);
  EXPECT_EQ(any.text, "\xff\xfe");
  EXPECT_EQ(root_of("\x8c\x03\xed\xa0\x80").kind, PickleKind::kBytes);  // a lone surrogate
}

TEST_F(PickleTest, NamesOfGlobalsAreKept) {
  root_of(global("good", "Class"));
  EXPECT_EQ(pickle_.global_name(pickle_.root()), "good.Class");
  root_of(text("good") + text("Class") + "\x93");
  EXPECT_EQ(pickle_.global_name(pickle_.root()), "good.Class");
}

TEST_F(PickleTest, ObjectsMayBeFilledAsListsAndSetsAndBeCalled) {
  std::string made = call(global("good", "Class"), {});
  EXPECT_EQ(root_of(made + "(NNe").kind, PickleKind::kObject);
  EXPECT_EQ(root_of(made + "(NN\x90").kind, PickleKind::kObject);
  EXPECT_EQ(root_of(made + ")R").kind, PickleKind::kObject);
}

TEST_F(PickleTest, KnowsWhereThePickleEnds) {
  bytes_ = pickle("N") + "more";
  Result<Pickle> result = read_pickle(bytes_);
  ASSERT_TRUE(result);
  EXPECT_EQ(result.assume_value().byte_count(), 4u);
}

TEST(Pickle, EveryTruncationIsRefused) {
  std::string object = call(global("good", "Class"), {integer(1), real(2)});
  std::string good = pickle(dict({{"a", object + "q\1"}, {"b", list({"h\1", bytes("x")})}}));
  EXPECT_TRUE(read_pickle(good));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(read_pickle(good.substr(0, size)));
}

// Ten lists, each of ten times the one before: ten thousand million leaves if they were copied.
TEST(Pickle, SharedValuesAreNotMultiplied) {
  std::string body = "N";
  for (int level = 0; level < 10; ++level) {
    body +=
        "q\1"
        "0](";
    for (int i = 0; i < 10; ++i) body += "h\1";
    body += "e";
  }
  Result<Pickle> result = read_pickle(pickle(body));
  ASSERT_TRUE(result) << result.assume_error().message;
  EXPECT_EQ(result.assume_value()[result.assume_value().root()].items.size(), 10u);
}

TEST(Pickle, DeepNestingNeedsNoStack) {
  constexpr std::size_t kDepth = 1000000;
  Result<Pickle> result = read_pickle(pickle("N"s + std::string(kDepth, '\x85')));
  EXPECT_TRUE(result);
}

TEST(Pickle, NumberOfValuesIsBounded) {
  Result<Pickle> result = read_pickle(pickle("("s + std::string(std::size_t{5} << 20, ']') + "t"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.assume_error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(result.assume_error().message, HasSubstr("more than 4194304 values"));
}

TEST(Pickle, SizeIsBounded) {
  Result<Pickle> result = read_pickle(pickle(std::string(std::size_t{65} << 20, 'N')));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.assume_error().message, HasSubstr("a pickle of more than 67108864 bytes"));
}

}  // namespace
}  // namespace chorus::checkpoint
