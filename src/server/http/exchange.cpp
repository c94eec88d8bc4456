#include "server/http/exchange.h"

#include <utility>

#include "server/http/cors.h"
#include "server/http/request_id.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

// What a client that went away is counted as, after nginx.
constexpr int kClientGone = 499;

// A body that is sent behind its head, and not in one buffer with it.
constexpr std::size_t kLongBody = 16 * 1024;

std::string choose_id(const HttpRequest& request) {
  std::string_view own = request.header("x-request-id");
  return is_sane_request_id(own) ? std::string(own) : new_request_id();
}

}  // namespace

Exchange::Exchange(Connection& connection, const HttpRequest& request)
    : connection_(connection),
      request_(request),
      id_(choose_id(request)),
      client_(connection.service().proxies.client(connection.peer(), request)),
      keep_alive_(request.keep_alive && !connection.service().draining) {}

void Exchange::append_head(std::string& out, ResponseHead head, BodyFraming framing) {
  status_ = head.status;
  for (auto& header : headers) head.headers.push_back(header);
  head.headers.emplace_back("X-Request-Id", id_);
  add_cors(head, request_, service().options.cors_origins, service().handler.exposed_headers());
  if (service().draining) keep_alive_ = false;
  framing.close = !keep_alive_;
  framing.announce_keep_alive = keep_alive_ && request_.version == 10;
  server::append_head(out, head, framing, connection_.loop().date());
}

asio::awaitable<bool> Exchange::send(std::string_view data) {
  bytes_ += data.size();
  co_return co_await connection_.send(data);
}

asio::awaitable<void> Exchange::respond(ResponseHead head, std::string_view body) {
  std::string out;
  BodyFraming framing;
  if (head.status != 204 && head.status != 304) framing.length = body.size();
  append_head(out, std::move(head), framing);
  bool is_long = body.size() > kLongBody;
  if (!is_head() && !is_long) out += body;
  if (!co_await send(out) || is_head() || !is_long) co_return;
  co_await send(body);
}

asio::awaitable<void> Exchange::respond(ResponseHead head, BodyPieces body) {
  co_await send_head(std::move(head), body.size());
  std::vector<BodyPiece> pieces = body.take();
  for (BodyPiece& piece : pieces) {
    if (is_head() || !co_await send(*piece)) co_return;
    piece.reset();
  }
}

asio::awaitable<void> Exchange::send_head(ResponseHead head, std::uint64_t length) {
  std::string out;
  append_head(out, std::move(head), {.length = length});
  co_await send(out);
}

void Exchange::begin_stream(ResponseHead head) {
  chunked_ = request_.version == 11;
  if (!chunked_) close_after();
  head.headers.emplace_back("X-Accel-Buffering", "no");  // nginx would hold it back
  append_head(pending_, std::move(head), {.chunked = chunked_});
}

void Exchange::add_chunk(std::string_view data) {
  if (chunked_) {
    append_chunk(pending_, data);
  } else {
    pending_ += data;
  }
}

asio::awaitable<bool> Exchange::flush() {
  std::string out = std::exchange(pending_, {});
  co_return co_await send(out);
}

asio::awaitable<void> Exchange::end_stream() {
  if (chunked_ && !is_head()) pending_ += kLastChunk;
  co_await flush();
}

void Exchange::report() {
  std::chrono::duration<double> elapsed = Connection::Clock::now() - begun_;
  service().observer.answered({.id = id_,
                               .peer = connection_.peer(),
                               .client = client_,
                               .method = request_.method,
                               .route = route,
                               .target = service().options.log_targets
                                             ? std::string_view(request_.target)
                                             : std::string_view(),
                               .model = model,
                               .outcome = connection_.abort_reason(),
                               .error = error,
                               .status = connection_.is_gone() ? kClientGone : status_,
                               .bytes = bytes_,
                               .seconds = elapsed.count(),
                               .prompt_tokens = prompt_tokens,
                               .generated_tokens = generated_tokens,
                               .is_quiet = is_quiet});
}

}  // namespace chorus::server
