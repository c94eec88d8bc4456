// A small HTTP server on loopback for tests that must break the rules: it answers one request for
// each connection, one after another, with exactly what the handler says. Every wait is bounded.
// The handler runs on the server's thread; requests() may be called from any thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace chorus::test {

struct ServerRequest {
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct ServerResponse {
  int status = 200;
  std::string body = {};
  std::vector<std::string> headers = {};  // whole lines without their ends
  long content_length = -1;               // what is stated; -1: the truth; -2: nothing
  std::size_t break_after = SIZE_MAX;     // bytes of the body that are sent
};

class HttpServer {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    if (::bind(listener_, generic, size) == 0 && ::listen(listener_, 16) == 0 &&
        ::getsockname(listener_, generic, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
    thread_ = std::thread([this] { serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::vector<ServerRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      timeval limit{5, 0};
      ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      ssize_t count = ::recv(connection, buffer, sizeof(buffer), 0);
      if (count <= 0 || head.size() > 65536) return;
      head.append(buffer, static_cast<std::size_t>(count));
    }
    ServerRequest request = parse(head);
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    ServerResponse response = handler_(request);
    send_all(connection, response_head(response) + response.body.substr(0, response.break_after));
    // A close with unread input would reset the connection before the client has read everything.
    ::shutdown(connection, SHUT_WR);
    while (::recv(connection, buffer, sizeof(buffer), 0) > 0) {
    }
  }

  static ServerRequest parse(const std::string& head) {
    ServerRequest request;
    std::size_t begin = head.find(' ') + 1;
    request.path = head.substr(begin, head.find(' ', begin) - begin);
    std::size_t line = head.find("\r\n") + 2;
    for (std::size_t end; (end = head.find("\r\n", line)) > line && end != std::string::npos;
         line = end + 2) {
      std::size_t colon = head.find(": ", line);
      if (colon > end) continue;
      std::string name = head.substr(line, colon - line);
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
      request.headers[name] = head.substr(colon + 2, end - colon - 2);
    }
    return request;
  }

  static std::string response_head(const ServerResponse& response) {
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " As-Told\r\n";
    for (const std::string& line : response.headers) head += line + "\r\n";
    long length = response.content_length == -1 ? static_cast<long>(response.body.size())
                                                : response.content_length;
    if (length >= 0) head += "Content-Length: " + std::to_string(length) + "\r\n";
    return head + "Connection: close\r\n\r\n";
  }

  static void send_all(int connection, const std::string& text) {
    for (std::size_t sent = 0; sent < text.size();) {
      ssize_t count = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  Handler handler_;
  int listener_ = -1;
  unsigned port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;
  std::thread thread_;
};

}  // namespace chorus::test
