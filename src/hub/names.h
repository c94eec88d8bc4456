// What a model's name means: which repository, revision and file. Pure functions.
#pragma once

#include <string>

#include "chorus/error.h"

namespace chorus::hub {

struct Source {
  std::string kind;      // what the URL puts before the repository: "" or "datasets/"
  std::string owner;     // these three hold only letters, digits and - _ . and never begin with a
  std::string name;      // dot, so that they can neither leave the cache folder nor change the URL
  std::string revision;  // "main" unless told
  std::string file;      // the one file wanted; empty: a model repository's config and weights

  // The folder's name in the cache: owner--name, with @revision unless that is main.
  std::string cache_folder() const;
  // Of the file `file_name`; `endpoint` ends without a slash.
  std::string url(const std::string& endpoint, const std::string& file_name) const;
};

// Errors: kInvalidArgument, saying what is wrong with the name.
Result<Source> parse_model_name(const std::string& model);

// Whether `name` may stand in a path and a URL as it is: 1 to 96 of letters, digits, - _ and dots,
// not beginning with a dot or dash, and without ".." or "--".
bool is_plain_name(const std::string& name);

}  // namespace chorus::hub
