#include "server/http/static_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/system_error.h"

namespace chorus::server {
namespace {

struct ContentType {
  std::string_view extension;
  const char* type;
};
constexpr ContentType kContentTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".ico", "image/x-icon"},
    {".wasm", "application/wasm"},
    {".woff2", "font/woff2"},
};

std::string content_type(std::string_view path) {
  for (const ContentType& known : kContentTypes) {
    if (path.ends_with(known.extension)) return known.type;
  }
  return "application/octet-stream";
}

bool has_dots(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") ||
         path.find("/../") != std::string_view::npos;
}

// Where an open file really is, links resolved.
std::string real_path(int descriptor) {
  std::array<char, PATH_MAX> target;
  std::string link = fmt::format("/proc/self/fd/{}", descriptor);
  ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return length < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

// What is the matter where open() fails for a file that may be there; nothing: there is none for us.
std::optional<HttpError> trouble_of(int error) {
  switch (error) {
    case EMFILE:
      return HttpError(
          503,
          "no file can be opened now: the server has as many descriptors open as it may "
          "(ulimit -n); try again later",
          "descriptors");
    case ENFILE:
      return HttpError(503,
                       "no file can be opened now: the machine has as many open as it may; try "
                       "again later",
                       "descriptors");
    case ENOMEM:
      return out_of_memory();
    case EIO:
    case ESTALE:
    case ETIMEDOUT:
      return HttpError(500, fmt::format("the file cannot be opened: {}", std::strerror(error)));
    default:
      return std::nullopt;
  }
}

// "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-LENGTH".
struct Range {
  enum class Kind { kNone, kUnsatisfiable, kWhole } kind = Kind::kNone;
  std::uint64_t begin = 0, length = 0;
};

bool read_number(std::string_view text, std::uint64_t& number) {
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

// Other units, several ranges and what is no range are as if there were none.
Range parse_range(std::string_view text, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return {};
  text.remove_prefix(kUnit.size());
  std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  std::string_view first = text.substr(0, dash), last = text.substr(dash + 1);
  std::uint64_t begin = 0, end = 0;
  if (first.empty()) {
    if (!read_number(last, end)) return {};
    std::uint64_t length = std::min(end, size);
    if (length == 0) return {Range::Kind::kUnsatisfiable};
    return {Range::Kind::kWhole, size - length, length};
  }
  if (!read_number(first, begin)) return {};
  if (!last.empty() && (!read_number(last, end) || end < begin)) return {};
  if (begin >= size) return {Range::Kind::kUnsatisfiable};
  std::uint64_t stop = last.empty() ? size - 1 : std::min(end, size - 1);
  return {Range::Kind::kWhole, begin, stop - begin + 1};
}

bool is_unmodified(const HttpRequest& request, const StaticFile& file) {
  std::string_view tags = request.header("if-none-match");
  if (!tags.empty()) return tags == "*" || tags.find(file.etag()) != std::string_view::npos;
  auto since = parse_http_date(std::string(request.header("if-modified-since")));
  return since && file.modified() <= *since;
}

// A range is of the file that the client has a part of already.
bool range_applies(const HttpRequest& request, const StaticFile& file) {
  std::string_view condition = request.header("if-range");
  return condition.empty() || condition == file.etag() || condition == http_date(file.modified());
}

}  // namespace

StaticFile::StaticFile(int descriptor, std::uint64_t size, std::int64_t modified, std::string type)
    : descriptor_(descriptor), size_(size), modified_(modified), content_type_(std::move(type)) {}

StaticFile::StaticFile(StaticFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      modified_(other.modified_),
      content_type_(std::move(other.content_type_)) {}

StaticFile::~StaticFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string StaticFile::etag() const { return fmt::format("\"{:x}-{:x}\"", modified_, size_); }

std::string StaticFile::read(std::uint64_t offset, std::size_t most) const {
  std::string data(most, '\0');
  ssize_t count = ::pread(descriptor_, data.data(), most, static_cast<off_t>(offset));
  data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return data;
}

Result<StaticFiles> StaticFiles::open(const std::string& folder) {
  StaticFiles files;
  if (folder.empty()) return files;
  std::array<char, PATH_MAX> path;
  if (::realpath(folder.c_str(), path.data()) == nullptr) {
    return system_error(folder, errno);
  }
  files.root_ = path.data();
  return files;
}

HttpResult<std::optional<StaticFile>> StaticFiles::find(const std::string& path) const {
  using Found = std::optional<StaticFile>;
  if (root_.empty() || path.find('\0') != std::string::npos || has_dots(path)) return Found();
  std::string wanted = root_ + path;
  if (wanted.ends_with('/')) wanted += "index.html";
  // Not blocked by a pipe that nobody writes to.
  int descriptor = ::open(wanted.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (auto trouble = trouble_of(errno)) return *trouble;
    return Found();
  }
  struct stat status {};
  bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  // Asked of the file that is open: no link that is changed meanwhile can deceive.
  if (!is_file || !real_path(descriptor).starts_with(root_ + "/")) {
    ::close(descriptor);
    return Found();
  }
  return Found(std::in_place, descriptor, static_cast<std::uint64_t>(status.st_size),
               std::int64_t{status.st_mtime}, content_type(wanted));
}

FileAnswer answer_file(const HttpRequest& request, const StaticFile& file) {
  FileAnswer answer;
  answer.head.headers = {{"ETag", file.etag()},
                         {"Last-Modified", http_date(file.modified())},
                         {"Accept-Ranges", "bytes"},
                         {"Cache-Control", "no-cache"}};
  if (is_unmodified(request, file)) {
    answer.head.status = 304;
    return answer;
  }
  answer.head.content_type = file.content_type();
  answer.length = file.size();
  if (!range_applies(request, file)) return answer;
  Range range = parse_range(request.header("range"), file.size());
  if (range.kind == Range::Kind::kNone) return answer;
  bool has_part = range.kind == Range::Kind::kWhole;
  answer.head.status = has_part ? 206 : 416;
  answer.begin = range.begin;
  answer.length = range.length;
  answer.head.headers.emplace_back(
      "Content-Range", has_part ? fmt::format("bytes {}-{}/{}", range.begin,
                                              range.begin + range.length - 1, file.size())
                                : fmt::format("bytes */{}", file.size()));
  return answer;
}

}  // namespace chorus::server
