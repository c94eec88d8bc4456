// What is read as a request, and what is refused so that nobody in front can read it differently.

#include "server/http/request_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace chorus::server {
namespace {

constexpr ReaderLimits kLimits{2048, 100};

struct Outcome {
  int status = 0;  // 0: no error
  bool is_done = false;
  HttpRequest request = {};
  std::size_t used = 0;
};

// Gives `bytes` in pieces of `piece`, each with what was left before.
Outcome read(const std::string& bytes, std::size_t piece = SIZE_MAX) {
  RequestReader reader(kLimits);
  Outcome outcome;
  std::string input;
  std::size_t given = 0;
  while (true) {
    HttpResult<std::size_t> used = reader.put(input);
    if (!used) {
      outcome.status = used.assume_error().status;
      return outcome;
    }
    input.erase(0, used.assume_value());
    outcome.used += used.assume_value();
    if (reader.is_done() || given >= bytes.size()) break;
    std::string next = bytes.substr(given, piece);
    input += next;
    given += next.size();
  }
  outcome.is_done = reader.is_done();
  outcome.request = reader.request();
  return outcome;
}

TEST(RequestReader, ReadsTheSameInAnyPieces) {
  const std::string bytes =
      "POST /tokenize?a=b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n";
  for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, bytes.size()}) {
    Outcome outcome = read(bytes, piece);
    ASSERT_TRUE(outcome.is_done) << piece << " " << outcome.status;
    EXPECT_EQ(outcome.request.method, "POST");
    EXPECT_EQ(outcome.request.target, "/tokenize?a=b");
    EXPECT_EQ(outcome.request.header("x-a"), "1");
    EXPECT_EQ(outcome.request.body, "abcde");
  }
}

TEST(RequestReader, AnEmptyChunkedBodyMayComeByteByByte) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"0\r\n\r\n", "0\r\nX: y\r\n\r\n", "1\r\na\r\n0\r\n\r\n"}) {
    for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4}}) {
      Outcome outcome = read(head + body, piece);
      ASSERT_TRUE(outcome.is_done) << piece << " " << outcome.status;
      EXPECT_EQ(outcome.request.body, body[0] == '1' ? "a" : "");
    }
  }
}

TEST(RequestReader, LeavesTheNextRequestAlone) {
  const std::string first = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
  Outcome outcome = read(first + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(outcome.is_done);
  EXPECT_EQ(outcome.request.target, "/a");
  EXPECT_EQ(outcome.used, first.size());
}

TEST(RequestReader, OneEmptyLineBeforeARequestIsPassedOver) {
  const std::string request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{99}}) {
    Outcome outcome = read("\r\n" + request, piece);
    ASSERT_TRUE(outcome.is_done) << piece << " " << outcome.status;
    EXPECT_EQ(outcome.request.target, "/a");
    EXPECT_EQ(outcome.used, request.size() + 2);
  }
  RequestReader reader(kLimits);
  EXPECT_EQ(reader.put("\r").assume_value(), 0u);
  EXPECT_EQ(reader.put("\r\n").assume_value(), 2u);
  EXPECT_FALSE(reader.has_begun());
}

