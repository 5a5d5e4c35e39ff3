// Peers that do not keep to the protocol: each loses its own connection, and nobody else notices.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>

#include <random>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/open_files.h"
#include "server/store/shared/message.h"
#include "server/store/shared/packet_socket.h"
#include "server/store/shared/store_client.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

class StrangerTest : public AgentTest {
 protected:
  void SetUp() override {
    const auto key = Put(*store_, "bytes");
    ASSERT_TRUE(key.ok());
    key_ = key->ToHex();
    ASSERT_EQ(worker_->Ask("get " + key_), "5 same valid");
    stranger_ = *ConnectToPackets(socket_);
  }
  void TearDown() override {
    EXPECT_EQ(worker_->Ask("read " + key_), "5 same valid");
    EXPECT_EQ(worker_->Ask("renew"), "");
    stranger_.Reset();
    EXPECT_TRUE(Eventually([&] { return store_->stats().sessions == 1; }));
  }
  void Say(absl::string_view packet, int fd = -1) { ASSERT_TRUE(SendPacket(stranger_.get(), packet, fd).ok()); }
  // The last thing that the agent says before it closes the connection.
  absl::Status LastWord() {
    absl::Status last;
    while (true) {
      pollfd wait{stranger_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 20'000) != 1) return absl::DeadlineExceededError("the connection stays open");
      const auto packet = ReceivePacket(stranger_.get(), sizeof(Reply));
      if (!packet.ok() || packet->bytes.empty()) return last;
      const auto reply = ParseReply(packet->bytes);
      last = reply.ok() ? reply->status() : reply.status();
    }
  }
  std::string key_;
  std::unique_ptr<Puppet> worker_ = Connected();
  UniqueFd stranger_;
};

TEST_F(StrangerTest, WrongSize) {
  Say("hello");
  EXPECT_THAT(LastWord().message(), HasSubstr("expected 48 bytes, got 5"));
}

TEST_F(StrangerTest, TooLong) {
  Say(std::string(100'000, 'x'));
  EXPECT_THAT(LastWord().message(), HasSubstr("expected 48 bytes, got 49"));
}

TEST_F(StrangerTest, AnotherVersion) {
  Say(PacketOf(Request{.version = 2, .number = 1}));
  EXPECT_TRUE(absl::IsFailedPrecondition(LastWord()));
}

TEST_F(StrangerTest, UnknownOperation) {
  Say(PacketOf(Request{.op = static_cast<Op>(77), .number = 1}));
  EXPECT_THAT(LastWord().message(), HasSubstr("operation 77"));
}

TEST_F(StrangerTest, NoHello) {
  Say(PacketOf(Request{.op = Op::kRenew, .number = 1}));
  EXPECT_THAT(LastWord().message(), HasSubstr("expected hello"));
}

TEST_F(StrangerTest, SaysNothing) {
  const UniqueFd polite = *ConnectToPackets(socket_);
  ASSERT_TRUE(SendPacket(polite.get(), PacketOf(Request{.number = 1})).ok());
  ASSERT_TRUE(Eventually([&] { return store_->stats().sessions == 2; }));
  Connected();  // A round trip: the agent has heard of the stranger, who came before.
  Advance(absl::Seconds(9));
  EXPECT_EQ(worker_->Ask("renew"), "");  // It holds something.
  Advance(absl::Seconds(1));
  const absl::Status late = LastWord();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(late.message(), HasSubstr("expected hello within 10s"));
  EXPECT_TRUE(Eventually([&] { return store_->stats().sessions == 2; })) << "who has said hello may be silent";
}

TEST_F(StrangerTest, HelloTwice) {
  Say(PacketOf(Request{.number = 1}));
  Say(PacketOf(Request{.number = 2}));
  EXPECT_THAT(LastWord().message(), HasSubstr("said hello before"));
}

TEST_F(StrangerTest, WaitsTwice) {
  Say(PacketOf(Request{.number = 1}));
  const auto all = Put(*store_, std::string(7 * kSlab, 'x'));
  ASSERT_TRUE(all.ok());
  for (std::uint32_t i = 2; i < 4; ++i) Say(PacketOf(Request{.op = Op::kCreate, .number = i, .bytes = 1}));
  EXPECT_THAT(LastWord().message(), HasSubstr("waits for an object already"));
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 0; }));
}

