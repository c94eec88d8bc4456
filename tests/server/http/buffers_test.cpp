// What is held for clients is bounded, for each and for all together: what they send, what they do
// not read, and for how long.

#include <chrono>
#include <ctime>

#include "server/fixture.h"
#include "server/http/byte_budget.h"
#include "server/http/input_buffer.h"

namespace chorus::server {
namespace {

using std::chrono::milliseconds;

class Buffers : public ServerTest {
 protected:
  // The head of a POST whose body is still to come.
  static std::string head(std::size_t length, const std::string& headers = "") {
    return "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
           std::to_string(length) + "\r\n" + headers + "\r\n";
  }
  double connections() {
    std::string text = get("/metrics").body;
    return std::stod(text.substr(text.find("\nchorus_http_connections ") + 25));
  }
};

TEST(ByteBudget, GivesAtMostWhatItHasAndTakesAllBack) {
  ByteBudget budget(10 * HeldBytes::kBlock);
  {
    HeldBytes one(budget), two(budget);
    EXPECT_TRUE(one.resize(6 * HeldBytes::kBlock));
    EXPECT_FALSE(two.resize(5 * HeldBytes::kBlock));
    EXPECT_TRUE(two.resize(4 * HeldBytes::kBlock));
    EXPECT_FALSE(one.resize(SIZE_MAX));
    EXPECT_EQ(budget.held(), 10 * HeldBytes::kBlock);
    EXPECT_TRUE(one.resize(1));
    EXPECT_EQ(budget.held(), 4 * HeldBytes::kBlock);
  }
  EXPECT_EQ(budget.held(), 0u);
}

TEST(ByteBudget, AClientMayHoldAsMuchAsIsFree) {
  constexpr std::size_t kBlock = HeldBytes::kBlock;
  ByteBudget budget(12 * kBlock);
  auto one = std::make_shared<std::atomic<std::size_t>>(0),
       other = std::make_shared<std::atomic<std::size_t>>(0);
  {
    HeldBytes first(budget, one), second(budget, one), third(budget, other), anybodys(budget);
    EXPECT_FALSE(first.resize(7 * kBlock));
    EXPECT_TRUE(first.resize(4 * kBlock));
    EXPECT_FALSE(second.resize(3 * kBlock));
    EXPECT_TRUE(second.resize(2 * kBlock));  // together half
    EXPECT_EQ(*one, 6 * kBlock);
    EXPECT_FALSE(third.resize(4 * kBlock));
    EXPECT_TRUE(third.resize(3 * kBlock));  // of the other half
    EXPECT_FALSE(first.resize(5 * kBlock));
    EXPECT_TRUE(first.resize(3 * kBlock));     // what is held may always become less
    EXPECT_TRUE(anybodys.resize(4 * kBlock));  // the rest
    EXPECT_FALSE(third.resize(4 * kBlock));
    EXPECT_FALSE(second.resize(SIZE_MAX));
  }
  EXPECT_EQ(*one, 0u);
  EXPECT_EQ(*other, 0u);
  EXPECT_EQ(budget.held(), 0u);
}

// Erased from the front each time, 16 MiB in pieces of 40 bytes would move 3 TB.
TEST(InputBuffer, UsingBytesCostsNoMoreThanTheyAreMany) {
  InputBuffer buffer;
  constexpr std::size_t kPiece = 40, kPieces = 400'000;
  std::string piece(kPiece, 'x');
  for (std::size_t i = 0; i < kPieces; ++i) {
    piece[0] = static_cast<char>('a' + i % 26);
    buffer.append(piece);
  }
  std::clock_t begun = std::clock();
  for (std::size_t i = 0; i < kPieces; ++i) {
    ASSERT_EQ(buffer.unused()[0], static_cast<char>('a' + i % 26));
    buffer.consume(kPiece);
  }
  EXPECT_LT(static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC, 5.0);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_LE(buffer.memory(), 64u * 1024);
}

TEST_F(Buffers, BodiesAreBoundedForEachClientAndForAllTogether) {
  start({.http = {.max_body = 1'000'000, .max_buffer_total = 1'000'000}});
  for (const char* framing : {"Content-Length: 900000", "Transfer-Encoding: chunked"}) {
    std::string request = std::string("POST /tokenize HTTP/1.1\r\nHost: localhost\r\n") + framing +
                          "\r\n\r\n" + (framing[0] == 'T' ? "DBBA0\r\n" : "");
    HttpClient one(server_->port()), other(server_->port());
    for (HttpClient* client : {&one, &other}) client->send(request + std::string(300'000, ' '));
    // One of them, whichever was read last.
    bool is_one = false;
    for (int i = 0; i < kPatience && !other.has_input(10) && !is_one; ++i)
      is_one = one.has_input(0);
    HttpClient &first = is_one ? other : one, &second = is_one ? one : other;
    HttpAnswer refused = second.answer();
    EXPECT_EQ(refused.status, 503) << framing;
    EXPECT_EQ(refused.header("retry-after"), "1");
    EXPECT_EQ(error(refused).at("code"), "buffers");
    EXPECT_TRUE(second.is_closed());
    EXPECT_EQ(post("/tokenize", R"({"content":"a"})").status, 200);  // small ones go on
    HttpClient another(server_->port(), 0, "127.0.0.2");             // who has a share of his own
    another.post("/tokenize", R"({"content":")" + std::string(200'000, '-') + "\"}");
    EXPECT_EQ(another.answer().status, 200);
    another.close();
    first.close();
    EXPECT_TRUE(becomes_alone());
  }
  // What was held has been given back.
  std::string body = R"({"content":")" + std::string(200'000, '-') + "\"}";
  EXPECT_EQ(post("/tokenize", body).status, 200);
}

TEST_F(Buffers, TheKeyIsLookedAtBeforeTheBodyIsRead) {
  start({.api_keys = {"key"}});
  for (const char* wrong : {"", "Authorization: Bearer other\r\n", "Expect: 100-continue\r\n"}) {
    HttpClient client(server_->port());
    client.send(head(1'000'000, wrong));  // and nothing of it
    HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 401) << wrong;
    EXPECT_EQ(answer.header("www-authenticate"), "Bearer");
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client.is_closed());
  }
  EXPECT_NE(get("/metrics").body.find("route=\"/tokenize\",status=\"401\"} 3"), std::string::npos);
  HttpClient right(server_->port());
  right.send(head(15, "Expect: 100-continue\r\nAuthorization: Bearer key\r\n"));
  EXPECT_EQ(right.answer().status, 100);
}

// A request that is late before its answer has begun gets its error, and keeps the connection: on a busy
// machine a longer deadline is tried.
TEST_F(Buffers, AReaderThatTricklesMeetsTheRequestsDeadline) {
  std::string ids = "{\"tokens\":[15496";
  for (int i = 0; i < 100'000; ++i) ids += ",15496";
  bool has_begun = false;
  for (int deadline = 500; deadline <= 32'000 && !has_begun; deadline *= 4) {
    start({.http = {.max_buffer = 4096,
                    .idle_timeout = milliseconds(60'000),
                    .request_timeout = milliseconds(deadline)}});
    HttpClient client(server_->port(), 4096);
    client.post("/detokenize", ids + "]}");
    has_begun = client.first_bytes(12) == "HTTP/1.1 200";
    if (!has_begun) continue;
    bool is_cut = false;
    for (int i = 0; i < kPatience && !is_cut; ++i, pause()) {
      client.receive(10);  // something, always within the time for a write
      is_cut = connections() == 1;
    }
    EXPECT_TRUE(is_cut);
    EXPECT_FALSE(client.answer().is_whole);
  }
  EXPECT_TRUE(has_begun);
}

}  // namespace
}  // namespace chorus::server
