// The page at / as bytes: what it is served with, from the program and from a folder. What it does in a
// browser is tested in tests/web.

#include <filesystem>
#include <fstream>

#include "server/api/ui_files.h"
#include "server/fixture.h"
#include "support/scratch_folder.h"

namespace chorus::server {
namespace {

class UiRoute : public ServerTest {
 protected:
  void start_page(ServerOptions options = {}) {
    options.port = 0;
    options.log_level = "off";
    start_with(std::move(options), {});
  }
};

TEST_F(UiRoute, ThePageIsServedWithAPolicyATagAndGzipped) {
  start_page();
  HttpAnswer page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("content-encoding"), "");
  EXPECT_EQ(page.header("vary"), "Accept-Encoding");
  EXPECT_TRUE(page.body.starts_with("<!doctype html>"));
  EXPECT_EQ(page.body, find_ui_file("index.html")->plain);
  std::string policy = page.header("content-security-policy");
  for (const char* part : {"default-src 'none'", "script-src 'self'", "connect-src 'self'",
                           "require-trusted-types-for 'script'", "frame-ancestors 'none'"}) {
    EXPECT_NE(policy.find(part), std::string::npos) << part;
  }

  HttpAnswer zipped = get("/", "Accept-Encoding: br, GZIP;q=0.5\r\n");
  EXPECT_EQ(zipped.header("content-encoding"), "gzip");
  EXPECT_TRUE(zipped.body.starts_with("\x1f\x8b"));
  EXPECT_LT(zipped.body.size(), page.body.size() / 2);
  EXPECT_NE(zipped.header("etag"), page.header("etag"));
  for (const char* plain : {"gzip;q=0", "gzip; q=0.000", "br", "identity", "notgzip", ""}) {
    EXPECT_EQ(get("/", std::string("Accept-Encoding: ") + plain + "\r\n").body, page.body) << plain;
  }

  EXPECT_EQ(get("/", "If-None-Match: " + page.header("etag") + "\r\n").status, 304);
  EXPECT_EQ(get("/", "If-None-Match: W/\"x\", " + page.header("etag") + "\r\n").status, 304);
  EXPECT_EQ(get("/", "If-None-Match: " + zipped.header("etag") + "\r\n").status, 200);
}

TEST_F(UiRoute, ItsPartsAreThereAndNothingElse) {
  start_page({.api_keys = {"secret"}});  // who asks for a key shows where to give it
  EXPECT_EQ(get("/ui/main.js").header("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/ui/style.css").header("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(get("/ui/icon.svg").header("content-type"), "image/svg+xml");
  for (const char* none : {"/ui/", "/ui/none.js", "/ui/../main.js", "/main.js", "/ui/main.js.gz"}) {
    EXPECT_EQ(get(none).status, 404) << none;
  }
  EXPECT_EQ(post("/", "").status, 405);
  // Every part that the page's files name is one, and every name is relative.
  std::string index(find_ui_file("index.html")->plain);
  EXPECT_EQ(index.find("src=\"/"), std::string::npos);
  EXPECT_EQ(index.find("href=\"/"), std::string::npos);
  std::string main(find_ui_file("main.js")->plain);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = main.find("from \"./", at)) != std::string::npos; ++count) {
    at += 8;
    std::string name = main.substr(at, main.find('"', at) - at);
    EXPECT_NE(find_ui_file(name), nullptr) << name;
  }
  EXPECT_GT(count, 5u);
}

TEST_F(UiRoute, TheProgramsCanBeLeftOutOrReplacedByAFolders) {
  start_page({.ui = false});
  EXPECT_NE(get("/").body.find("This server answers"), std::string::npos);
  EXPECT_EQ(get("/ui/main.js").status, 404);

  test::ScratchFolder folder;
  std::filesystem::create_directory(folder.file("ui"));
  std::ofstream(folder.file("ui/index.html")) << "<p>mine";
  std::ofstream(folder.file("ui/a.js")) << "1";
  std::ofstream(folder.file("secret.txt")) << "secret";
  start_page({.ui_dir = folder.file("ui")});
  HttpAnswer mine = get("/");
  EXPECT_EQ(mine.body, "<p>mine");
  EXPECT_NE(mine.header("content-security-policy"), "");
  EXPECT_EQ(get("/ui/a.js").body, "1");
  EXPECT_EQ(get("/ui/main.js").status, 404);  // not the program's among the folder's
  EXPECT_EQ(get("/ui/../secret.txt").status, 404);
  EXPECT_EQ(get("/ui/%2e%2e/secret.txt").status, 404);

  // A site of one's own stands at / as before.
  std::ofstream(folder.file("index.html")) << "<p>site";
  start_page({.static_dir = folder.file(".")});
  EXPECT_EQ(get("/").body, "<p>site");
  EXPECT_EQ(get("/ui/main.js").status, 200);
}

TEST_F(UiRoute, TokensComeWithTheirPiecesOnRequest) {
  start();
  namespace json = boost::json;
  std::vector<std::int32_t> ids = engine_->encode("Hé 🦉").assume_value();
  json::value there = post_json("/tokenize", R"({"content":"Hé 🦉","with_pieces":true})");
  json::value back = post_json(
      "/detokenize",
      json::serialize(json::object{{"tokens", json::value_from(ids)}, {"with_pieces", true}}));
  EXPECT_EQ(back.at("content"), "Hé 🦉");
  EXPECT_EQ(there.at("tokens"), back.at("pieces"));
  EXPECT_EQ(there.at("count"), ids.size());
  std::string bytes;
  std::size_t parts = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const json::value& token = there.at("tokens").at(i);
    EXPECT_EQ(token.at("id"), ids[i]);
    if (token.at("piece").is_string()) {
      bytes += token.at("piece").as_string();
      continue;
    }
    ++parts;
    for (const json::value& byte : token.at("piece").as_array()) {
      bytes += static_cast<char>(byte.as_int64());
    }
  }
  EXPECT_EQ(bytes, "Hé 🦉");
  EXPECT_GT(parts, 0u);
  EXPECT_FALSE(post_json("/detokenize", R"({"tokens":[1]})").as_object().contains("pieces"));
}

}  // namespace
}  // namespace chorus::server
