#include "core/content_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace chorus {
namespace {

std::string hash_of(std::initializer_list<std::string_view> parts) {
  ContentHash hash;
  for (std::string_view part : parts) hash.add(part);
  return hash.hex();
}

TEST(ContentHash, EveryByteCountsWhereverItStands) {
  std::set<std::string> seen;
  for (std::size_t size : {1u, 8u, 63u, 64u, 65u, 200u}) {
    std::string content(size, '\0');
    EXPECT_TRUE(seen.insert(hash_of({content})).second) << size;
    for (std::size_t i = 0; i < size; ++i) {
      for (char bit : {'\x01', '\x80'}) {
        content[i] = bit;
        EXPECT_TRUE(seen.insert(hash_of({content})).second) << size << " at " << i;
        content[i] = '\0';
      }
    }
  }
}

TEST(ContentHash, OrderAndBordersOfPartsCount) {
  std::set<std::string> seen = {hash_of({}),         hash_of({""}),       hash_of({"", ""}),
                                hash_of({"ab"}),     hash_of({"a", "b"}), hash_of({"b", "a"}),
                                hash_of({"ab", ""}), hash_of({"", "ab"})};
  EXPECT_EQ(seen.size(), 8u);
  EXPECT_EQ(hash_of({"a", "b"}), hash_of({"a", "b"}));
}

// Digests stand in links that people keep: another value here is another digest for every model.
TEST(ContentHash, IsTheSameFromVersionToVersion) {
  std::string content;
  for (int i = 0; i < 1000; ++i) content += static_cast<char>(i * 7);
  EXPECT_EQ(hash_of({content}).size(), 32u);
  EXPECT_EQ(hash_of({"chorus", content}), "8142a53ecd6572eb8d250bceef349057");
}

}  // namespace
}  // namespace chorus
