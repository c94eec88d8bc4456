#include "server/http/exchange.h"

#include <utility>

#include "server/http/cors.h"

namespace chorus::server {
namespace {

// What a client that went away is counted as, after nginx.
constexpr int kClientGone = 499;

// A body that is sent behind its head, and not in one buffer with it.
constexpr std::size_t kLongBody = 16 * 1024;

// What an answer's buffer keeps for the next one.
constexpr std::size_t kKept = 4 * 1024;

}  // namespace

Exchange::Exchange(Connection& connection, const HttpRequest& request)
    : connection_(connection),
      request_(request),
      id_(request.header("x-request-id")),
      client_(connection.address()),
      keep_alive_(request.keep_alive && !connection.service().draining) {
  if (!is_sane_request_id(id_)) {
    new_id_ = new_request_id();
    id_ = {new_id_.data(), new_id_.size()};
  }
  if (connection.is_proxy()) {
    forwarded_for_ = service().proxies.client(connection.peer(), request);
    client_ = forwarded_for_;
  }
}

// Behind a proxy it is the share of whom that names; the proxy itself has no bound.
HeldBytes Exchange::hold() {
  std::shared_ptr<AddressShare> share = connection_.share();
  if (client_ != connection_.address()) share = service().shares.of(network_of(client_));
  return HeldBytes(service().buffers, bytes_of(share));
}

void Exchange::append_head(std::string& out, ResponseHead& head, BodyFraming framing) {
  status_ = head.status;
  for (auto& header : headers) head.headers.push_back(header);
  add_cors(head, request_, service().options.cors_origins, service().handler.exposed_headers());
  if (service().draining) keep_alive_ = false;
  framing.close = !keep_alive_;
  framing.announce_keep_alive = keep_alive_ && request_.version == 10;
  server::append_head(out, head, framing, {.date = connection_.loop().date(), .request_id = id_});
}

Task<bool> Exchange::send(std::string_view data) {
  bytes_ += data.size();
  return connection_.send(data);
}

Task<void> Exchange::respond(ResponseHead head, std::string_view body) {
  std::string& out = connection_.answer_buffer();
  out.clear();
  BodyFraming framing;
  if (head.status != 204 && head.status != 304) framing.length = body.size();
  append_head(out, head, framing);
  bool is_long = body.size() > kLongBody;
  if (!is_head() && !is_long) out += body;
  bytes_ += out.size();
  std::string_view unsent = connection_.send_now(out);
  bool is_sent = unsent.empty() || co_await connection_.send(unsent);
  if (out.capacity() > kKept) std::string().swap(out);
  if (is_sent && !is_head() && is_long) co_await send(body);
}

Task<void> Exchange::respond(ResponseHead head, BodyPieces body) {
  co_await send_head(std::move(head), body.size());
  std::vector<BodyPiece> pieces = body.take();
  for (BodyPiece& piece : pieces) {
    if (is_head() || !co_await send(*piece)) co_return;
    piece.reset();
  }
}

Task<void> Exchange::send_head(ResponseHead head, std::uint64_t length) {
  std::string out;
  append_head(out, head, {.length = length});
  co_await send(out);
}

void Exchange::begin_stream(ResponseHead head) {
  chunked_ = request_.version == 11;
  if (!chunked_) close_after();
  head.headers.emplace_back("X-Accel-Buffering", "no");  // nginx would hold it back
  append_head(pending_, head, {.chunked = chunked_});
}

void Exchange::add_chunk(std::string_view data) {
  if (chunked_) {
    append_chunk(pending_, data);
  } else {
    pending_ += data;
  }
}

Task<bool> Exchange::flush() {
  std::string out = std::exchange(pending_, {});
  bytes_ += out.size();
  std::string_view unsent = connection_.send_now(out);
  bool goes_on = unsent.empty() ? !connection_.is_gone() : co_await connection_.send(unsent);
  if (out.capacity() <= kKept && pending_.empty()) {
    out.clear();
    pending_ = std::move(out);
  }
  co_return goes_on;
}

Task<void> Exchange::end_stream() {
  if (chunked_ && !is_head()) pending_ += kLastChunk;
  co_await flush();
}

void Exchange::report() {
  std::chrono::duration<double> elapsed = Connection::Clock::now() - connection_.entered();
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
                               .error = std::move(error),
                               .status = connection_.is_gone() ? kClientGone : status_,
                               .bytes = bytes_,
                               .seconds = elapsed.count(),
                               .prompt_tokens = prompt_tokens,
                               .generated_tokens = generated_tokens,
                               .is_quiet = is_quiet});
}

}  // namespace chorus::server
