// The routes, a function each: it answers the exchange. Their files are route_*.cpp; which path
// leads to which is router.cpp's.
#pragma once

#include "server/app.h"
#include "server/http/exchange.h"
#include "server/http/task.h"

namespace chorus::server {

Task<void> generate(App& app, Exchange& exchange);       // GET /generate/PROMPT, /generate?prompt=
Task<void> post_generate(App& app, Exchange& exchange);  // POST /generate
Task<void> completions(App& app, Exchange& exchange);    // POST /v1/completions
// POST /v1/completions/cancel
Task<void> cancel_choice(App& app, Exchange& exchange);
// POST /v1/chat/completions
Task<void> chat_completions(App& app, Exchange& exchange);
Task<void> score(App& app, Exchange& exchange);           // POST /v1/score
Task<void> list_models(App& app, Exchange& exchange);     // GET /v1/models
Task<void> show_model(App& app, Exchange& exchange);      // GET /v1/models/NAME
Task<void> machine_limits(App& app, Exchange& exchange);  // GET /v1/limits
Task<void> tokenize(App& app, Exchange& exchange);        // POST /tokenize
Task<void> detokenize(App& app, Exchange& exchange);      // POST /detokenize
Task<void> tokenizer_info(App& app, Exchange& exchange);  // GET /tokenizer_info
Task<void> health(App& app, Exchange& exchange);          // GET /health
Task<void> metrics(App& app, Exchange& exchange);         // GET /metrics
Task<void> plaintext(App& app, Exchange& exchange);       // GET /plaintext
Task<void> front_page(App& app, Exchange& exchange);      // GET /
Task<void> ui_file(App& app, Exchange& exchange);         // GET /ui/NAME
// A page that only lists the routes.
Task<void> list_routes(Exchange& exchange);
// GET of any other path: a file of --static-dir, or 404.
Task<void> static_file(App& app, Exchange& exchange);
// A file that was looked for: sent, or an error told. False: there is none, and nothing was answered.
// `found` by reference, as GCC 12 destroys temporaries twice that are made inside a co_await expression.
Task<bool> send_if_found(Exchange& exchange, HttpResult<std::optional<StaticFile>>& found,
                         const ResponseHead::Headers& more);
// With headers of its own.
Task<void> send_file(Exchange& exchange, StaticFile file, ResponseHead::Headers more = {});

}  // namespace chorus::server
