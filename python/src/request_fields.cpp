#include "request_fields.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "chorus/request_length.h"
#include "errors.h"
#include "sampling/sampling_fields.h"

namespace nb = nanobind;

namespace chorus::python {
namespace {

constexpr std::size_t kLongestWord = 100;  // of those that a field may be

// What is asked of the fields, taken out of the dict one after the other.
class Fields {
 public:
  explicit Fields(const nb::dict& fields) : fields_(fields) {}

  // The value, or nothing if it was left out.
  std::optional<nb::object> find(const std::string& name) {
    known_.insert(name);
    nb::str key(name.c_str());
    if (!fields_.contains(key)) return std::nullopt;
    nb::object value = fields_[key];
    if (value.is_none()) return std::nullopt;
    return value;
  }

  [[noreturn]] static void expected(const std::string& name, const std::string& what,
                                    nb::handle found) {
    nb::object shown = nb::module_::import_("chorus._errors").attr("shown")(found);
    refuse(name + ": expected " + what + ", found " + text_of(name, what, shown));
  }

  // A text, which is well-formed.
  static std::string text_of(const std::string& name, const std::string& what, nb::handle value) {
    if (!nb::isinstance<nb::str>(value)) expected(name, what, value);
    Py_ssize_t size = 0;
    const char* bytes = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
    if (bytes == nullptr) {
      forget_error();
      refuse(name + ": expected " + what +
             ", found a text with half a character (a lone surrogate)");
    }
    return {bytes, static_cast<std::size_t>(size)};
  }

  // After Python has raised something because a value is not what was expected; Ctrl-C and the like
  // are not that.
  static void forget_error() {
    if (PyErr_ExceptionMatches(PyExc_Exception) == 0) nb::raise_python_error();
    PyErr_Clear();
  }

  std::optional<std::int64_t> integer(const std::string& name, std::int64_t low, std::int64_t high,
                                      const std::string& what) {
    auto value = find(name);
    if (!value) return std::nullopt;
    return integer_of(name, *value, low, high, what);
  }

  static std::int64_t integer_of(const std::string& name, nb::handle value, std::int64_t low,
                                 std::int64_t high, const std::string& what) {
    if (PyBool_Check(value.ptr())) expected(name, what, value);
    nb::object index = nb::steal(PyNumber_Index(value.ptr()));
    if (!index.is_valid()) {
      forget_error();
      expected(name, what, value);
    }
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    if (overflow != 0 || number < low || number > high) expected(name, what, value);
    return number;
  }

  // An array of one number is none: NumPy's versions differ in whether it stands for the number.
  static double number_of(const std::string& name, nb::handle value, const std::string& what) {
    bool has_length = PyObject_Size(value.ptr()) >= 0;
    if (!has_length) forget_error();
    if (PyBool_Check(value.ptr()) || has_length) expected(name, what, value);
    double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred() != nullptr) {
      forget_error();
      expected(name, what, value);
    }
    return number;
  }

  // What is in a list, tuple, set, array, ...: not in what may never end.
  static nb::list items_of(const std::string& name, nb::handle value, const std::string& what) {
    nb::object items;
    if (PyObject_Size(value.ptr()) >= 0) items = nb::steal(PySequence_List(value.ptr()));
    if (!items.is_valid()) {
      forget_error();
      expected(name, what, value);
    }
    return nb::borrow<nb::list>(items);
  }

  std::optional<bool> flag(const std::string& name) {
    auto value = find(name);
    if (!value) return std::nullopt;
    if (!PyBool_Check(value->ptr())) expected(name, "True or False", *value);
    return value->is(nb::bool_(true));
  }

  std::optional<std::string> word(const std::string& name, const std::string& what) {
    auto value = find(name);
    if (!value) return std::nullopt;
    std::string text = text_of(name, what, *value);
    if (text.size() > kLongestWord) expected(name, what, *value);
    return text;
  }

  const std::set<std::string>& known() const { return known_; }

 private:
  const nb::dict& fields_;
  std::set<std::string> known_;
};

class SamplingReader {
 public:
  explicit SamplingReader(Fields& fields) : fields_(fields) {}

  void number(const sampling::NumberField<std::int32_t>& field, std::int32_t& value) {
    auto read = fields_.integer(field.name, field.low, field.high, sampling::range_text(field));
    if (read) value = static_cast<std::int32_t>(*read);
  }
  template <class Real>
  void number(const sampling::NumberField<Real>& field, Real& value) {
    auto read = fields_.find(field.name);
    if (!read) return;
    std::string what = sampling::range_text(field);
    auto real = static_cast<Real>(Fields::number_of(field.name, *read, what));
    bool finite = std::isfinite(real);
    if (!finite || real < field.low || real > field.high) {
      Fields::expected(field.name, what, *read);
    }
    value = real;
  }
  template <class Value>
  void word(const sampling::WordField& field, Value& value) {
    std::string words;
    for (const char* word : field.words) words += (words.empty() ? "" : ", ") + std::string(word);
    auto read = fields_.word(field.name, "one of " + words);
    if (read) value_or_fail(sampling::set_word(*read, value));
  }
  template <class Flag>
  void flag(const sampling::Field& field, Flag& value) {
    if (auto read = fields_.flag(field.name)) value = *read;
  }
  void seed(const sampling::Field& field, std::uint64_t& value) {
    auto read = fields_.find(field.name);
    if (!read) return;
    const char* what = "a whole number of 64 bits";
    if (PyBool_Check(read->ptr())) Fields::expected(field.name, what, *read);
    nb::object index = nb::steal(PyNumber_Index(read->ptr()));
    if (!index.is_valid()) {
      Fields::forget_error();
      Fields::expected(field.name, what, *read);
    }
    // (A number of thousands of digits is more than Python makes a text of.)
    if (nb::cast<std::size_t>(index.attr("bit_length")()) > 64) {
      Fields::expected(field.name, what, *read);
    }
    auto seed = sampling::parse_seed(nb::cast<std::string>(nb::str(index)));
    if (!seed) Fields::expected(field.name, what, *read);
    value = *seed;
  }

