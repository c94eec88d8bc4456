// Whose request it is behind proxies: what X-Forwarded-For is believed, and from whom.

#include "server/http/client_address.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace chorus::server {
namespace {

std::string client(const std::vector<std::string>& trusted, const std::string& peer,
                   const std::vector<std::string>& forwarded) {
  HttpRequest request;
  request.headers.emplace_back("host", "x");
  for (const std::string& one : forwarded) request.headers.emplace_back("x-forwarded-for", one);
  return TrustedProxies::parse(trusted).assume_value().client(peer, request);
}

TEST(ClientAddress, IsTheConnectionsWithoutATrustedProxy) {
  EXPECT_EQ(client({}, "10.0.0.1:5000", {"1.2.3.4"}), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.2"}, "10.0.0.1:5000", {"1.2.3.4"}), "10.0.0.1");
  EXPECT_EQ(client({}, "::1:5000", {"1.2.3.4"}), "::1");
  EXPECT_EQ(client({}, "[::1]:5000", {"1.2.3.4"}), "::1");
  EXPECT_EQ(client({"10.0.0.0/8"}, "unix", {"1.2.3.4"}), "unix");
  EXPECT_EQ(client({"0.0.0.0/0"}, "10.0.0.1:5000", {}), "10.0.0.1");
}

TEST(ClientAddress, IsTheLastThatNoTrustedProxyHas) {
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1:5000", {"1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1:5000", {"9.9.9.9, 1.2.3.4, 10.7.0.1"}), "1.2.3.4");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1:5000", {"9.9.9.9", "1.2.3.4,\t10.7.0.1"}), "1.2.3.4");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1:5000", {"10.0.0.7 , 10.0.0.8"}), "10.0.0.7");
  EXPECT_EQ(client({"unix"}, "unix", {"2001:db8::7"}), "2001:db8::7");
  EXPECT_EQ(client({"::1"}, "::1:5000", {"[2001:db8::7]:443"}), "2001:db8::7");
  EXPECT_EQ(client({"10.1.0.0/16"}, "10.1.2.3:1", {"1.2.3.4:5678"}), "1.2.3.4");
  EXPECT_EQ(client({"10.1.0.0/16"}, "10.2.2.3:1", {"1.2.3.4"}), "10.2.2.3");
  EXPECT_EQ(client({"2001:db8::/32"}, "2001:db8:1::1:5000", {"1.2.3.4"}), "1.2.3.4");
}

// One client has one name, however its connection came.
TEST(ClientAddress, MappedAddressesAreTheirOwn) {
  EXPECT_EQ(client({}, "::ffff:10.0.0.1:5000", {}), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.0/8"}, "::ffff:10.0.0.1:5000", {"::ffff:1.2.3.4"}), "1.2.3.4");
}

TEST(ClientAddress, WhatIsNoAddressEndsTheTrust) {
  for (const char* entry :
       {"", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[::1", "a b", ",", "::::"}) {
    EXPECT_EQ(client({"10.0.0.1"}, "10.0.0.1:5000", {std::string("1.2.3.4, ") + entry}), "10.0.0.1")
        << entry;
  }
  EXPECT_EQ(client({"10.0.0.1"}, "10.0.0.1:5000", {std::string(30'000, '1')}), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1:5000", {"unknown, 10.0.0.2"}), "10.0.0.2");
}

TEST(ClientAddress, RefusesWhatIsNoNetwork) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129",
                           "*", "example", "10.0.0.0/8/8", "10.0.0.1:80"}) {
    EXPECT_FALSE(TrustedProxies::parse({text})) << text;
  }
}

}  // namespace
}  // namespace chorus::server
