#include "cli/text_input.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/option_checks.h"

namespace chorus::cli {
namespace {

// What helps against the error of to_utf8().
std::string advice(std::string_view bytes, const TextEncoding& encoding) {
  std::string_view other = other_encoding(bytes, encoding.name);
  if (other == "utf-8") return "without --encoding it is read";
  if (!other.empty()) return fmt::format("--encoding {} converts it", other);
  if (!encoding.name.empty()) return "--replace-invalid reads U+FFFD there";
  return "--encoding latin-1, cp1252, utf-16 or another converts it, --replace-invalid reads "
         "U+FFFD "
         "there";
}

}  // namespace

void add_text_options(CLI::App& command, TextEncoding& encoding, const std::string& where) {
  command
      .add_option("--encoding", encoding.name,
                  "How " + where +
                      " encoded, in iconv's names: latin-1, cp1252, utf-16, shift_jis, ... "
                      "(default: utf-8; what is not is an error that names the byte)")
      ->transform(text_encoding())
      ->type_name("NAME");
  command.add_flag("--replace-invalid", encoding.replace_invalid,
                   "Read U+FFFD where bytes are ill-formed, as Python's errors=\"replace\" "
                   "(default: refuse them)");
}

std::string text_of(std::string bytes, const std::string& name, const TextEncoding& encoding) {
  std::string helps = advice(std::string_view(bytes).substr(0, 64), encoding);
  Result<std::string> text = to_utf8(std::move(bytes), encoding);
  if (text) return std::move(text.assume_value());
  throw CommandFailed(fmt::format("{}: {}; {}", name, text.assume_error().message, helps));
}

std::string read_text(const std::string& path, const TextEncoding& encoding) {
  return text_of(value_or_fail(read_file(path)), path == "-" ? "standard input" : path, encoding);
}

std::string argument_or_input(const std::string& argument, const std::string& name,
                              const TextEncoding& encoding) {
  return argument == "-" ? read_text("-", encoding) : text_of(argument, name, encoding);
}

bool is_input_piped() {
  struct stat status {};
  if (fstat(STDIN_FILENO, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode);
}

}  // namespace chorus::cli
