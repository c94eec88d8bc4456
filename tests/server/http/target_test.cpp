// A request's target taken apart.

#include "server/http/target.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace chorus::server {
namespace {

// What is read without Boost.URL, since it is a path of plain names, is what Boost.URL reads: which a
// query, though it is empty, is left to.
TEST(Target, APlainPathIsReadAsAnyOther) {
  constexpr std::string_view kCharacters = "/ab.Z09-_~!$&'()*+,;=:@%41#[]\\\"<>^`{|} \x7f\xc3";
  std::mt19937 random(7);
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string target = "/";
    // Most of the time of plain characters alone.
    std::size_t most = i % 4 == 0 ? kCharacters.size() : 10;
    for (std::size_t length = random() % 12; length > 0; --length) {
      target += kCharacters[random() % most];
    }
    HttpResult<Target> plain = parse_target(target), other = parse_target(target + "?");
    ASSERT_EQ(plain.has_value(), other.has_value()) << target;
    if (!plain) continue;
    ++read;
    ASSERT_EQ(plain.assume_value().path, other.assume_value().path) << target;
    ASSERT_TRUE(plain.assume_value().parameters.empty()) << target;
  }
  EXPECT_GT(read, 10'000);
}

TEST(Target, WhatIsNoPathIsRefused) {
  for (const char* target : {"", "a", "*", "/%", "/%4", "/%zz", "/a b"}) {
    EXPECT_FALSE(parse_target(target)) << target;
  }
}

}  // namespace
}  // namespace chorus::server
