// Workers that are stopped, and wake late.
#include <gmock/gmock.h>

#include <csignal>
#include <future>
#include <utility>
#include <vector>

#include "server/store/shared/message.h"
#include "server/store/shared/packet_socket.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FenceTest : public AgentTest {
 protected:
  FenceTest() {
    Open({.budget = 8 * kSlab, .lease_time = absl::Seconds(10), .on_fenced = [this](ProcessId process) {
            std::lock_guard lock(mutex_);
            fenced_.push_back(process.pid);
          }});
  }
  ~FenceTest() override { Close(); }  // The agent's thread tells it while there is somebody to tell.

  std::vector<pid_t> Fenced() {
    std::lock_guard lock(mutex_);
    return fenced_;
  }
  std::mutex mutex_;
  std::vector<pid_t> fenced_;
};

TEST_F(FenceTest, AStoppedWorkerThatWakesLatePublishesNothing) {
  const auto read = Put(*store_, Pattern(1, 1000));
  ASSERT_TRUE(read.ok());
  const auto worker = Connected();
  const std::string written = worker->Ask("create 1000 a");
  EXPECT_EQ(worker->Ask("get " + read->ToHex()), "1000 same valid");
  worker->process().Send(SIGSTOP);
  ASSERT_TRUE(store_->Remove(*read).ok());
  EXPECT_EQ(store_->stats().leases, 1u);

  Advance(absl::Seconds(9));
  Connected();  // A round trip: the agent has looked.
  EXPECT_EQ(store_->stats().leases, 1u) << "too early";
  Advance(absl::Seconds(1));
  EXPECT_TRUE(Eventually([&] { return store_->stats().fenced == 1; }));
  EXPECT_TRUE(Eventually([&] { return !Fenced().empty(); }));
  EXPECT_THAT(Fenced(), ElementsAre(worker->process().pid()));
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  EXPECT_EQ(store_->stats().objects, 0u);
  // The slab that it reads serves others.
  ASSERT_TRUE(Put(*store_, Pattern(2, 1000)).ok());

  worker->Tell("seal " + written);
  worker->process().Send(SIGCONT);
  EXPECT_THAT(worker->Hear(), AllOf(StartsWith("error FAILED_PRECONDITION"), HasSubstr("epoch 1 was fenced")));
  EXPECT_THAT(worker->Ask("create 10 a"), StartsWith("error FAILED_PRECONDITION"));
  EXPECT_THAT(worker->Ask("renew"), StartsWith("error FAILED_PRECONDITION"));
  EXPECT_EQ(worker->Ask("read " + read->ToHex()), "1000 other stale") << "its bytes are another's, and it can tell";
  EXPECT_TRUE(absl::IsNotFound(store_->Get(*ObjectKey::FromHex(written)).status()));

  EXPECT_EQ(worker->Ask("connect"), "3");
  const std::string again = worker->Ask("create 1000 a");
  EXPECT_EQ(worker->Ask("seal " + again), "");
}

// As a worker, but in this process: what it says is in the agent's socket when Say returns.
class Talker {
 public:
  explicit Talker(const std::filesystem::path& directory) : socket_(*ConnectToPackets(directory)) {
    Say({.op = Op::kHello, .number = 1});
    EXPECT_TRUE(Hear().ok());
    Say({.op = Op::kCreate, .number = 2, .bytes = 10});
    EXPECT_TRUE(Hear().ok());
  }
  void Say(const Request& request) { EXPECT_TRUE(SendPacket(socket_.get(), PacketOf(request)).ok()); }
  absl::Status Hear() {
    const auto packet = ReceivePacket(socket_.get(), sizeof(Reply));
    if (!packet.ok()) return packet.status();
    const auto reply = ParseReply(packet->bytes);
    return reply.ok() ? reply->status() : reply.status();
  }

 private:
  UniqueFd socket_;
};

