#include "server/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

namespace chorus::server {
namespace {

constexpr int kFirstDescriptor = 3;
constexpr int kMostSockets = 64;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<int> number(const std::string& text) {
  int value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

int socket_option(int descriptor, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

}  // namespace

Result<std::vector<int>> inherited_sockets() {
  std::string pid = environment("LISTEN_PID"), count = environment("LISTEN_FDS");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  std::vector<int> sockets;
  if (count.empty() || number(pid) != static_cast<int>(::getpid())) return sockets;
  std::optional<int> sockets_given = number(count);
  if (!sockets_given || *sockets_given < 0 || *sockets_given > kMostSockets) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("LISTEN_FDS: expected a number from 0 to {}, found \"{}\"",
                             kMostSockets, count)};
  }
  for (int i = 0; i < *sockets_given; ++i) {
    int descriptor = kFirstDescriptor + i;
    int family = socket_option(descriptor, SO_DOMAIN);
    bool is_known = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
    if (!is_known || socket_option(descriptor, SO_TYPE) != SOCK_STREAM ||
        socket_option(descriptor, SO_ACCEPTCONN) != 1) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("LISTEN_FDS: expected listening stream sockets (ListenStream=, "
                               "Accept=no), found that descriptor {} is none",
                               descriptor)};
    }
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    sockets.push_back(descriptor);
  }
  return sockets;
}

void notify_service_manager(std::string_view lines) {
  std::string path = environment("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  bool is_usable = path.size() > 1 && path.size() < sizeof(address.sun_path) &&
                   (path[0] == '/' || path[0] == '@');
  if (!is_usable) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';  // Linux's abstract names
  int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  timeval most{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
  ::sendto(descriptor, lines.data(), lines.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  ::close(descriptor);
}

std::string reloading_message() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                     static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

}  // namespace chorus::server
