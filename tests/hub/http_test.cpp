#include "hub/http.h"

#include <gtest/gtest.h>

#include "hub/digest.h"

namespace chorus::hub {
namespace {

HttpResponse read_head(std::initializer_list<const char*> lines) {
  HttpResponse response;
  for (const char* line : lines) read_header_line(line, response);
  return response;
}

TEST(HttpHeader, RedirectKeepsOnlyWhatItSaysOfTheLinkedFile) {
  HttpResponse response = read_head(
      {"HTTP/2 302 \r\n", "etag: \"of the redirect\"\r\n", "X-Linked-Etag: \"abc\"\r\n",
       "x-linked-size: 12\r\n", "content-length: 5\r\n", "\r\n", "HTTP/1.1 200 OK\r\n",
       "ETag:\"cdn\"\r\n", "X-Linked-Etag: \"not this\"\r\n", "Content-Length: 12\r\n", "\r\n"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.linked_etag, "\"abc\"");
  EXPECT_EQ(response.linked_size, 12u);
  EXPECT_EQ(response.etag, "\"cdn\"");
  EXPECT_EQ(response.content_length, 12u);
}

TEST(HttpHeader, ContentRangeGivesBeginAndTotal) {
  HttpResponse part = read_head({"HTTP/1.1 206 x\r\n", "Content-Range: bytes 5-9/10\r\n"});
  EXPECT_EQ(part.range_begin, 5u);
  EXPECT_EQ(part.range_total, 10u);
  HttpResponse none = read_head({"HTTP/1.1 416 x\r\n", "Content-Range: bytes */10\r\n"});
  EXPECT_FALSE(none.range_begin);
  EXPECT_EQ(none.range_total, 10u);
  HttpResponse bad =
      read_head({"HTTP/1.1 206 x\r\n", "Content-Range: bytes 5x-9/99999999999999999999\r\n"});
  EXPECT_FALSE(bad.range_begin);
  EXPECT_FALSE(bad.range_total);
}

TEST(HttpHeader, WrongNumbersAreNoNumbers) {
  EXPECT_FALSE(read_head({"HTTP/1.1 200 x", "Content-Length: -1"}).content_length);
  EXPECT_FALSE(read_head({"HTTP/1.1 200 x", "Content-Length: 1e9"}).content_length);
  EXPECT_EQ(read_head({"HTTP/1.1"}).status, 0);
}

TEST(HttpHeader, ServersWordsBecomeOnePrintableLine) {
  HttpResponse response = read_head({"HTTP/1.1 404 x", "X-Error-Message: no\x1b[2J such\tmodel"});
  EXPECT_EQ(response.error_message, "no?[2J such?model");
}

TEST(HttpRedirect, HttpsNeverLeadsToHttp) {
  EXPECT_STREQ(redirect_protocols("https://huggingface.co/x"), "https");
  EXPECT_STREQ(redirect_protocols("HTTPS://huggingface.co/x"), "https");
  EXPECT_STREQ(redirect_protocols("http://localhost/x"), "http,https");
}

TEST(Digest, EtagTellsWhichHashItIs) {
  std::string sha256(64, 'A'), sha1(40, 'b');
  EXPECT_EQ(stated_digest("\"" + sha256 + "\"").kind, DigestKind::kSha256);
  EXPECT_EQ(stated_digest("\"" + sha256 + "\"").hex, std::string(64, 'a'));
  EXPECT_EQ(stated_digest("W/\"" + sha1 + "\"").kind, DigestKind::kGitBlob);
  EXPECT_EQ(stated_digest(sha1).kind, DigestKind::kGitBlob);
  EXPECT_EQ(stated_digest("\"" + std::string(64, 'g') + "\"").kind, DigestKind::kNone);
  EXPECT_EQ(stated_digest("\"d41d8cd98f00b204e9800998ecf8427e-5\"").kind, DigestKind::kNone);
  EXPECT_EQ(stated_digest("").kind, DigestKind::kNone);
}

}  // namespace
}  // namespace chorus::hub
