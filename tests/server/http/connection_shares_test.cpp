// No address takes the places of all: what one may have, what becomes of more, and that others do not
// notice.

#include "server/http/connection_shares.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/fixture.h"
#include "server/http/client_address.h"

namespace chorus::server {
namespace {

using std::chrono::milliseconds;

constexpr const char* kOther = "127.0.0.2";

constexpr const char* kRefused = "chorus_http_connections_refused_total{reason=\"address\"}";

class Shares : public ServerTest {
 protected:
  using Clients = std::vector<std::unique_ptr<HttpClient>>;

  void start_bare(HttpOptions http) {
    start_with({.port = 0, .io_threads = 2, .http = std::move(http), .log_level = "off"}, {});
  }
  std::unique_ptr<HttpClient> client(const char* from = nullptr) {
    return std::make_unique<HttpClient>(server_->port(), 0, from);
  }
  int status_from(const char* from) {
    auto one = client(from);
    one->get("/plaintext");
    return one->answer().status;
  }
  double metric(const std::string& name) {
    auto asking = client("127.0.0.3");
    asking->get("/metrics");
    std::string text = asking->answer().body;
    std::size_t place = text.find("\n" + name + " ");
    EXPECT_NE(place, std::string::npos) << name;
    return place == std::string::npos ? -1 : std::stod(text.substr(place + 2 + name.size()));
  }
  // Connections that are not idle, as the rest of a request is awaited; up to `most`, until one is
  // refused.
  Clients occupy(const char* from, std::size_t most) {
    Clients busy;
    while (busy.size() < most) {
      auto one = client(from);
      if (one->half_request() != 100) break;
      busy.push_back(std::move(one));
    }
    return busy;
  }
};

TEST_F(Shares, OneAddressMayHaveAsManyConnectionsAsPlacesAreFree) {
  start_bare({.max_connections = 12});
  Clients busy = occupy(nullptr, 12);
  EXPECT_GE(busy.size(), 5u);
  EXPECT_LE(busy.size(), 7u);
  double refused = metric(kRefused);
  for (bool asks : {false, true}) {
    auto more = client();
    if (asks) more->get("/plaintext");
    HttpAnswer answer = more->answer();
    EXPECT_EQ(answer.status, 429);
    EXPECT_TRUE(answer.is_whole);
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_EQ(error(answer).at("code"), "connections");
    EXPECT_NE(answer.body.find("--max-connections-per-address"), std::string::npos);
    EXPECT_TRUE(more->is_closed());
  }
  EXPECT_EQ(metric(kRefused), refused + 2);
  EXPECT_EQ(get("/health").header("connection"), "close");  // whoever asks
  Clients others = occupy(kOther, 12);                      // of what is left the same share
  EXPECT_GE(others.size(), 2u);
  EXPECT_EQ(status_from("127.0.0.4"), 200);
  busy.front()->end_half_request();  // what was served goes on
  EXPECT_EQ(busy.front()->answer().status, 200);
  busy.clear();
  for (int i = 0; i < kPatience && metric("chorus_http_connections") > 1.0 + double(others.size());
       ++i) {
    pause();
  }
  EXPECT_EQ(status_from(nullptr), 200);
}

TEST_F(Shares, SilentConnectionsOfOneAddressCostItsOwn) {
  start_bare({.max_connections = 40, .first_byte_timeout = milliseconds(60'000)});
  HttpClient resting(server_->port(), 0, kOther);
  resting.get("/plaintext");
  EXPECT_EQ(resting.answer().status, 200);
  pause();
  Clients silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(client());
    if (i % 20 == 0) {
      EXPECT_EQ(status_from("127.0.0.4"), 200) << i;
    }
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(status_from("127.0.0.4"), 200);
  }
  for (int i = 0; i < 20; ++i) {  // for one of its silent ones, at the next tick at the latest
    int status = 429;
    for (int j = 0; j < kPatience && status == 429; ++j, pause()) status = status_from(nullptr);
    EXPECT_EQ(status, 200);
  }
  for (int i = 0; i < kPatience && metric("chorus_http_connections") > 30; ++i) pause();
  EXPECT_LE(metric("chorus_http_connections"), 30);
  EXPECT_GT(metric("chorus_http_connections_put_out_total"), 5);
  resting.get("/plaintext");  // idle longer than any of them, and another's
  EXPECT_EQ(resting.answer().status, 200);
}

TEST_F(Shares, HoweverManyAreRefusedEachIsToldSo) {
  start_bare({.max_connections = 100, .max_connections_per_address = 2});
  Clients busy = occupy(nullptr, 2);
  ASSERT_EQ(busy.size(), 2u);
  Clients refused;
  for (int i = 0; i < 60; ++i) {  // silent ones, of which only some are waited for
    refused.push_back(client());
  }
  for (int i = 0; i < 60; ++i) {
    HttpClient one(server_->port());
    one.get("/plaintext");
    EXPECT_EQ(one.answer().status, 429) << i;
  }
  for (auto& one : refused) {
    HttpAnswer answer = one->answer();
    EXPECT_EQ(answer.status, 429);
    EXPECT_TRUE(answer.is_whole);
  }
  EXPECT_GE(metric(kRefused), 120);
  EXPECT_EQ(status_from(kOther), 200);
}

TEST_F(Shares, ANumberThatIsGivenIsTheBound) {
  start_bare({.max_connections = 8, .max_connections_per_address = 3});
  EXPECT_EQ(occupy(nullptr, 8).size(), 3u);
}

TEST_F(Shares, ATrustedProxyHasNoBound) {
  start_bare({.max_connections = 8,
              .max_connections_per_address = 2,
              .trusted_proxies = {"127.0.0.2", "127.0.0.3"}});
  EXPECT_EQ(occupy(nullptr, 8).size(), 2u);
  EXPECT_EQ(occupy(kOther, 6).size(), 6u);
}

TEST(Network, IsAnAddressOrThatOfItsMachine) {
  auto of_peer = [](std::string_view peer) { return network_of(peer_address(peer)); };
  EXPECT_EQ(of_peer("10.0.0.1:5000"), "10.0.0.1");
  EXPECT_EQ(of_peer("::ffff:10.0.0.1:5000"), "10.0.0.1");
  EXPECT_EQ(of_peer("2001:db8:1:2:3:4:5:6:5000"), of_peer("2001:db8:1:2:ffff::1:80"));
  EXPECT_NE(of_peer("2001:db8:1:2:3:4:5:6:5000"), of_peer("2001:db8:1:3:3:4:5:6:5000"));
  EXPECT_EQ(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:2:3:4:5:6"));
  EXPECT_EQ(network_of("unix"), "unix");
}

TEST(ConnectionShares, ForgetsAddressesWithoutConnections) {
  ConnectionShares shares;
  AddressPlace place(shares.of("10.0.0.1"), true);
  for (int i = 0; i < 5000; ++i) shares.of(std::to_string(i));
  EXPECT_EQ(shares.of("10.0.0.1")->connections, 1u);
  { AddressPlace moved = std::move(place); }
  EXPECT_EQ(shares.of("10.0.0.1")->connections, 0u);
}

}  // namespace
}  // namespace chorus::server
