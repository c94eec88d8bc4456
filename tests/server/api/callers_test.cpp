// Who is answered at all: pages of other origins and names that are not this server's are not; and
// whose prompts the prefix cache tells of.

#include "server/api/callers.h"

#include <set>

#include "engine/engine_impl.h"
#include "server/fixture.h"

namespace chorus::server {
namespace {

HttpRequest request_with(std::vector<std::pair<std::string, std::string>> headers,
                         const std::string& method = "POST") {
  HttpRequest request;
  request.method = method;
  request.headers = std::move(headers);
  return request;
}

TEST(RefusePage, OnlyTheServersOwnAndAllowedOrigins) {
  const std::vector<std::string> none, some{"https://a.example"}, any{"*"};
  auto of = [](const std::string& origin) {
    return request_with({{"host", "localhost:4444"}, {"origin", origin}});
  };
  EXPECT_FALSE(refuse_page(request_with({{"host", "localhost"}}), none));  // curl
  EXPECT_FALSE(refuse_page(of("http://localhost:4444"), none));
  EXPECT_FALSE(refuse_page(of("HTTP://LocalHost:4444"), none));
  EXPECT_FALSE(refuse_page(of("https://a.example"), some));
  EXPECT_FALSE(refuse_page(of("null"), any));
  for (const char* other : {"http://localhost", "http://localhost:3000", "http://evil.example",
                            "null", "http://localhost:4444.evil.example", "localhost:4444"}) {
    EXPECT_TRUE(refuse_page(of(other), none)) << other;
    EXPECT_TRUE(refuse_page(of(other), some)) << other;
    EXPECT_EQ(refuse_page(of(other), none)->status, 403);
  }
  // Images and forms of other sites come without Origin; a link that is followed, too.
  auto site = [](const std::string& value, const std::string& mode) {
    return request_with(
        {{"host", "localhost"}, {"sec-fetch-site", value}, {"sec-fetch-mode", mode}}, "GET");
  };
  EXPECT_TRUE(refuse_page(site("cross-site", "no-cors"), none));
  EXPECT_TRUE(refuse_page(site("same-site", "no-cors"), some));
  EXPECT_FALSE(refuse_page(site("cross-site", "no-cors"), any));
  EXPECT_FALSE(refuse_page(site("cross-site", "navigate"), none));
  EXPECT_FALSE(refuse_page(site("same-origin", "cors"), none));
  EXPECT_FALSE(refuse_page(site("none", "navigate"), none));
}

TEST(RefuseHost, OnlyLoopbackAndAllowedNames) {
  for (const char* own : {"localhost", "LOCALHOST:4444", "127.0.0.1:4444", "127.1.2.3", "[::1]:80",
                          "api.localhost"}) {
    EXPECT_FALSE(refuse_host(request_with({{"host", own}}), {})) << own;
  }
  for (const char* other : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                            "10.0.0.1", "[::2]", "127.evil", "0.0.0.0", "1270.0.0.1"}) {
    EXPECT_TRUE(refuse_host(request_with({{"host", other}}), {})) << other;
  }
  EXPECT_FALSE(refuse_host(request_with({{"host", "Chorus.Example:80"}}), {"chorus.example"}));
  EXPECT_FALSE(refuse_host(request_with({{"host", "evil.example"}}), {"*"}));
}

class Callers : public ServerTest {
 protected:
  HttpAnswer ask(const std::string& headers) {
    HttpClient client(server_->port());
    client.send("POST /tokenize HTTP/1.1\r\nContent-Length: 15\r\n" + headers +
                "\r\n{\"content\":\"a\"}");
    return client.answer();
  }
  std::int64_t cached(const std::string& fields, const std::string& headers) {
    std::string prompt;
    for (int i = 0; i < 80; ++i) prompt += " secret";
    HttpAnswer answer = post(
        "/v1/completions",
        R"({"max_tokens":4,"seed":1,"ignore_eos":true,"prompt":")" + prompt + "\"" + fields + "}",
        headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    boost::json::value body = parse(answer.body);
    texts_.insert(std::string(body.at("choices").at(0).at("text").as_string()));
    return body.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int64();
  }
  std::set<std::string> texts_;
};

TEST_F(Callers, APageOfAnotherSiteComputesNothing) {
  start();
  EXPECT_EQ(ask("Host: localhost\r\n").status, 200);
  HttpAnswer page =
      ask("Host: localhost\r\nContent-Type: text/plain\r\nOrigin: http://evil.example\r\n");
  EXPECT_EQ(page.status, 403);
  EXPECT_EQ(error(page).at("code"), "origin_not_allowed");
  HttpAnswer rebound = ask("Host: evil.example\r\n");
  EXPECT_EQ(rebound.status, 403);
  EXPECT_EQ(error(rebound).at("code"), "host_not_allowed");
  for (const char* invalid : {"a b", "http://localhost", "local/host", "[::1", "localhost:x",
                              "localhost:123456", "", "a@b", "[::1]x"}) {
    EXPECT_EQ(ask(std::string("Host: ") + invalid + "\r\n").status, 400) << invalid;
  }
}

TEST_F(Callers, WithKeysAnyHostIsAnswered) {
  start({.api_keys = {"key"}});
  EXPECT_EQ(ask("Host: chorus.example\r\nAuthorization: Bearer key\r\n").status, 200);
}

TEST_F(Callers, TheCacheTellsNobodyOfAnothersPrompts) {
  start({.api_keys = {"one", "two"}});
  const std::string one = "Authorization: Bearer one\r\n", two = "Authorization: Bearer two\r\n";
  EXPECT_EQ(cached("", one), 0);
  EXPECT_GT(cached("", one), 64);
  EXPECT_EQ(cached("", two), 0);
  EXPECT_GT(cached("", two), 64);
  const std::string salted = R"(,"cache_salt":"mine")";
  EXPECT_EQ(cached(salted, one), 0);
  EXPECT_GT(cached(salted, one), 64);
  EXPECT_EQ(cached(salted, two), 0);
  EXPECT_EQ(cached(R"(,"cache_salt":"minE")", one), 0);
  EXPECT_GT(cached(R"(,"cache_salt":"")", one), 64);
  EXPECT_EQ(texts_.size(), 1u) << "the text depends on the cache";
  EXPECT_TRUE(EngineInternals::check_integrity(*engine_));
}

TEST_F(Callers, WithoutKeysASaltAloneSeparates) {
  start();
  EXPECT_EQ(cached("", ""), 0);
  EXPECT_GT(cached("", "Authorization: Bearer whatever\r\n"), 64);
  EXPECT_EQ(cached(R"(,"cache_salt":"mine")", ""), 0);
  EXPECT_GT(cached(R"(,"cache_salt":"mine")", ""), 64);
}

}  // namespace
}  // namespace chorus::server
