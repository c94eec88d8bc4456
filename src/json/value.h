// JSON values as C++ values: what fields.h reads. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace chorus {

// Each sets `result` and returns null, or returns what was expected instead of `value`, in words,
// and leaves `result` as it is. A whole number may be written as 5.0.
const char* read_json(const boost::json::value& value, bool& result);
const char* read_json(const boost::json::value& value, std::string& result);
const char* read_json(const boost::json::value& value, float& result);
const char* read_json(const boost::json::value& value, double& result);
const char* read_json(const boost::json::value& value, std::int32_t& result);
const char* read_json(const boost::json::value& value, std::int64_t& result);
// Negative numbers stand for 2^64 + value, as PyTorch reads a seed.
const char* read_json(const boost::json::value& value, std::uint64_t& result);
const char* read_json(const boost::json::value& value, std::vector<std::int32_t>& result);  // ids
// A string, or an array of them.
const char* read_json(const boost::json::value& value, std::vector<std::string>& result);

}  // namespace chorus
