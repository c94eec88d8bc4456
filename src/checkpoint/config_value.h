// A config as its file states it, out of JSON or a pickle alike: what the names mean is
// gpt2/config_fields.h's. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace chorus::checkpoint {

struct ConfigField;

struct ConfigValue {
  enum class Kind {
    kNone,
    kBool,
    kInteger,
    kBigInteger,  // of over 64 bits
    kReal,
    kText,
    kList,    // the elements, as fields without names
    kRecord,  // an object of JSON, a dict, or a Python object's attributes
    kOther,   // anything else: a function, a class, a tensor, a large table
  };

  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // kInteger; kBool: 0 or 1
  double real = 0;           // kInteger and kReal
  // kText; kBigInteger: its digits, if known; kRecord: the object's class, if it has one; kOther:
  // the function or class, or what it is.
  std::string text = {};
  std::vector<ConfigField> fields;

  bool is_number() const { return kind == Kind::kInteger || kind == Kind::kReal; }
  const ConfigValue* find(const char* name) const;  // of a record's fields; null if there is none
};

struct ConfigField {
  std::string name;
  ConfigValue value;
};

// What is read of a config; a larger one is a table of something else. Beyond these a value becomes
// kOther, so that no file costs more than so many values.
constexpr std::size_t kMostConfigValues = 4096;
constexpr std::size_t kMostFieldsOfRecord = 512;
constexpr int kDeepestConfig = 8;

// As a message shows it: 3, 0.5, 'gelu', true, or "an object".
std::string config_value_text(const ConfigValue& value);

// Whether it is neither none, false, zero nor empty. "none", "false" and the like are text for that.
bool is_on(const ConfigValue& value);

}  // namespace chorus::checkpoint
