#include "server/gateway/dialable.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(DialableTest, LoopbackIsToldToLoopbackOnly) {
  for (const char* peer : {"ipv4:127.0.0.1:40000", "ipv6:[::1]:40000", "ipv6:%5B::1%5D:40000", "unix:/run/cairn"}) {
    EXPECT_TRUE(CanDial(peer, "127.0.0.2:7070")) << peer;
    EXPECT_TRUE(CanDial(peer, "n1.example.org:7070")) << peer;
  }
  for (const char* peer : {"ipv4:10.0.0.7:40000", "ipv6:[fd00::7]:40000", "ipv6:%5Bfd00::7%5D:40000", ""}) {
    EXPECT_FALSE(CanDial(peer, "127.0.0.2:7070")) << peer;
    EXPECT_FALSE(CanDial(peer, "[::1]:7070")) << peer;
    EXPECT_FALSE(CanDial(peer, "localhost:7070")) << peer;
    EXPECT_TRUE(CanDial(peer, "n1.example.org:7070")) << peer;
    EXPECT_TRUE(CanDial(peer, "10.0.0.2:7070")) << peer;
  }
}

}  // namespace
}  // namespace cairn
