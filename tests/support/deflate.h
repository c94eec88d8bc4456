// Compressed data for tests, and zip members as packers other than torch.save write them.
#pragma once

#include <zlib.h>

#include <string>

#include "support/zip_writer.h"

namespace chorus::test {

// `window_bits` as deflateInit2() takes it: negative for raw, 16 more for gzip's frame.
inline std::string compress(const std::string& data, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

inline std::string deflate_raw(const std::string& data) { return compress(data, -MAX_WBITS); }

// The entry with its data deflated.
inline ZipEntry deflated(ZipEntry entry) {
  entry.crc = crc32(entry.data);
  entry.size = entry.data.size();
  entry.data = deflate_raw(entry.data);
  entry.method = 8;
  return entry;
}

}  // namespace chorus::test
