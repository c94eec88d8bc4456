#include "server/http/content_coding.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/ascii.h"
#include "core/utf8.h"

namespace chorus::server {
namespace {

// What inflateInit2() makes of its second argument.
constexpr int kZlib = MAX_WBITS, kRaw = -MAX_WBITS, kGzip = MAX_WBITS + 16;

class Inflater {
 public:
  explicit Inflater(int format) { is_ready_ = ::inflateInit2(&stream_, format) == Z_OK; }
  ~Inflater() {
    if (is_ready_) ::inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Appends what the beginning of `body` holds, up to the end of its stream, and takes it off.
  HttpResult<void> run(std::string_view& body, std::string& out, std::size_t most) {
    if (!is_ready_) return HttpError{503, "no memory for the body", "memory"};
    ::inflateReset(&stream_);
    std::array<char, 16384> chunk;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      auto available =
          static_cast<uInt>(std::min<std::size_t>(body.size(), std::numeric_limits<uInt>::max()));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
      stream_.avail_in = available;
      stream_.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream_.avail_out = static_cast<uInt>(chunk.size());
      status = ::inflate(&stream_, Z_NO_FLUSH);
      body.remove_prefix(available - stream_.avail_in);
      out.append(chunk.data(), chunk.size() - stream_.avail_out);
      if (out.size() > most) {
        return HttpError{413,
                         fmt::format("the request's body: expected at most {} bytes when it is "
                                     "decompressed",
                                     most)};
      }
      if (status == Z_STREAM_END) break;
      bool is_cut =
          status == Z_BUF_ERROR || (status == Z_OK && body.empty() && stream_.avail_out > 0);
      if (is_cut) return HttpError{400, "the request's body: its compressed data ends too early"};
      if (status != Z_OK)
        return HttpError{400, "the request's body: its compressed data is broken"};
    }
    return ok();
  }

 private:
  z_stream stream_{};
  bool is_ready_;
};

// "deflate" is zlib's frame; some clients leave it out. Its first two bytes are a multiple of 31.
int deflate_format(std::string_view body) {
  if (body.size() < 2) return kZlib;
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(body[i]); };
  bool has_frame = (byte(0) & 15) == Z_DEFLATED && (byte(0) * 256 + byte(1)) % 31 == 0;
  return has_frame ? kZlib : kRaw;
}

}  // namespace

bool is_identity(std::string_view coding) {
  return coding.empty() || lower_case(coding) == "identity";
}

HttpResult<std::string> decode_content(std::string_view coding, std::string_view body,
                                       std::size_t most) {
  std::string name = lower_case(coding);
  bool is_gzip = name == "gzip" || name == "x-gzip";
  if (!is_gzip && name != "deflate") {
    return HttpError{415,
                     fmt::format("Content-Encoding: expected gzip, deflate or none, found \"{}\"",
                                 replace_ill_formed(coding)),
                     "unknown_coding"};
  }
  std::string out;
  int format = is_gzip ? kGzip : deflate_format(body);
  Inflater inflater(format);
  do {
    CHORUS_TRY(inflater.run(body, out, most));
  } while (is_gzip && !body.empty());
  if (!body.empty()) {
    return HttpError{400, "the request's body: something follows its compressed data"};
  }
  return out;
}

}  // namespace chorus::server
