// Cuts a text into the pieces inside which GPT-2's byte pairs are merged: words, numbers, runs of
// other characters and of white space. It knows nothing of ids. Immutable once built: any number of
// threads may split at once, each with a Cursor of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "chorus/error.h"

// PCRE2's own names for its types, so that its header stays out of this one.
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace chorus::tokenizer {

class Splitter {
 public:
  // Errors: kUnsupported, if the PCRE2 of this system lacks Unicode.
  static Result<Splitter> make();

  // Walks the pieces of one text, which must be well-formed UTF-8 and outlive it.
  class Cursor {
   public:
    Cursor(const Splitter& splitter, std::string_view text);
    // The next piece; empty at the end. The pieces, joined, are the text.
    std::string_view next();

   private:
    struct Free {
      void operator()(pcre2_real_match_data_8* data) const;
    };
    const pcre2_real_code_8* code_;
    std::unique_ptr<pcre2_real_match_data_8, Free> match_;
    std::string_view text_;
    std::size_t position_ = 0;
  };

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  explicit Splitter(pcre2_real_code_8* code) : code_(code) {}
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace chorus::tokenizer
