#include "cli/shortened_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

// Maps a file, cuts it short, and reads where it was.
int read_behind_the_end(const std::string& path) {
  int file = ::open(path.c_str(), O_RDWR);
  void* mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
  if (file < 0 || mapped == MAP_FAILED || ::ftruncate(file, 0) != 0) return 0;
  return *static_cast<volatile const char*>(mapped);
}

TEST(ShortenedFileDeathTest, IsToldInPlaceOfABusError) {
  test::ScratchFolder folder;
  std::string path = folder.write("weights", std::string(4096, 'x'));
  EXPECT_EXIT(
      {
        tell_of_shortened_files();
        ::_exit(read_behind_the_end(path));
      },
      testing::ExitedWithCode(1), "was truncated or overwritten meanwhile");
}

}  // namespace
}  // namespace chorus::cli