// The object and its slab are there before the agent's answer is on its way.
TEST_F(StrangerTest, AsksForMoreBeforeItIsAnswered) {
  for (const Op op : {Op::kGet, Op::kSeal, Op::kAbandon}) {
    stranger_ = *ConnectToPackets(socket_);
    Say(PacketOf(Request{.number = 1}));
    const auto all = Put(*store_, std::string(7 * kSlab, 'x'));
    ASSERT_TRUE(all.ok());
    Say(PacketOf(Request{.op = Op::kCreate, .number = 2, .bytes = 1}));
    Say(PacketOf(Request{.op = op, .number = 3, .key = *ObjectKey::FromHex(key_)}));
    EXPECT_THAT(LastWord().message(), HasSubstr("waits for an object: expected nothing but"));
    EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 0; }));
    ASSERT_TRUE(store_->Remove(*all).ok());
  }
}

TEST_F(StrangerTest, Garbage) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    stranger_ = *ConnectToPackets(socket_);
    std::string packet(1 + random() % 100, '\0');
    for (char& c : packet) c = static_cast<char>(random());
    Say(packet);
  }
  EXPECT_FALSE(LastWord().ok());
}

TEST_F(StrangerTest, OneOfTooMany) {
  if (!AllowOpenFiles(2 * limits::kStoreSessionsMax + 100).ok()) GTEST_SKIP() << "too few descriptors here";
  std::vector<UniqueFd> others;  // Besides the worker and the stranger.
  for (std::size_t i = 0; i + 2 < limits::kStoreSessionsMax; ++i) others.push_back(*ConnectToPackets(socket_));
  const UniqueFd first = std::exchange(stranger_, *ConnectToPackets(socket_));
  // As a worker does: whether the refusal comes before the greeting or after it.
  SendPacket(stranger_.get(), PacketOf(Request{.number = 1})).IgnoreError();
  const absl::Status refused = LastWord();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  const absl::Status worker = StoreClient::Connect(socket_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(worker)) << worker;
}

TEST_F(StrangerTest, AsksAndDoesNotListen) {
  Say(PacketOf(Request{.number = 1}));
  absl::Status sent;
  for (int i = 0; i < 100'000 && sent.ok(); ++i) {
    sent = SendPacket(stranger_.get(), PacketOf(Request{.op = Op::kRenew, .number = 2}));
  }
  EXPECT_TRUE(absl::IsUnavailable(sent)) << "the agent stores answers without end";
}

TEST_F(StrangerTest, DescriptorsThatNobodyAskedForAreClosed) {
  Say(PacketOf(Request{.number = 1}));
  ASSERT_TRUE(Eventually([&] { return store_->stats().sessions == 2; }));
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::size_t before = OpenDescriptors();
  for (int i = 0; i < 50; ++i) {
    Say(PacketOf(Request{.op = Op::kRenew, .number = 2}), file.get());
    ASSERT_TRUE(ReceivePacket(stranger_.get(), sizeof(Reply)).ok());
  }
  // The last one may be on its way out.
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= before + 2; }));
}

TEST_F(StrangerTest, SealsDropsAndReleasesWhatIsNotIts) {
  Say(PacketOf(Request{.number = 1}));
  const ObjectKey key = *ObjectKey::FromHex(key_);
  for (const Op op : {Op::kSeal, Op::kRelease, Op::kAbandon, Op::kDropped}) {
    for (std::uint32_t index : {0u, 1u, 99u, ~0u}) {
      Say(PacketOf(Request{.op = op, .key = key, .slab = {index, 1}}));
    }
  }
  Say(PacketOf(Request{.op = static_cast<Op>(0)}));
  EXPECT_FALSE(LastWord().ok());
  EXPECT_EQ(store_->stats().leases, 1u);
}

}  // namespace
}  // namespace cairn::testing
