#include "server/http/request_id.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>

namespace chorus::server {

bool is_sane_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

NewRequestId new_request_id() {
  static constexpr char kDigits[] = "0123456789abcdef";
  static constexpr std::size_t kOfProcess = 16;
  static const NewRequestId of_process = [] {
    std::random_device device;
    NewRequestId id{};
    for (std::size_t i = 0; i < kOfProcess; ++i) id[i] = kDigits[device() & 0xf];
    return id;
  }();
  static std::atomic<std::uint32_t> count{0};
  std::uint32_t number = count.fetch_add(1, std::memory_order_relaxed);
  NewRequestId id = of_process;
  for (std::size_t i = id.size(); i > kOfProcess; number >>= 4) id[--i] = kDigits[number & 0xf];
  return id;
}

}  // namespace chorus::server
