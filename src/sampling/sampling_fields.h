// The fields of a request that say how tokens are chosen and what ends a sample, each once: name,
// range, default and help. Options of the command line, JSON bodies and lines, and the query string
// are made of this list, each by a visitor of its own; the default is what the field has before the
// visit. Not here: what differs from one front end to another (prompt, length, n, stop strings).
//
// A visitor has a function for each kind of field:
//   number(const NumberField<T>&, T&)        T: float, double or std::int32_t
//   word(const WordField&, Value&)           set by set_word(), told by word_of()
//   flag(const Field&, std::optional<bool>&)
//   flag(const Field&, bool&)
//   seed(const Field&, std::uint64_t&)       read by parse_seed()
// Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "chorus/request.h"

namespace chorus::sampling {

struct Field {
  const char* name;  // with '_' between its words
  const char* help;  // a phrase, without the default
};

template <class Number>
struct NumberField : Field {
  const char* symbol;  // what help calls the value
  Number low, high;    // an infinite bound, or the type's last number, is none
};

struct WordField : Field {
  const char* symbol;
  std::span<const char* const> words;
  const char* default_text;  // for help
};

inline constexpr std::array kRngWords = {"torch-cpu", "torch-cpu-mkl", "torch-cuda"};
inline constexpr std::array kLoopWords = {"talk", "nanogpt", "transformers"};
inline constexpr std::array kPastBlockWords = {"refuse", "crop"};

// Errors: kInvalidArgument, naming the field and listing its words.
Result<void> set_word(std::string_view word, RandomStream& value);
Result<void> set_word(std::string_view word, std::optional<SamplingLoop>& value);
Result<void> set_word(std::string_view word, PastBlock& value);

// What a value of the field is expected to be, in words. For float, double and std::int32_t.
template <class Number>
std::string range_text(const NumberField<Number>& field);

// As torch.manual_seed takes it: 64 bits, a negative s is 2^64 + s. Empty if it is none.
std::optional<std::uint64_t> parse_seed(std::string_view text);

// The list.
inline constexpr std::int32_t kNoBound = std::numeric_limits<std::int32_t>::max();
inline constexpr float kEndless = std::numeric_limits<float>::infinity();

inline constexpr NumberField<std::int32_t> kTopK = {
    {"top_k", "Choose among the k likeliest tokens; 0: among all"}, "K", 0, kNoBound};
inline constexpr NumberField<float> kTemperature = {
    {"temperature", "Divides the logits; 0: always the likeliest token"}, "T", 0.0f, kEndless};
inline constexpr NumberField<double> kTopP = {
    {"top_p", "Choose among the likeliest tokens that together have this probability"},
    "P",
    0.0,
    1.0};
inline constexpr NumberField<float> kMinP = {
    {"min_p", "Leave out tokens with less than this share of the likeliest's probability"},
    "P",
    0.0f,
    1.0f};
inline constexpr NumberField<float> kRepetitionPenalty = {
    {"repetition_penalty", "Divides the positive logits of tokens seen, multiplies the negative"},
    "X",
    1e-3f,
    1e3f};
inline constexpr NumberField<float> kPresencePenalty = {
    {"presence_penalty", "Subtracted from the logits of tokens generated before"},
    "X",
    -100.0f,
    100.0f};
inline constexpr NumberField<float> kFrequencyPenalty = {
    {"frequency_penalty", "Subtracted for each time a token was generated before"},
    "X",
    -100.0f,
    100.0f};
inline constexpr Field kSeed = {"seed", "As torch.manual_seed"};
inline constexpr WordField kRng = {
    {"rng", "Whose random numbers: torch-cpu, torch-cpu-mkl (x86 wheels up to 2.6) or torch-cuda"},
    "STREAM",
    kRngWords,
    "torch-cpu"};
inline constexpr WordField kLoop = {
    {"loop",
     "Whose generation loop: talk (and build-nanogpt), nanogpt (sample.py) or transformers "
     "(generate); it decides what top-k and its like do, and whether the model's end of text ends "
     "a text"},
    "LOOP",
    kLoopWords,
    "that of the model's own program"};
inline constexpr WordField kPastBlock = {
    {"past_block",
     "What to do with a text longer than the model's block: refuse, or crop: go on with the last "
     "block of tokens, as nanoGPT does; each token past the block then costs the reading of a "
     "whole block"},
    "WHAT",
    kPastBlockWords,
    "refuse"};
inline constexpr Field kOneStream = {
    "one_stream",
    "Draw all samples from the one stream of the seed, one after another, as nanoGPT's sample.py "
    "does (default: each from a seed of its own)"};
inline constexpr Field kIgnoreEos = {
    "ignore_eos",
    "Go on after the model's end of text (default: with nanoGPT's loop; the others end there)"};
inline constexpr NumberField<std::int32_t> kMinTokens = {
    {"min_tokens", "Tokens before which nothing but the greatest length ends a sample"},
    "TOKENS",
    0,
    kNoBound};

// Of SamplingParams, which may be const.
template <class Params, class Visitor>
void visit_sampling_params(Params& params, Visitor&& visitor) {
  visitor.number(kTopK, params.top_k);
  visitor.number(kTemperature, params.temperature);
  visitor.number(kTopP, params.top_p);
  visitor.number(kMinP, params.min_p);
  visitor.number(kRepetitionPenalty, params.repetition_penalty);
  visitor.number(kPresencePenalty, params.presence_penalty);
  visitor.number(kFrequencyPenalty, params.frequency_penalty);
  visitor.seed(kSeed, params.seed);
  visitor.word(kRng, params.rng);
  visitor.word(kLoop, params.loop);
}

// Of a request: those of its SamplingParams and what else acts on a sample.
template <class Visitor>
void visit_sampling_fields(Request& request, Visitor&& visitor) {
  visit_sampling_params(request.sampling, visitor);
  visitor.word(kPastBlock, request.past_block);
  visitor.flag(kOneStream, request.one_stream);
  visitor.flag(kIgnoreEos, request.ignore_eos);
  visitor.number(kMinTokens, request.min_tokens);
}

}  // namespace chorus::sampling
