#include "server/http/target.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace chorus::server {

const std::string* Target::parameter(std::string_view name) const {
  const std::string* found = nullptr;
  for (const auto& [key, value] : parameters) {
    if (key == name) found = &value;
  }
  return found;
}

namespace {

// A path of plain names, as most are: nothing in it means anything else.
bool is_plain(std::string_view target) {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '_' || c == '-' || c == '.' || c == '~';
         });
}

}  // namespace

HttpResult<Target> parse_target(std::string_view target) {
  if (is_plain(target)) return Target{std::string(target), {}};
  auto url = boost::urls::parse_origin_form({target.data(), target.size()});
  if (!url) {
    return HttpError{400, "the request's target: expected a percent-encoded path and query"};
  }
  boost::urls::encoding_opts form;  // as a browser sends a form
  form.space_as_plus = true;
  Target result;
  result.path = url->encoded_path().decode();
  for (const auto& parameter : url->encoded_params()) {
    if (parameter.key.empty() && parameter.value.empty()) continue;  // of "?" and "&&"
    result.parameters.emplace_back(parameter.key.decode(form), parameter.value.decode(form));
  }
  return result;
}

}  // namespace chorus::server