 private:
  Fields& fields_;
};

std::vector<std::string> read_stop(Fields& fields) {
  auto value = fields.find("stop");
  if (!value) return {};
  const char* what = "a text or several";
  std::vector<std::string> stop;
  auto add = [&](nb::handle text) { stop.push_back(Fields::text_of("stop", what, text)); };
  if (nb::isinstance<nb::str>(*value)) {
    add(*value);
    return stop;
  }
  if (!nb::isinstance<nb::sequence>(*value) || nb::isinstance<nb::bytes>(*value)) {
    Fields::expected("stop", what, *value);
  }
  for (nb::handle text : Fields::items_of("stop", *value, what)) add(text);
  return stop;
}

std::int32_t id_of(const char* name, nb::handle value) {
  return static_cast<std::int32_t>(
      Fields::integer_of(name, value, 0, std::numeric_limits<std::int32_t>::max(), "ids"));
}

std::vector<std::int32_t> read_stop_ids(Fields& fields) {
  auto value = fields.find("stop_ids");
  if (!value) return {};
  std::vector<std::int32_t> ids;
  // An array of NumPy has an index, too, if only one of a single number gives it.
  nb::object one = nb::steal(PyNumber_Index(value->ptr()));
  if (one.is_valid()) return {id_of("stop_ids", *value)};
  Fields::forget_error();
  for (nb::handle id : Fields::items_of("stop_ids", *value, "ids")) {
    ids.push_back(id_of("stop_ids", id));
  }
  return ids;
}

std::vector<std::pair<std::int32_t, float>> read_biases(Fields& fields, std::int64_t vocab_size) {
  auto value = fields.find("logit_bias");
  if (!value) return {};
  const char* what = "a dict of ids and finite numbers";
  if (!nb::isinstance<nb::dict>(*value)) Fields::expected("logit_bias", what, *value);
  std::vector<std::pair<std::int32_t, float>> biases;
  for (auto [id, bias] : nb::cast<nb::dict>(*value)) {
    double added = Fields::number_of("logit_bias", bias, what);
    if (!(std::abs(added) <= std::numeric_limits<float>::max())) {
      Fields::expected("logit_bias", what, bias);
    }
    auto key = static_cast<std::int32_t>(Fields::integer_of(
        "logit_bias", id, 0, vocab_size - 1,
        "ids from 0 to " + std::to_string(vocab_size - 1) + " (the model's vocabulary)"));
    biases.emplace_back(key, static_cast<float>(added));
  }
  return biases;
}

std::optional<std::int32_t> read_count(Fields& fields, const char* name, std::int32_t low,
                                       std::int32_t high) {
  std::string what = high == std::numeric_limits<std::int32_t>::max()
                         ? "a whole number from " + std::to_string(low)
                         : std::to_string(low) + " to " + std::to_string(high);
  auto read = fields.integer(name, low, high, what);
  if (!read) return std::nullopt;
  return static_cast<std::int32_t>(*read);
}

// All but the prompt and its length. Which names there are, `fields` knows afterwards.
Request read_fields(Fields& fields, LengthAsked& length, std::int64_t vocab_size) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  Request request;
  sampling::visit_sampling_fields(request, SamplingReader(fields));
  length.max_length = read_count(fields, "max_length", 1, kMost);
  length.max_new_tokens = read_count(fields, "max_new_tokens", 1, kMost);
  request.n = read_count(fields, "n", 1, kMostSamples).value_or(1);
  request.stop = read_stop(fields);
  request.include_stop = fields.flag("include_stop").value_or(false);
  request.stop_ids = read_stop_ids(fields);
  request.sampling.logit_bias = read_biases(fields, vocab_size);
  request.logprobs = read_count(fields, "logprobs", 0, kMostLogprobs);
  request.prompt_logprobs = read_count(fields, "prompt_logprobs", 0, kMostLogprobs);
  auto salt = fields.integer("cache_salt", 0, std::numeric_limits<std::int64_t>::max(),
                             "a whole number from 0 below 2^63");
  request.cache_salt = static_cast<std::uint64_t>(salt.value_or(0));
  return request;
}

}  // namespace

const std::vector<std::string>& request_field_names() {
  static const std::vector<std::string> names = [] {
    nb::dict none;
    Fields fields(none);
    LengthAsked length;
    read_fields(fields, length, 1);
    return std::vector<std::string>(fields.known().begin(), fields.known().end());
  }();
  return names;
}

Request read_request(std::vector<std::int32_t> prompt, const nb::dict& fields,
                     const ModelInfo& info) {
  Fields reader(fields);
  LengthAsked length;
  Request request = read_fields(reader, length, info.vocab_size);
  request.prompt = std::move(prompt);
  request.max_length = value_or_fail(total_length(length, request.prompt.size(), request.past_block,
                                                  info.block_size, "max_length or max_new_tokens"));
  return request;
}

}  // namespace chorus::python
