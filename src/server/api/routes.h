// The routes, a function each: it answers the exchange. Their files are route_*.cpp; which path
// leads to which is router.cpp's.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/app.h"
#include "server/http/exchange.h"

namespace chorus::server {

boost::asio::awaitable<void> generate(
    App& app, Exchange& exchange);  // GET /generate/PROMPT, /generate?prompt=
boost::asio::awaitable<void> post_generate(App& app, Exchange& exchange);  // POST /generate
boost::asio::awaitable<void> completions(App& app, Exchange& exchange);    // POST /v1/completions
// POST /v1/completions/cancel
boost::asio::awaitable<void> cancel_choice(App& app, Exchange& exchange);
// POST /v1/chat/completions
boost::asio::awaitable<void> chat_completions(App& app, Exchange& exchange);
boost::asio::awaitable<void> score(App& app, Exchange& exchange);           // POST /v1/score
boost::asio::awaitable<void> list_models(App& app, Exchange& exchange);     // GET /v1/models
boost::asio::awaitable<void> show_model(App& app, Exchange& exchange);      // GET /v1/models/NAME
boost::asio::awaitable<void> machine_limits(App& app, Exchange& exchange);  // GET /v1/limits
boost::asio::awaitable<void> tokenize(App& app, Exchange& exchange);        // POST /tokenize
boost::asio::awaitable<void> detokenize(App& app, Exchange& exchange);      // POST /detokenize
boost::asio::awaitable<void> tokenizer_info(App& app, Exchange& exchange);  // GET /tokenizer_info
boost::asio::awaitable<void> health(App& app, Exchange& exchange);          // GET /health
boost::asio::awaitable<void> metrics(App& app, Exchange& exchange);         // GET /metrics
boost::asio::awaitable<void> plaintext(App& app, Exchange& exchange);       // GET /plaintext
boost::asio::awaitable<void> front_page(App& app, Exchange& exchange);      // GET /
boost::asio::awaitable<void> ui_file(App& app, Exchange& exchange);         // GET /ui/NAME
// A page that only lists the routes.
boost::asio::awaitable<void> list_routes(Exchange& exchange);
// GET of any other path: a file of --static-dir, or 404.
boost::asio::awaitable<void> static_file(App& app, Exchange& exchange);
// A file that was looked for: sent, or an error told. False: there is none, and nothing was answered.
// `found` by reference, as GCC 12 destroys temporaries twice that are made inside a co_await expression.
boost::asio::awaitable<bool> send_if_found(Exchange& exchange,
                                           HttpResult<std::optional<StaticFile>>& found,
                                           const ResponseHead::Headers& more);
// With headers of its own.
boost::asio::awaitable<void> send_file(Exchange& exchange, StaticFile file,
                                       ResponseHead::Headers more = {});

}  // namespace chorus::server
