#include "hub/names.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "hub/hub.h"

namespace chorus::hub {
namespace {

struct NamedModel {
  const char* name;
  Source source;
};

const std::array<NamedModel, 6>& named_models() {
  static const std::array<NamedModel, 6> models = {{
      {"gpt2", {"", "openai-community", "gpt2", "main", ""}},
      {"gpt2-medium", {"", "openai-community", "gpt2-medium", "main", ""}},
      {"gpt2-large", {"", "openai-community", "gpt2-large", "main", ""}},
      {"gpt2-xl", {"", "openai-community", "gpt2-xl", "main", ""}},
      {"distilgpt2", {"", "distilbert", "distilgpt2", "main", ""}},
      {"parallelopedia",
       {"datasets/", "trentnelson", "parallelopedia-data-gpt2", "main", "model_19072.pt"}},
  }};
  return models;
}

constexpr std::string_view kHubPrefix = "hf:";

bool is_plain_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

Error bad_name(const std::string& model, const char* part) {
  return {ErrorCode::kInvalidArgument,
          "model name \"" + model + "\": " + part +
              " must be letters, digits, '-', '_' and '.', as in hf:owner/name or "
              "hf:owner/name@revision"};
}

Result<Source> parse_hub_name(const std::string& model) {
  std::string rest = model.substr(kHubPrefix.size());
  Source source;
  source.revision = "main";
  if (std::size_t at = rest.find('@'); at != std::string::npos) {
    source.revision = rest.substr(at + 1);
    rest.resize(at);
    if (!is_plain_name(source.revision)) return bad_name(model, "the revision");
  }
  std::size_t slash = rest.find('/');
  source.owner = rest.substr(0, slash);
  source.name = slash == std::string::npos ? "" : rest.substr(slash + 1);
  if (!is_plain_name(source.owner)) return bad_name(model, "the owner");
  if (!is_plain_name(source.name)) return bad_name(model, "the repository's name");
  return source;
}

}  // namespace

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 96 && name.front() != '.' && name.front() != '-' &&
         name.find("..") == std::string::npos && name.find("--") == std::string::npos &&
         std::all_of(name.begin(), name.end(), is_plain_character);
}

std::string Source::cache_folder() const {
  std::string folder = owner + "--" + name;
  return revision == "main" ? folder : folder + "@" + revision;
}

std::string Source::url(const std::string& endpoint, const std::string& file_name) const {
  return endpoint + "/" + kind + owner + "/" + name + "/resolve/" + revision + "/" + file_name;
}

Result<Source> parse_model_name(const std::string& model) {
  if (model.starts_with(kHubPrefix)) return parse_hub_name(model);
  for (const NamedModel& known : named_models()) {
    if (model == known.name) return known.source;
  }
  return Error{ErrorCode::kInvalidArgument,
               "model name \"" + model + "\" is not known; known names: " + known_model_names()};
}

bool is_model_name(const std::string& model) {
  return model.starts_with(kHubPrefix) ||
         std::any_of(named_models().begin(), named_models().end(),
                     [&](const NamedModel& known) { return model == known.name; });
}

std::string known_model_names() {
  std::string names;
  for (const NamedModel& known : named_models()) names += std::string(known.name) + ", ";
  return names + "hf:owner/name";
}

}  // namespace chorus::hub
