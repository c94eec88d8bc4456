// The page: / and /ui/NAME, from inside the program or from --ui-dir. Everything in it is relative, so
// it works under a path that a proxy puts in front.

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/api/ui_files.h"

namespace chorus::server {
namespace {

// Scripts, styles and requests are this server's alone, and no text can become markup.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

constexpr std::string_view kIndex = "index.html";

const char* type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "image/svg+xml";
}

// Whether `accepted` (Accept-Encoding) has gzip, and not with the weight 0.
bool takes_gzip(std::string_view accepted) {
  for (std::size_t begin = 0; begin < accepted.size();) {
    std::size_t end = std::min(accepted.find(',', begin), accepted.size());
    std::string one;
    for (char c : accepted.substr(begin, end - begin)) {
      if (c != ' ' && c != '\t') {
        one += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    begin = end + 1;
    std::string_view coding = std::string_view(one).substr(0, one.find(';'));
    if (coding != "gzip" && coding != "x-gzip") continue;
    std::size_t weight = one.find(";q=");
    return weight == std::string::npos ||
           one.find_first_not_of("0.", weight + 3) != std::string::npos;
  }
  return false;
}

// Of the page itself; on its parts they do no harm.
ResponseHead::Headers page_headers() {
  return {{"Content-Security-Policy", kPolicy},
          {"Referrer-Policy", "no-referrer"},
          {"X-Frame-Options", "DENY"}};
}

struct UiAnswer {
  ResponseHead head;
  std::string_view body;
};

UiAnswer answer_of(const HttpRequest& request, const UiFile& file) {
  bool gzip = takes_gzip(request.header("accept-encoding"));
  std::string tag = "\"" + std::string(file.hash) + (gzip ? "-gz\"" : "\"");
  UiAnswer answer{ResponseHead(200, type_of(file.name)), gzip ? file.gzip : file.plain};
  std::string_view known = request.header("if-none-match");
  if (known == "*" || known.find(tag) != std::string_view::npos) {
    answer = {ResponseHead(304), {}};
  } else if (gzip) {
    answer.head.headers.emplace_back("Content-Encoding", "gzip");
  }
  answer.head.headers.emplace_back("ETag", tag);
  answer.head.headers.emplace_back("Cache-Control", "no-cache");
  answer.head.headers.emplace_back("Vary", "Accept-Encoding");
  for (auto& header : page_headers()) answer.head.headers.push_back(std::move(header));
  return answer;
}

Task<void> answer_ui(App& app, Exchange& exchange, std::string_view name) {
  if (!app.options.ui_dir.empty()) {
    HttpResult<std::optional<StaticFile>> file = app.ui_files.find("/" + std::string(name));
    const ResponseHead::Headers headers = page_headers();
    bool is_answered = co_await send_if_found(exchange, file, headers);
    if (is_answered) co_return;
    co_return co_await static_file(app, exchange);
  }
  const UiFile* file = app.options.ui ? find_ui_file(name) : nullptr;
  if (file == nullptr) co_return co_await static_file(app, exchange);
  UiAnswer answer = answer_of(exchange.request(), *file);
  co_await exchange.respond(std::move(answer.head), answer.body);
}

}  // namespace

Task<void> front_page(App& app, Exchange& exchange) {
  HttpResult<std::optional<StaticFile>> file = app.files.find("/");
  const ResponseHead::Headers none;
  bool is_answered = co_await send_if_found(exchange, file, none);
  if (is_answered) co_return;
  if (app.options.ui || !app.options.ui_dir.empty()) {
    co_return co_await answer_ui(app, exchange, kIndex);
  }
  co_await list_routes(exchange);
}

Task<void> ui_file(App& app, Exchange& exchange) {
  co_await answer_ui(app, exchange, exchange.rest);
}

}  // namespace chorus::server
