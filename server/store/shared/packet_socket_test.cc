#include "server/store/shared/packet_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/test_directory.h"
#include "server/store/shared/testing.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::NoDescriptors;

class PacketSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends;
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    left_ = UniqueFd(ends[0]);
    right_ = UniqueFd(ends[1]);
  }
  const TestDirectory directory_;
  UniqueFd left_, right_;
};

TEST_F(PacketSocketTest, PacketsStayApartAndCarryADescriptor) {
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(SendPacket(left_.get(), "one").ok());
  ASSERT_TRUE(SendPacket(left_.get(), "three", file.get()).ok());
  auto packet = ReceivePacket(right_.get(), 10);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "one");
  EXPECT_FALSE(packet->fd);
  packet = ReceivePacket(right_.get(), 10);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "three");
  ASSERT_TRUE(packet->fd);
  EXPECT_NE(::fcntl(packet->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(PacketSocketTest, TooLongIsSeen) {
  ASSERT_TRUE(SendPacket(left_.get(), std::string(100, 'x')).ok());
  const auto packet = ReceivePacket(right_.get(), 10);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->bytes.size(), 11u);
}

TEST_F(PacketSocketTest, NothingAndNobody) {
  EXPECT_TRUE(absl::IsUnavailable(ReceivePacket(right_.get(), 10).status()));
  left_.Reset();
  const auto packet = ReceivePacket(right_.get(), 10);
  ASSERT_TRUE(packet.ok());
  EXPECT_TRUE(packet->bytes.empty());
  EXPECT_TRUE(absl::IsUnavailable(SendPacket(right_.get(), "x")));
}

TEST_F(PacketSocketTest, WhoDoesNotReadIsNotWaitedFor) {
  absl::Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) status = SendPacket(left_.get(), std::string(100, 'x'));
  EXPECT_TRUE(absl::IsUnavailable(status));
}

TEST_F(PacketSocketTest, OnlyOneServesAndOnlyInPrivate) {
  const fs::path path = directory_ / "agent";
  auto listener = PacketListener::Open(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(absl::IsUnavailable(PacketListener::Open(path).status()));
  { const PacketListener ended = *std::move(listener); }
  EXPECT_TRUE(fs::is_empty(path));
  ASSERT_EQ(::chmod(path.c_str(), 0750), 0);
  const auto open = PacketListener::Open(path);
  EXPECT_TRUE(absl::IsPermissionDenied(open.status()));
  EXPECT_THAT(open.status().message(), HasSubstr("got mode 0750"));
}

TEST_F(PacketSocketTest, TheSocketOfADeadAgentIsReplaced) {
  const fs::path path = directory_ / "agent";
  {
    const auto listener = PacketListener::Open(path);
    ASSERT_TRUE(listener.ok());
    fs::rename(path / "store.sock", path / "left");
  }
  fs::rename(path / "left", path / "store.sock");
  EXPECT_TRUE(absl::IsUnavailable(ConnectToPackets(path).status()));
  auto listener = PacketListener::Open(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const auto client = ConnectToPackets(path);
  ASSERT_TRUE(client.ok()) << client.status();
  const auto accepted = listener->Accept();
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  const auto peer = PeerOf(accepted->get());
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_GT(peer->start, 0u);
  EXPECT_TRUE(absl::IsUnavailable(listener->Accept().status()));
}

TEST_F(PacketSocketTest, NobodyServes) {
  EXPECT_TRUE(absl::IsNotFound(ConnectToPackets(directory_ / "none").status()));
  const auto longer = ConnectToPackets(directory_ / std::string(200, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(longer.status()));
}

TEST_F(PacketSocketTest, WithoutDescriptorsAConnectionIsRefusedAndNotLeftWaiting) {
  auto listener = PacketListener::Open(directory_ / "agent");
  ASSERT_TRUE(listener.ok());
  const auto client = ConnectToPackets(directory_ / "agent");
  ASSERT_TRUE(client.ok());
  const NoDescriptors none;
  EXPECT_TRUE(absl::IsResourceExhausted(listener->Accept().status()));
  pollfd queue{listener->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&queue, 1, 0), 0) << "still in the queue";
  const auto end = ReceivePacket(client->get(), 10);
  EXPECT_TRUE(end.ok() && end->bytes.empty());
}

TEST_F(PacketSocketTest, ADescriptorWithoutRoomIsLostAndItsPacketIsNot) {
  ASSERT_TRUE(SendPacket(left_.get(), "x", left_.get()).ok());
  const NoDescriptors none;
  const auto packet = ReceivePacket(right_.get(), 10);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "x");
  EXPECT_FALSE(packet->fd);
  EXPECT_TRUE(packet->fd_lost);
}

TEST_F(PacketSocketTest, TheLastWordIsHeardByOneWhoWasStillTalking) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(SendPacket(left_.get(), "talk").ok());
  ASSERT_TRUE(SendPacket(right_.get(), "no").ok());
  EndReceiving(right_.get());
  EXPECT_TRUE(absl::IsUnavailable(SendPacket(left_.get(), "more")));
  right_.Reset();
  const auto packet = ReceivePacket(left_.get(), 10);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "no");
}

}  // namespace
}  // namespace cairn
