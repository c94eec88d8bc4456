// A file on its way into the cache: PATH.partial with the bytes so far, and PATH.partial.source
// with what the server said of it, so that another process can go on with it. Knows nothing of
// HTTP. One thread at a time, under the model's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chorus/error.h"

namespace chorus::hub {

// What the bytes belong to.
struct Origin {
  std::string etag;       // names the file's content; empty if the server gave none
  std::string validator;  // the strong etag of who sent the bytes, for If-Range; may be empty
  std::optional<std::uint64_t> size;  // of the whole file

  bool operator==(const Origin&) const = default;
};

class PartialFile {
 public:
  // Opens or creates PATH.partial. What an earlier process left is kept if it can be gone on with.
  static Result<PartialFile> open(const std::string& path);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  std::uint64_t size() const { return size_; }
  const Origin& origin() const { return origin_; }
  bool is_complete() const { return origin_.size && size_ == *origin_.size; }
  std::string partial_path() const { return path_ + ".partial"; }

  // Throws away the bytes and notes where the next ones come from.
  Result<void> restart(Origin origin);
  Result<void> append(std::string_view bytes);
  // Puts the file in its place under its name, on disk for good.
  Result<void> publish();

 private:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}
  void read_origin();
  Result<void> write_origin() const;
  Error system_error(const std::string& path) const;

  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  Origin origin_;
};

}  // namespace chorus::hub
