#include "server/api/ui_files.h"

#include <cstddef>

// Defined in web_files.S, which cmake/EmbedWeb.cmake writes; web_files.inc is the table of them.
#define CHORUS_WEB_FILE(number, name, hash)                \
  extern "C" const char chorus_web_##number##_plain[];     \
  extern "C" const char chorus_web_##number##_plain_end[]; \
  extern "C" const char chorus_web_##number##_gzip[];      \
  extern "C" const char chorus_web_##number##_gzip_end[];
#include "web_files.inc"
#undef CHORUS_WEB_FILE

namespace chorus::server {
namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

const UiFile* find_ui_file(std::string_view name) {
#define CHORUS_WEB_FILE(number, file, hash)                                                 \
  UiFile{file, hash, between(chorus_web_##number##_plain, chorus_web_##number##_plain_end), \
         between(chorus_web_##number##_gzip, chorus_web_##number##_gzip_end)},
  static const UiFile kFiles[] = {
#include "web_files.inc"
  };
#undef CHORUS_WEB_FILE
  for (const UiFile& file : kFiles) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

}  // namespace chorus::server
