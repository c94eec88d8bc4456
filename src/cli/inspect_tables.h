// The tables that `inspect` prints, and what it says of a file that is no model. Pure, but for
// write_problem().
#pragma once

#include <boost/json/array.hpp>
#include <string>
#include <vector>

#include "checkpoint/listing.h"

namespace chorus::cli {

// A line for each tensor: name, shape, type.
std::string tensor_table(const std::vector<checkpoint::ListedTensor>& tensors);

// A line for each layer, and each other part of a model: how many tensors and parameters it has.
std::string layer_table(const std::vector<checkpoint::ListedTensor>& tensors);

// The types that there are, in order.
std::vector<std::string> types_of(const std::vector<checkpoint::ListedTensor>& tensors);

boost::json::array tensors_as_json(const std::vector<checkpoint::ListedTensor>& tensors);

// "124,439,808": groups of three digits.
std::string grouped(std::int64_t number);

// Prints the tensors of a file that cannot be opened, and why.
void write_problem(const checkpoint::Problem& problem, bool as_json);

}  // namespace chorus::cli
