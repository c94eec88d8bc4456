// A certificate and its key as the TLS connections use them, which may be read again while the
// server runs: connections that are open keep what they began with.
//
// Thread contract: any thread.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "chorus/error.h"
#include "core/mutex.h"

namespace chorus::server {

class TlsContext {
 public:
  // Errors: kIo: a file that cannot be read, is no PEM, or a key that is not the certificate's.
  static Result<std::unique_ptr<TlsContext>> read(const std::string& certificate,
                                                  const std::string& key);

  // Reads the files again. An error leaves everything as it was.
  Result<void> read_again();

  // For a new connection.
  std::shared_ptr<boost::asio::ssl::context> current() const;

  // The certificate in use: whose it is, when it holds, and whether it does now.
  struct Description {
    std::string text;  // "/CN=chorus.example, from 2026-... until 2027-..."
    bool is_valid_now;
  };
  Description describe() const;

 private:
  TlsContext(std::string certificate, std::string key);

  const std::string certificate_, key_;
  mutable Mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> context_ CHORUS_GUARDED_BY(mutex_);
};

}  // namespace chorus::server
