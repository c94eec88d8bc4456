// Where the tests find the data that lies beside the checkout, if it is there.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace chorus::test {

inline std::string shared_path(const std::string& name) {
  return std::string(CHORUS_SHARED_DIR) + "/" + name;
}

}  // namespace chorus::test

// Skips the test, saying why, when the file `name` of the shared data is absent.
#define CHORUS_NEEDS_SHARED(name)                                  \
  if (!std::filesystem::exists(::chorus::test::shared_path(name))) \
  GTEST_SKIP() << "shared data not beside the checkout: " << (name)
