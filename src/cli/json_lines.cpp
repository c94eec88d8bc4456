#include "cli/json_lines.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "cli/commands.h"
#include "cli/in_order.h"
#include "cli/model_source.h"
#include "cli/text_input.h"
#include "json/parse.h"
#include "json/text.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;

// That the end of `in` is no error of reading, which of standard input the stream does not tell.
void expect_whole(std::istream& in) {
  if (in.bad() || (&in == &std::cin && std::ferror(stdin) != 0)) {
    throw CommandFailed("standard input: cannot be read");
  }
}

}  // namespace

void answer_json_lines(std::istream& in, const TextEncoding& encoding, std::size_t parallel,
                       const AnswerLine& answer) {
  if (!is_utf8(encoding)) {
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    expect_whole(in);
    std::istringstream text(text_of(std::move(bytes), "standard input", encoding));
    return answer_json_lines(text, {}, parallel, answer);
  }
  std::size_t number = 0;
  auto next = [&]() -> std::optional<Work> {
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      auto answer_line = [&answer, &encoding, line = std::move(line)] {
        std::string text = text_of(line, "the line", encoding);
        LineAnswer made = answer(value_or_fail(parse_json_object(text)), text);
        return Answer{.text = std::move(made.json) + "\n", .tokens = made.tokens};
      };
      auto refusal = [number](const char* message) {
        return fmt::format("{{\"error\":{{\"line\":{},\"message\":{}}}}}\n", number,
                           json_string(message));
      };
      return Work{std::move(answer_line), std::move(refusal)};
    }
    return std::nullopt;
  };
  answer_in_order(parallel, "see \"error\" in their lines", next);
  expect_whole(in);
}

void expect_no_error(const JsonFields& fields) {
  if (auto error = fields.error()) throw CommandFailed(error->message());
}

}  // namespace chorus::cli
