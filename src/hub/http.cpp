#include "hub/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>

namespace chorus::hub {
namespace {

constexpr long kMaxRedirects = 10;
constexpr long kStallBytesPerSecond = 1000;

struct Transfer {
  const HttpSink& sink;
  HttpOutcome outcome;
  bool sink_called = false;

  // Whether the transfer may go on. No exception may pass through libcurl, which is C.
  bool give(std::string_view piece) {
    sink_called = true;
    try {
      Result<void> taken = sink(outcome.response, piece);
      if (taken) return true;
      outcome.refused = taken.assume_error();
    } catch (const std::exception& error) {
      outcome.refused = Error{ErrorCode::kIo, error.what()};
    }
    return false;
  }
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* transfer) {
  try {
    read_header_line({data, size}, static_cast<Transfer*>(transfer)->outcome.response);
  } catch (const std::exception&) {
    return 0;
  }
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* transfer) {
  return static_cast<Transfer*>(transfer)->give({data, size}) ? size : 0;
}

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// The request's own header lines; null if there are none.
class HeaderLines {
 public:
  void add(const std::string& line) {
    list_.reset(curl_slist_append(list_.release(), line.c_str()));
  }
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, FreeList> list_;
};

HeaderLines header_lines(const HttpRequest& request) {
  HeaderLines lines;
  lines.add("Accept-Encoding: identity");  // lengths and hashes are those of the file itself
  // libcurl keeps this one from any other host, port or protocol that a redirect leads to.
  if (!request.token.empty()) lines.add("Authorization: Bearer " + request.token);
  if (request.range_begin > 0 && !request.if_range.empty()) {
    lines.add("If-Range: " + request.if_range);
  }
  return lines;
}

void set_options(CURL* handle, const HttpRequest& request, const HeaderLines& lines) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "chorus");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, redirect_protocols(request.url));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT,
                   static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(request.stall_timeout.count()));
  if (request.range_begin > 0) {
    curl_easy_setopt(handle, CURLOPT_RANGE, (std::to_string(request.range_begin) + "-").c_str());
  }
}

// Failures of the network rather than of what was asked for.
bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

// "; " and the system's reason, where a transfer has failed for want of descriptors: libcurl only says
// that it could not connect, find the host or read the certificates.
std::string shortage(CURL* handle) {
  long error = 0;
  curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &error);
  if (error != EMFILE && error != ENFILE) {
    int probe = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    error = probe < 0 ? errno : 0;
    if (probe >= 0) ::close(probe);
  }
  if (error != EMFILE && error != ENFILE) return {};
  return std::string("; ") + std::strerror(static_cast<int>(error)) +
         (error == EMFILE ? " (ulimit -n)" : " (on this machine)");
}

}  // namespace

HttpOutcome http_get(const HttpRequest& request, const HttpSink& sink) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  Handle handle(global == CURLE_OK ? curl_easy_init() : nullptr);
  Transfer transfer{sink, {}};
  if (!handle) {
    transfer.outcome.failure = "libcurl could not be started";
    return std::move(transfer.outcome);
  }
  HeaderLines lines = header_lines(request);
  set_options(handle.get(), request, lines);
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &transfer);

  CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK && !transfer.sink_called) transfer.give({});
  if (code != CURLE_OK && !transfer.outcome.refused) {
    transfer.outcome.failure = reason[0] != '\0' ? reason : curl_easy_strerror(code);
    transfer.outcome.failure += shortage(handle.get());
    transfer.outcome.may_pass = may_pass(code);
  }
  return std::move(transfer.outcome);
}

}  // namespace chorus::hub
