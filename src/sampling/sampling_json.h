// Reads the fields of sampling_fields.h out of a JSON object: a visitor, for the bodies of requests
// and the lines of --jsonl. One thread at a time.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <string>

#include "json/fields.h"
#include "sampling/sampling_fields.h"

namespace chorus::sampling {

class SamplingJson {
 public:
  explicit SamplingJson(JsonFields& fields) : fields_(fields) {}

  template <class Number>
  void number(const NumberField<Number>& field, Number& value) {
    Number found = value;
    fields_.read(field.name, found);
    if (found >= field.low && found <= field.high) {
      value = found;
    } else {
      fields_.refuse(field.name, range_text(field));
    }
  }

  template <class Value>
  void word(const WordField& field, Value& value) {
    if (!fields_.has(field.name)) return;
    std::string word;
    fields_.read(field.name, word);
    if (!set_word(word, value)) {
      fields_.refuse(field.name, fmt::format("one of {}", fmt::join(field.words, ", ")));
    }
  }

  template <class Bool>
  void flag(const Field& field, Bool& value) {
    fields_.read(field.name, value);
  }
  void seed(const Field& field, std::uint64_t& value) { fields_.read(field.name, value); }

 private:
  JsonFields& fields_;
};

}  // namespace chorus::sampling
