// The options of transformers' generate() that a folder's files state: generation_config.json, or
// config.json as older versions wrote it. Chorus takes such options from the request alone, so that
// what a file states must be told. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

namespace chorus::checkpoint {

// Those that change a text and are not at transformers' own default, as "temperature 0.7", in a
// fixed order. Of a generation_config.json fields that are not known here are among them, too, behind
// the others, and "do_sample false". Lengths are the request's in any case.
std::vector<std::string> stated_generation_options(const boost::json::object& config,
                                                   bool is_generation_config);

}  // namespace chorus::checkpoint
