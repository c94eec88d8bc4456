// Files under one folder, and no other: a path that leaves it, by dots or by a link, is not found.
//
// Thread contract: immutable; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chorus/error.h"
#include "server/http/http_error.h"
#include "server/http/http_request.h"
#include "server/http/response_head.h"

namespace chorus::server {

// An open file; closed at the end.
class StaticFile {
 public:
  StaticFile(int descriptor, std::uint64_t size, std::int64_t modified, std::string content_type);
  StaticFile(StaticFile&& other) noexcept;
  StaticFile& operator=(StaticFile&&) = delete;
  ~StaticFile();

  std::uint64_t size() const { return size_; }
  std::int64_t modified() const { return modified_; }  // seconds since 1970
  const std::string& content_type() const { return content_type_; }
  std::string etag() const;
  // At most `most` bytes from `offset` on; empty at the end, or if the system refuses.
  std::string read(std::uint64_t offset, std::size_t most) const;

 private:
  int descriptor_;
  std::uint64_t size_;
  std::int64_t modified_;
  std::string content_type_;
};

class StaticFiles {
 public:
  // Errors: kNotFound, kIo. An empty folder's name: there are no files.
  static Result<StaticFiles> open(const std::string& folder);

  // The file of a request's path (decoded, beginning with '/'); of a folder its index.html. None: there
  // is no such file, or it is not to be read. Errors: 503 and 500, for one that is there and that the
  // system does not open now.
  HttpResult<std::optional<StaticFile>> find(const std::string& path) const;

 private:
  std::string root_;  // canonical; empty: no files
};

// What of a file is answered, and how: conditional requests and one range of bytes (RFC 9110).
struct FileAnswer {
  ResponseHead head{};
  std::uint64_t begin = 0, length = 0;  // of the file; length is also the answer's
};
FileAnswer answer_file(const HttpRequest& request, const StaticFile& file);

}  // namespace chorus::server
