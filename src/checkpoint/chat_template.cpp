#include "checkpoint/chat_template.h"

#include <boost/json.hpp>
#include <system_error>

#include "core/bytes.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::uintmax_t kLargest = 64 << 20;  // of a file with a vocabulary's added tokens
constexpr std::uintmax_t kLargestTemplate = 1 << 20;

bool is_there(const fs::path& path, std::error_code ignored = {}) {
  return fs::is_regular_file(path, ignored);
}

Result<Bytes> read(const fs::path& path, std::uintmax_t most) {
  std::error_code ignored;
  if (fs::file_size(path, ignored) > most) {
    return Error{ErrorCode::kUnsupported, path.string() + ": too large"};
  }
  return map_file(path);
}

// A string, or a list of {"name", "template"}.
std::string stated(const json::object& object) {
  const json::value* value = object.if_contains("chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) return std::string(value->get_string());
  for (const json::value& one : value->is_array() ? value->get_array() : json::array()) {
    const json::object* named = one.if_object();
    const json::value* name = named == nullptr ? nullptr : named->if_contains("name");
    const json::value* text = named == nullptr ? nullptr : named->if_contains("template");
    bool is_default = name != nullptr && *name == "default" && text != nullptr && text->is_string();
    if (is_default) return std::string(text->get_string());
  }
  return {};
}

}  // namespace

Result<std::string> read_chat_template(const fs::path& folder) {
  if (is_there(folder / "chat_template.jinja")) {
    CHORUS_TRY(Bytes file, read(folder / "chat_template.jinja", kLargestTemplate));
    return std::string(file.text());
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    if (!is_there(folder / name)) continue;
    CHORUS_TRY(Bytes file, read(folder / name, kLargest));
    auto object = parse_json_object(file.text());
    if (!object) return std::move(object.assume_error()).in((folder / name).string());
    if (std::string text = stated(object.assume_value()); !text.empty()) return text;
  }
  return std::string();
}

}  // namespace chorus::checkpoint
