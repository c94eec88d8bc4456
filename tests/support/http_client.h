// A client of bytes on loopback for tests of a server: it sends exactly what it is told, in the
// pieces it is told, and takes answers apart strictly. Every wait is bounded. One thread at a time.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace chorus::test {

struct HttpAnswer {
  int status = 0;                              // 0: there was none
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::vector<std::string> chunks;
  bool is_whole = false;  // its end was told, not only met

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

class HttpClient {
 public:
  // `from`: an address of this machine (127.0.0.2) to connect from.
  explicit HttpClient(std::uint16_t port, int receive_buffer = 0, const char* from = nullptr) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    timeval limit{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (from != nullptr) {
      ::inet_pton(AF_INET, from, &address.sin_addr);
      ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient() { close(); }

  bool is_connected() const { return is_connected_; }

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // Closes with a reset instead of an end.
  void reset() {
    linger hard{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close();
  }

  bool send(std::string_view text) {
    while (!text.empty()) {
      ssize_t count =
          unbroken([&] { return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); });
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  void get(const std::string& target, const std::string& headers = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
  }
  void post(const std::string& target, const std::string& body, const std::string& headers = "") {
    send("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
  }

  // Waits until at least one more byte is there, and takes `most` at the most; false at the end.
  bool receive(std::size_t most = 16384) {
    char buffer[16384];
    ssize_t count =
        unbroken([&] { return ::recv(socket_, buffer, std::min(most, sizeof(buffer)), 0); });
    if (count > 0) input_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }

  // The first bytes of what comes; the rest stays where it is.
  std::string first_bytes(std::size_t count) {
    while (input_.size() < count && receive(count - input_.size())) {
    }
    return input_;
  }

  // How many bytes come until the connection ends or `most` have come; none is kept.
  std::size_t discard(std::size_t most) {
    std::size_t count = 0;
    while (count < most && receive()) {
      count += input_.size();
      input_.clear();
    }
    return count;
  }

  // Sends all of a request but its last two bytes, and waits until its head was read: 100, or the status of
  // whoever refuses it. Then the connection is not idle until end_half_request().
  int half_request() {
    send(
        "GET /plaintext HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        "Expect: 100-continue\r\n\r\n");
    return answer().status;
  }
  void end_half_request() { send("ok"); }

  // Whether there is something to receive, or the end, within this time.
  bool has_input(int milliseconds) {
    pollfd one{socket_, POLLIN, 0};
    return !input_.empty() || ::poll(&one, 1, milliseconds) > 0;
  }

  // Whether nothing more comes: the connection was closed.
  bool is_closed() { return input_.empty() && !receive(); }

  // The next answer, 100 Continue included. `has_body`: false for one to HEAD.
  HttpAnswer answer(bool has_body = true) {
    HttpAnswer result;
    std::string head = take_until("\r\n\r\n");
    if (head.empty()) return result;
    parse_head(head, result);
    if (!has_body || result.status == 100 || result.status == 204 || result.status == 304) {
      result.is_whole = true;
    } else if (result.header("transfer-encoding") == "chunked") {
      read_chunks(result);
    } else if (!result.header("content-length").empty()) {
      result.body = take(std::stoul(result.header("content-length")), result.is_whole);
    } else {
      while (receive()) {
      }
      result.body = std::move(input_);
      input_.clear();
    }
    return result;
  }

 private:
  // A call that waits at most so long is broken off, too, when the process is stopped and goes on
  // (signal(7)): then it is made again.
  template <class Call>
  static ssize_t unbroken(Call&& call) {
    ssize_t count = 0;
    do {
      count = call();
    } while (count < 0 && errno == EINTR);
    return count;
  }

  static void parse_head(const std::string& head, HttpAnswer& result) {
    result.status = std::atoi(head.c_str() + head.find(' '));
    for (std::size_t line = head.find("\r\n") + 2; line < head.size();) {
      std::size_t end = head.find("\r\n", line), colon = head.find(": ", line);
      if (end == line || colon > end) break;
      std::string name = head.substr(line, colon - line);
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
      result.headers[name] = head.substr(colon + 2, end - colon - 2);
      line = end + 2;
    }
  }

  void read_chunks(HttpAnswer& result) {
    while (true) {
      std::string line = take_until("\r\n");
      if (line.empty()) return;
      std::size_t size = std::strtoul(line.c_str(), nullptr, 16);
      bool is_there = false;
      std::string data = take(size + 2, is_there);
      if (!is_there) return;
      EXPECT_EQ(data.substr(size), "\r\n") << "a chunk whose size is wrong";
      if (size == 0) {
        result.is_whole = true;
        return;
      }
      result.chunks.push_back(data.substr(0, size));
      result.body += result.chunks.back();
    }
  }

  std::string take_until(const std::string& end) {
    std::size_t at = 0;
    while ((at = input_.find(end)) == std::string::npos) {
      if (!receive()) return "";
    }
    std::string text = input_.substr(0, at + end.size());
    input_.erase(0, at + end.size());
    return text;
  }

  std::string take(std::size_t size, bool& is_there) {
    while (input_.size() < size && receive()) {
    }
    is_there = input_.size() >= size;
    std::string text = input_.substr(0, size);
    input_.erase(0, text.size());
    return text;
  }

  int socket_ = -1;
  bool is_connected_ = false;
  std::string input_;
};

}  // namespace chorus::test
