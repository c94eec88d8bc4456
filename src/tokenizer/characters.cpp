#include "tokenizer/characters.h"

#include <fmt/format.h>

#include <utility>

#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace chorus::tokenizer {

Result<std::shared_ptr<const Characters>> Characters::make(
    std::map<std::int32_t, std::string> texts) {
  if (texts.empty()) return corrupt("a vocabulary without characters");
  if (texts.begin()->first < 0) {
    return corrupt(fmt::format("id {}; expected one from 0 on", texts.begin()->first));
  }
  std::shared_ptr<Characters> made(new Characters);
  made->texts_ = std::move(texts);
  for (const auto& [id, text] : made->texts_) {
    if (made->ids_.emplace(text, id).second) continue;
    return corrupt(fmt::format("{} has two ids, {} and {}", in_quotes(text), made->ids_[text], id));
  }
  return std::shared_ptr<const Characters>(std::move(made));
}

Result<std::vector<std::int32_t>> Characters::encode(std::string_view text, Special) const {
  std::string replaced;
  if (!is_well_formed(text)) {
    replaced = replace_ill_formed(text);
    text = replaced;
  }
  std::vector<std::int32_t> ids;
  ids.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::string_view character = text.substr(at, first_utf8_unit(text.substr(at)).length);
    auto found = ids_.find(character);
    if (found == ids_.end()) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("byte {}: the character \"{}\" is none of the {} that the model knows", at,
                      character, ids_.size())};
    }
    ids.push_back(found->second);
    at += character.size();
  }
  return ids;
}

std::optional<std::string_view> Characters::token_bytes(std::int32_t id) const {
  auto found = texts_.find(id);
  if (found == texts_.end()) return std::nullopt;
  return found->second;
}

std::int32_t Characters::size() const { return texts_.rbegin()->first + 1; }

std::string Characters::description() const { return fmt::format("{} characters", texts_.size()); }

}  // namespace chorus::tokenizer
