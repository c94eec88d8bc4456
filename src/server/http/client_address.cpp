#include "server/http/client_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace chorus::server {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

constexpr std::string_view kUnix = "unix";

// An IPv4 address that came through an IPv6 socket (::ffff:10.0.0.1) is that address.
ip::address plain(const ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "10.0.0.1", "10.0.0.1:5000", "::1", "[::1]", "[::1]:5000".
std::optional<ip::address> parse_address(std::string_view text) {
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    text = text.substr(1, end - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  if (text.size() > 64) return std::nullopt;
  error_code error;
  ip::address address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return plain(address);
}

// The connection's address: as parse_address, but with version 6 unbracketed in front of its port.
std::optional<ip::address> parse_peer(std::string_view peer) {
  std::size_t port = peer.rfind(':');
  return port == std::string_view::npos || peer.starts_with('[')
             ? parse_address(peer)
             : parse_address(peer.substr(0, port));
}

Error no_network(const std::string& text) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("trusted-proxy: expected an address, a network such as 10.0.0.0/8, or unix; "
                      "found \"{}\"",
                      text)};
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& texts) {
  TrustedProxies proxies;
  for (const std::string& text : texts) {
    if (text == kUnix) {
      proxies.unix_ = true;
      continue;
    }
    std::size_t slash = text.find('/');
    error_code error;
    ip::address address = ip::make_address(text.substr(0, slash), error);
    if (error) return no_network(text);
    int most = address.is_v4() ? 32 : 128, length = most;
    if (slash != std::string::npos) {
      const char* end = text.data() + text.size();
      auto [stop, wrong] = std::from_chars(text.data() + slash + 1, end, length);
      if (wrong != std::errc() || stop != end || length < 0 || length > most) {
        return no_network(text);
      }
    }
    if (address.is_v4()) {
      proxies.networks_v4_.push_back(
          ip::network_v4(address.to_v4(), static_cast<unsigned short>(length)).canonical());
    } else {
      proxies.networks_v6_.push_back(
          ip::network_v6(address.to_v6(), static_cast<unsigned short>(length)).canonical());
    }
  }
  return proxies;
}

bool TrustedProxies::trusts(const ip::address& address) const {
  auto holds = [](const auto& network, const auto& one) {
    return std::remove_cvref_t<decltype(network)>(one, network.prefix_length()).canonical() ==
           network;
  };
  if (address.is_v4()) {
    return std::any_of(networks_v4_.begin(), networks_v4_.end(),
                       [&](const auto& network) { return holds(network, address.to_v4()); });
  }
  return std::any_of(networks_v6_.begin(), networks_v6_.end(),
                     [&](const auto& network) { return holds(network, address.to_v6()); });
}

bool TrustedProxies::trusts_peer(std::string_view peer) const {
  if (peer == kUnix) return unix_;
  std::optional<ip::address> address = parse_peer(peer);
  return address && trusts(*address);
}

std::string TrustedProxies::client(std::string_view peer, const HttpRequest& request) const {
  std::string client = peer_address(peer);
  if (!trusts_peer(peer)) return client;
  for (auto header = request.headers.rbegin(); header != request.headers.rend(); ++header) {
    if (header->first != "x-forwarded-for") continue;
    std::string_view entries = header->second;
    while (true) {
      std::size_t comma = entries.rfind(',');
      bool is_last = comma == std::string_view::npos;
      auto entry = parse_address(trim(is_last ? entries : entries.substr(comma + 1)));
      if (!entry) return client;
      client = entry->to_string();
      if (!trusts(*entry)) return client;
      if (is_last) break;
      entries = entries.substr(0, comma);
    }
  }
  return client;
}

std::string peer_address(std::string_view peer) {
  std::optional<ip::address> address = parse_peer(peer);
  return address ? address->to_string() : std::string(peer);
}

std::string network_of(std::string_view address) {
  constexpr unsigned short kNetworkBits = 64;
  std::optional<ip::address> parsed = parse_address(address);
  if (!parsed || parsed->is_v4()) return std::string(address);
  return ip::network_v6(parsed->to_v6(), kNetworkBits).canonical().to_string();
}

}  // namespace chorus::server
