#include "checkpoint/token_ids.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "core/error_text.h"
#include "json/text.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;

using Ids = std::optional<std::vector<std::int32_t>>;

Result<Ids> read_ids(const json::object& object, const char* field) {
  const json::value* value = object.if_contains(field);
  if (value == nullptr) return Ids();
  std::vector<std::int32_t> ids;
  auto add = [&](const json::value& id) -> Result<void> {
    bool is_id = id.is_int64() && id.get_int64() >= INT32_MIN && id.get_int64() <= INT32_MAX;
    if (!is_id) return corrupt(fmt::format("{}: expected an id, several, or null", field));
    ids.push_back(static_cast<std::int32_t>(id.get_int64()));
    return ok();
  };
  if (value->is_null()) return Ids(std::move(ids));
  if (!value->is_array()) {
    CHORUS_TRY(add(*value));
    return Ids(std::move(ids));
  }
  for (const json::value& id : value->get_array()) {
    CHORUS_TRY(add(id));
  }
  return Ids(std::move(ids));
}

// What is stated of one role, without what the vocabulary does not have.
std::vector<std::int32_t> resolve(const char* field, const Ids& config, const Ids& generation,
                                  std::vector<std::int32_t> ids, std::int64_t vocab_size,
                                  std::vector<std::string>& notes) {
  const Ids& stated = generation ? generation : config;
  if (stated) ids = *stated;
  std::erase_if(ids, [&](std::int32_t id) {
    bool is_there = id >= 0 && id < vocab_size;
    if (!is_there && stated) {
      notes.push_back(fmt::format("{} {} is not in the vocabulary of {} ids: it has no effect",
                                  field, id, vocab_size));
    }
    return !is_there;
  });
  return ids;
}

std::vector<std::int32_t> listed(std::optional<std::int32_t> id) {
  return id ? std::vector{*id} : std::vector<std::int32_t>{};
}

std::optional<std::int32_t> first(const std::vector<std::int32_t>& ids) {
  return ids.empty() ? std::nullopt : std::optional(ids[0]);
}

}  // namespace

Result<StatedTokenIds> read_token_ids(const json::object& object) {
  StatedTokenIds stated;
  CHORUS_TRY(stated.bos, read_ids(object, "bos_token_id"));
  CHORUS_TRY(stated.eos, read_ids(object, "eos_token_id"));
  CHORUS_TRY(stated.pad, read_ids(object, "pad_token_id"));
  return stated;
}

std::string token_ids_fields(const TokenIds& ids) {
  auto one = [](std::optional<std::int32_t> id) { return id ? fmt::format("{}", *id) : "null"; };
  std::string eos = ids.eos.size() == 1 ? one(ids.eos[0]) : json_array(ids.eos);
  if (ids.eos.empty()) eos = "null";
  return fmt::format(R"("bos_token_id":{},"eos_token_id":{},"pad_token_id":{})", one(ids.bos), eos,
                     one(ids.pad));
}

TokenIds resolve_token_ids(const StatedTokenIds& config, const StatedTokenIds& generation,
                           const TokenIds& otherwise, std::int64_t vocab_size,
                           std::vector<std::string>& notes) {
  TokenIds ids;
  ids.bos = first(resolve("bos_token_id", config.bos, generation.bos, listed(otherwise.bos),
                          vocab_size, notes));
  ids.eos = resolve("eos_token_id", config.eos, generation.eos, otherwise.eos, vocab_size, notes);
  ids.pad = first(resolve("pad_token_id", config.pad, generation.pad, listed(otherwise.pad),
                          vocab_size, notes));
  return ids;
}

}  // namespace chorus::checkpoint
