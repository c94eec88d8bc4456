// Lets jinja_parity.py render templates without a server around them. Not installed.
//
// usage: jinja_probe    reads {"template", "variables"} a line, writes {"text"} or {"code", "error"} a line

#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "jinja/template.h"

namespace {

namespace json = boost::json;

json::object answer(const json::object& asked) {
  auto parsed = chorus::jinja::Template::parse(asked.at("template").as_string());
  auto failed = [](const chorus::Error& error) {
    bool is_unsupported = error.code == chorus::ErrorCode::kUnsupported;
    return json::object{{"code", is_unsupported ? "unsupported" : "wrong"},
                        {"error", error.message}};
  };
  if (!parsed) return failed(parsed.assume_error());
  auto text = parsed.assume_value().render(asked.at("variables").as_object(), 10'000'000);
  if (!text) return failed(text.assume_error());
  return {{"text", text.assume_value()}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << json::serialize(answer(json::parse(line).as_object())) << std::endl;
  }
}
