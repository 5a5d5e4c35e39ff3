#include "config/address.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Address, ParsesAndFormats) {
  for (const char* text : {"127.0.0.1:0", "[::1]:7070", "node-3.example.org:65535"}) {
    const auto address = ParseHostPort(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(FormatHostPort(*address), text);
  }
  EXPECT_EQ(ParseHostPort("[::1]:7070")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:7070")->port, 7070);
}

TEST(Address, RefusesOtherForms) {
  for (const char* bad :
       {"", "localhost", ":80", "a:", "a:65536", "a:-1", "a:+1", "::1:80", "[::1]", "[::1:80", "[a]:80", "a b:1"}) {
    EXPECT_EQ(ParseHostPort(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Address, KnowsLoopback) {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost"}) EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org", "127.example.org"})
    EXPECT_FALSE(IsLoopback(host)) << host;
}

TEST(Address, KnowsWildcards) {
  for (const char* host : {"0.0.0.0", "::", "0::0"}) EXPECT_TRUE(IsWildcard(host)) << host;
  for (const char* host : {"127.0.0.1", "::1", "10.0.0.0", "localhost", ""}) EXPECT_FALSE(IsWildcard(host)) << host;
}

}  // namespace
}  // namespace cairn