TEST_F(FenceTest, WhenTheAgentIsLateNobodyIsFencedForIt) {
  std::promise<void> stopped, go_on;
  bool any = false;
  constexpr int kTalkers = 70;  // More than the agent hears at a time.
  Open({.budget = (kTalkers + 1) * kSlab, .lease_time = absl::Seconds(10), .on_fenced = [&](ProcessId) {
          if (std::exchange(any, true)) return;
          stopped.set_value();
          go_on.get_future().wait();  // On the agent's thread, which is as good as stopped.
        }});
  const Talker silent(socket_);
  std::vector<Talker> talkers;
  for (int i = 0; i < kTalkers; ++i) talkers.emplace_back(socket_);
  Advance(absl::Seconds(6));
  for (Talker& talker : talkers) {
    talker.Say({.op = Op::kRenew, .number = 3});
    ASSERT_TRUE(talker.Hear().ok());
  }
  Advance(absl::Seconds(4));
  stopped.get_future().wait();
  clock_.Advance(absl::Seconds(11));
  for (Talker& talker : talkers) talker.Say({.op = Op::kRenew, .number = 4});
  go_on.set_value();
  for (Talker& talker : talkers) EXPECT_TRUE(talker.Hear().ok());
  EXPECT_EQ(store_->stats().fenced, 1u);
}

TEST_F(FenceTest, WhoRenewsKeepsAndWhoHoldsNothingSleeps) {
  const auto holder = Connected(), sleeper = Connected();
  const std::string hex = holder->Ask("create 10 a");
  for (int i = 0; i < 5; ++i) {
    Advance(absl::Seconds(9));
    EXPECT_EQ(holder->Ask("renew"), "");
  }
  EXPECT_EQ(holder->Ask("seal " + hex), "");
  EXPECT_EQ(sleeper->Ask("get " + hex), "10 same valid");
  EXPECT_EQ(store_->stats().fenced, 0u);
}

TEST_F(FenceTest, AStoppedWriterKeepsOnlyMemoryAndOnlyUntilItEnds) {
  const auto worker = Connected();
  worker->Ask("create 10000000 a");
  worker->process().Send(SIGSTOP);
  Advance(absl::Seconds(10));
  EXPECT_TRUE(Eventually([&] { return store_->stats().fenced == 1; }));
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  EXPECT_EQ(store_->stats().retired, 5 * kSlab);
  // Less than the budget is left as long as its pages are there, and nobody gets more.
  EXPECT_TRUE(Put(*store_, std::string(3 * kSlab, 'x')).ok());
  Waiting waiting(*store_, 4 * kSlab);
  EXPECT_FALSE(waiting.Done());
  EXPECT_EQ(store_->stats().mapped, 8 * kSlab);
  worker->process().Kill();
  EXPECT_TRUE(waiting.Take().ok());
  EXPECT_TRUE(Eventually([&] { return store_->stats().retired == 0; }));
}

TEST_F(FenceTest, AWaitingWorkerShowsThatItIsAlive) {
  // Short for the worker, which has a real clock; the agent's is moved only when the worker was heard.
  constexpr absl::Duration kLease = absl::Milliseconds(300);
  Open({.budget = 4 * kSlab, .lease_time = kLease});
  const auto large = Put(*store_, std::string(3 * kSlab, 'x'));
  ASSERT_TRUE(large.ok());
  const auto worker = Connected();
  worker->Ask("create 10 a");
  worker->Tell("create 3000000 a");
  for (int i = 0; i < 4; ++i) {
    Advance(kLease * 2 / 3);
    EXPECT_TRUE(Eventually([&] {
      store_->FenceLate();  // Too early for that; but it finds out when it will be time.
      return store_->NextFence() == clock_.Now() + kLease;
    }));
  }
  EXPECT_EQ(store_->stats().fenced, 0u);
  EXPECT_EQ(store_->stats().waiting, 1u);
  ASSERT_TRUE(store_->Remove(*large).ok());
  EXPECT_EQ(worker->Hear().size(), 32u);
}

TEST_F(FenceTest, AStoppedWorkerLosesItsPlaceInTheLine) {
  const auto large = Put(*store_, std::string(7 * kSlab, 'x'));
  ASSERT_TRUE(large.ok());
  const auto worker = Connected();
  const std::string held = worker->Ask("create 10 a");
  worker->Tell("create 10000000 a");
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 1; }));
  Waiting next(*store_, 1);
  EXPECT_FALSE(next.Done());
  worker->process().Send(SIGSTOP);
  Advance(absl::Seconds(10));
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting <= 1; }));
  worker->process().Send(SIGCONT);
  EXPECT_THAT(worker->Hear(), StartsWith("error FAILED_PRECONDITION"));
  worker->process().Kill();  // Its slab is memory until now.
  EXPECT_TRUE(next.Take().ok());
}

}  // namespace
}  // namespace cairn::testing
