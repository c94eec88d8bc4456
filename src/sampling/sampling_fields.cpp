#include "sampling/sampling_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <type_traits>

namespace chorus::sampling {
namespace {

template <class Number>
bool read_whole(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<void> set_word(std::string_view word, RandomStream& value) {
  CHORUS_TRY(value, parse_random_stream(word));
  return ok();
}

Result<void> set_word(std::string_view word, std::optional<SamplingLoop>& value) {
  CHORUS_TRY(SamplingLoop loop, parse_sampling_loop(word));
  value = loop;
  return ok();
}

Result<void> set_word(std::string_view word, PastBlock& value) {
  CHORUS_TRY(value, parse_past_block(word));
  return ok();
}

std::optional<std::uint64_t> parse_seed(std::string_view text) {
  std::uint64_t seed = 0;
  std::int64_t negative = 0;
  if (read_whole(text, seed)) return seed;
  if (read_whole(text, negative)) return static_cast<std::uint64_t>(negative);
  return std::nullopt;
}

template <class Number>
std::string range_text(const NumberField<Number>& field) {
  if constexpr (std::is_integral_v<Number>) {
    return fmt::format("a whole number from {} to {}", field.low, field.high);
  } else if (std::isinf(field.high)) {
    return fmt::format("a finite number of at least {}", field.low);
  } else {
    return fmt::format("a number from {} to {}", field.low, field.high);
  }
}

template std::string range_text(const NumberField<float>& field);
template std::string range_text(const NumberField<double>& field);
template std::string range_text(const NumberField<std::int32_t>& field);

}  // namespace chorus::sampling
