#include "cli/input.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(ParseIds, AnyRunOfCommasAndWhiteSpaceSeparates) {
  EXPECT_EQ(parse_ids("1,2, 3\n4\t5\r\n").assume_value(), (Ids{1, 2, 3, 4, 5}));
  EXPECT_EQ(parse_ids(" -7 2147483647,").assume_value(), (Ids{-7, 2147483647}));
  EXPECT_EQ(parse_ids(" ,\n").assume_value(), Ids{});
}

TEST(ParseIds, NamesTheWordThatIsNoId) {
  for (std::string word : {"x", "1x", "1.0", "2147483648", "-", "0x10"}) {
    Result<Ids> ids = parse_ids("1, " + word + " 2");
    ASSERT_FALSE(ids) << word;
    EXPECT_EQ(ids.assume_error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ids.assume_error().message.find("\"" + word + "\" is not an id"), 0u);
  }
}

TEST(ReadFile, IsExact) {
  test::ScratchFolder folder;
  std::string text("a\r\n\0\xFF\n", 6);
  EXPECT_EQ(read_file(folder.write("text", text)).assume_value(), text);
  EXPECT_EQ(read_file(folder.file("none")).assume_error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(folder.path()).assume_error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace chorus::cli
