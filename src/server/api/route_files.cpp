// Files under --static-dir.

#include <algorithm>
#include <utility>

#include "server/api/respond.h"
#include "server/api/routes.h"

namespace chorus::server {
namespace {

constexpr std::uint64_t kPiece = 64 * 1024;

}  // namespace

Task<void> send_file(Exchange& exchange, StaticFile file, ResponseHead::Headers more) {
  FileAnswer answer = answer_file(exchange.request(), file);
  for (auto& header : more) answer.head.headers.push_back(std::move(header));
  if (answer.head.status == 304) co_return co_await exchange.respond(answer.head, "");
  co_await exchange.send_head(answer.head, answer.length);
  if (exchange.is_head()) co_return;
  for (std::uint64_t sent = 0; sent < answer.length;) {
    std::string piece = file.read(answer.begin + sent, std::min(kPiece, answer.length - sent));
    if (piece.empty()) co_return exchange.connection().abort("the file cannot be read further");
    if (!co_await exchange.send(piece)) co_return;
    sent += piece.size();
  }
}

Task<bool> send_if_found(Exchange& exchange, HttpResult<std::optional<StaticFile>>& found,
                         const ResponseHead::Headers& more) {
  if (!found) {
    ApiError error(found.assume_error());
    co_await respond_error(exchange, error);
    co_return true;
  }
  std::optional<StaticFile>& file = found.assume_value();
  if (!file) co_return false;
  co_await send_file(exchange, std::move(*file), more);
  co_return true;
}

}  // namespace chorus::server
