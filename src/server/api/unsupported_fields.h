// Fields that OpenAI's, vLLM's, llama.cpp's and other servers take, that change what comes out, and
// that are not done here. Each has values with which it changes nothing; any other is refused by the
// field's name, since a client would take the answer for what it asked. Pure functions.
#pragma once

#include <boost/json/object.hpp>

#include "json/fields.h"

namespace chorus::server {

// Keeps an error of the first such field in the body, and marks all of them as read. Fields that
// only concern a provider's books (user, metadata, store, ...) are marked, too.
void refuse_unsupported(const boost::json::object& body, JsonFields& fields);

}  // namespace chorus::server
