#include "server/api/api_error.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <utility>

#include "core/utf8.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

// The engine's messages begin with the field that is wrong: "top_k: expected ...".
std::string leading_field(const std::string& message) {
  std::size_t colon = message.find(": ");
  if (colon == std::string::npos) return {};
  std::string name = message.substr(0, message.find('['));
  if (name.size() > colon) name.resize(colon);
  bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::islower(c) != 0 || c == '_';
  });
  return is_name ? name : std::string();
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(replace_ill_formed(text));
}

}  // namespace

ApiError bad_field(const std::string& param, const std::string& what, std::string shown) {
  return {400, param + ": " + what, param, {}, std::move(shown)};
}

ApiError to_api_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return {400, error.message, leading_field(error.message), {}};
    case ErrorCode::kOverloaded:
      return {429, error.message, {}, "queue_full"};
    case ErrorCode::kUnavailable:
      return {503, error.message, {}, "unavailable"};
    case ErrorCode::kOutOfMemory:
      return server::out_of_memory();
    default:
      return {500, "the model failed", {}, {}};
  }
}

const char* error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string to_json(const ApiError& error) {
  json::object body{{"message", replace_ill_formed(error.message)},
                    {"type", error_type(error.status)},
                    {"param", text_or_null(error.param)},
                    {"code", text_or_null(error.code)}};
  return json::serialize(json::object{{"error", std::move(body)}});
}

}  // namespace chorus::server
