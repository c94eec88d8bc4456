// One request and its answer: what the handler sees of a connection.
//
// Thread contract: all on the connection's thread, in its coroutine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/http/body_pieces.h"
#include "server/http/byte_budget.h"
#include "server/http/connection.h"
#include "server/http/http_observer.h"
#include "server/http/http_request.h"
#include "server/http/request_id.h"
#include "server/http/response_head.h"
#include "server/http/target.h"
#include "server/http/task.h"

namespace chorus::server {

class Exchange {
 public:
  Exchange(Connection& connection, const HttpRequest& request);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  HttpService& service() { return connection_.service(); }
  Connection& connection() { return connection_; }
  const HttpRequest& request() const { return request_; }
  // The request's body, without the coding that it came in.
  const std::string& body() const { return decoded_ ? *decoded_ : request_.body; }
  void set_decoded(std::string body) { decoded_ = std::move(body); }
  bool is_head() const { return request_.method == "HEAD"; }
  std::string_view id() const { return id_; }
  // The client's address, whatever proxies stand between (client_address.h).
  std::string_view client() const { return client_; }
  // For what is to be held for the client, of its share of the buffers.
  HeldBytes hold();

  // Of the target; set by the handler.
  Target target;
  std::string_view rest;  // of the path, behind a route's prefix
  // Sent with whatever answer there will be.
  ResponseHead::Headers headers;

  // A whole answer. For HEAD its body is left out.
  Task<void> respond(ResponseHead head, std::string_view body);
  // Each piece is let go when it has been sent.
  Task<void> respond(ResponseHead head, BodyPieces body);

  // An answer of known length that comes in pieces: send_head(), then send() for all of it.
  Task<void> send_head(ResponseHead head, std::uint64_t length);
  Task<bool> send(std::string_view data);

  // An answer whose length is not known: chunks, or for HTTP/1.0 bytes up to the connection's end.
  // flush() sends what was begun and added since the last one; false: the client is gone.
  void begin_stream(ResponseHead head);
  void add_chunk(std::string_view data);
  Task<bool> flush();
  Task<void> end_stream();

  void close_after() { keep_alive_ = false; }
  bool keeps_alive() const { return keep_alive_; }

  // Tells the observer, once the answer has ended.
  void report();

  // What the observer is told of it; set by the handler.
  std::string_view route = "other";
  bool is_quiet = false;
  std::string model;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  AnswerError error;  // if it is one

 private:
  void append_head(std::string& out, ResponseHead& head, BodyFraming framing);

  Connection& connection_;
  const HttpRequest& request_;
  std::optional<std::string> decoded_;
  NewRequestId new_id_{};
  std::string forwarded_for_;     // of a proxy's request
  std::string_view id_, client_;  // the request's, the connection's, or these
  bool keep_alive_;

  std::string pending_;  // of a stream: what is not sent yet
  bool chunked_ = false;
  int status_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace chorus::server