TEST(RequestReader, KeepsAliveByTheVersion) {
  EXPECT_TRUE(read("GET / HTTP/1.1\r\nHost: x\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
}

TEST(RequestReader, TakesTheAbsoluteFormForAPath) {
  EXPECT_EQ(read("GET http://host:1/a?b HTTP/1.1\r\nHost: x\r\n\r\n").request.target, "/a?b");
  EXPECT_EQ(read("GET http://host HTTP/1.1\r\nHost: x\r\n\r\n").request.target, "/");
}

TEST(RequestReader, TrailersAreNoHeaders) {
  Outcome outcome = read(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n");
  ASSERT_TRUE(outcome.is_done);
  EXPECT_EQ(outcome.request.header("authorization"), "");
}

struct Refused {
  const char* name;
  int status;
  std::string bytes;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }

class RequestReaderRefuses : public testing::TestWithParam<Refused> {};

TEST_P(RequestReaderRefuses, AtOnceAndByteByByte) {
  EXPECT_EQ(read(GetParam().bytes).status, GetParam().status);
  EXPECT_EQ(read(GetParam().bytes, 1).status, GetParam().status);
}

const std::string kPost = "POST / HTTP/1.1\r\nHost: x\r\n";
const std::string kGet = "GET / HTTP/1.1\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Cases, RequestReaderRefuses,
    testing::Values(
        Refused{"TwoLengths", 400, kPost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
        Refused{"TwoEqualLengths", 400, kPost + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
        Refused{"ListOfLengths", 400, kPost + "Content-Length: 1, 1\r\n\r\na"},
        Refused{"SignedLength", 400, kPost + "Content-Length: +1\r\n\r\na"},
        Refused{"NegativeLength", 400, kPost + "Content-Length: -1\r\n\r\na"},
        Refused{"HexLength", 400, kPost + "Content-Length: 0x1\r\n\r\na"},
        Refused{"LengthAndCoding", 400,
                kPost + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Refused{"CodingAndLength", 400,
                kPost + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"},
        Refused{
            "TwoCodings", 400,
            kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Refused{"OtherCoding", 501, kPost + "Transfer-Encoding: gzip\r\n\r\n"},
        Refused{"CodingBehindChunked", 501, kPost + "Transfer-Encoding: chunked, gzip\r\n\r\n"},
        Refused{"CodingBeforeChunked", 501,
                kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        Refused{"CodingInVersion10", 400,
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Refused{"ChunkSizeThatIsNone", 400, kChunked + "xyz\r\nabc\r\n0\r\n\r\n"},
        Refused{"ChunkSizeThatOverflows", 400, kChunked + "10000000000000000\r\na\r\n0\r\n\r\n"},
        Refused{"ChunkLongerThanItSays", 400, kChunked + "1\r\nabc\r\n0\r\n\r\n"},
        Refused{"ChunkLineWithoutEnd", 400, kChunked + "1;" + std::string(4096, 'x')},
        Refused{"LineFeedInChunkExtension", 400, kChunked + "1;x=\"\n\"\r\na\r\n0\r\n\r\n"},
        Refused{"LineFeedInLastChunkExtension", 400, kChunked + "0;x=\"\n\"\r\n\r\n"},
        Refused{"ControlInChunkExtension", 400, kChunked + "1;x=\"\x01\"\r\na\r\n0\r\n\r\n"},
        Refused{"ChunkLineThatALineFeedEnds", 400, kChunked + "3\nabc"},
        Refused{"LaterChunkLineThatALineFeedEnds", 400, kChunked + "1\r\na\r\n3\nabc"},
        Refused{"TrailerThatALineFeedEnds", 400, kChunked + "0\r\nX: y\n"},
        Refused{"TwoEmptyLines", 400, "\r\n\r\n" + kGet + "Host: x\r\n\r\n"},
        Refused{"BareLineFeedBefore", 400, "\n" + kGet + "Host: x\r\n\r\n"},
        Refused{"BareLineFeeds", 505, "GET / HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\r\n\r\n\r\n"},
        Refused{"BareLineFeedInHeader", 400, kGet + "Host: x\nX: y\r\n\r\n"},
        Refused{"BareCarriageReturn", 400, kGet + "Host: x\rX: y\r\n\r\n"},
        Refused{"FoldedHeader", 400, kGet + "Host: x\r\nX: a\r\n b\r\n\r\n"},
        Refused{"SpaceBeforeColon", 400, kGet + "Host : x\r\n\r\n"},
        Refused{"NulInHeader", 400, kGet + "Host: x\r\nX: " + std::string(1, '\0') + "\r\n\r\n"},
        Refused{"NoHost", 400, kGet + "\r\n"},
        Refused{"TwoHosts", 400, kGet + "Host: x\r\nHost: y\r\n\r\n"},
        Refused{"NoPath", 400, "GET x HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"Authority", 400, "CONNECT host:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"Fragment", 400, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"SpaceInTarget", 505, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"NoHttp", 400, "\x16\x03\x01\x02\r\n\r\n"},
        Refused{"Version09", 505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"},
        Refused{"Version20", 505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
        Refused{"OtherExpectation", 417, kPost + "Expect: magic\r\nContent-Length: 1\r\n\r\na"},
        Refused{"LongHead", 431, kGet + "Host: x\r\nX: " + std::string(4096, 'x') + "\r\n\r\n"},
        Refused{"LongTarget", 431, "GET /" + std::string(4096, 'x') + " HTTP/1.1\r\n\r\n"},
        Refused{"LongBody", 413, kPost + "Content-Length: 101\r\n\r\n" + std::string(101, 'x')},
        Refused{"LongChunks", 413, kChunked + "65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n"}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace chorus::server
