// The files of web/ that travel inside the program, as they are and gzipped. Read-only: any thread.
#pragma once

#include <string_view>

namespace chorus::server {

struct UiFile {
  std::string_view name;  // "index.html", "main.js"
  std::string_view hash;  // of its content, 16 hexadecimal digits
  std::string_view plain, gzip;
};

// Null if there is none of that name.
const UiFile* find_ui_file(std::string_view name);

}  // namespace chorus::server
