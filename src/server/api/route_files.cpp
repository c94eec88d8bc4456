// Files under --static-dir.

#include <algorithm>
#include <utility>

#include "server/api/routes.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t kPiece = 64 * 1024;

}  // namespace

asio::awaitable<void> send_file(Exchange& exchange, StaticFile file, ResponseHead::Headers more) {
  FileAnswer answer = answer_file(exchange.request(), file);
  for (auto& header : more) answer.head.headers.push_back(std::move(header));
  if (answer.head.status == 304) co_return co_await exchange.respond(answer.head, "");
  co_await exchange.send_head(answer.head, answer.length);
  if (exchange.is_head()) co_return;
  for (std::uint64_t sent = 0; sent < answer.length;) {
    std::string piece = file.read(answer.begin + sent, std::min(kPiece, answer.length - sent));
    if (piece.empty()) co_return exchange.connection().abort("the file became shorter");
    if (!co_await exchange.send(piece)) co_return;
    sent += piece.size();
  }
}

}  // namespace chorus::server
