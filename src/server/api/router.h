// Which route answers a request, and what holds for all of them: methods, keys, preflight requests,
// errors for what does not exist.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/http/exchange.h"

namespace chorus::server {

boost::asio::awaitable<void> route(Exchange& exchange);

}  // namespace chorus::server
