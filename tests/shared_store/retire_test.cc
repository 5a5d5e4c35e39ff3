// Slabs that are wanted back for objects of another size.
#include <gmock/gmock.h>

#include <csignal>

#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

class RetireTest : public AgentTest {
 protected:
  // A worker that maps an idle slab, and a writer who wants all the memory.
  void SetUp() override {
    Open({.budget = 2 * kSlab});
    const auto key = Put(*store_, "bytes");
    ASSERT_TRUE(key.ok());
    key_ = *key;
    worker_ = Connected();
    ASSERT_EQ(worker_->Ask("get " + key_.ToHex()), "5 same valid");
  }
  // So much is idle, and may be had.
  bool Free(std::uint64_t idle) const {
    const SharedStoreStats stats = store_->stats();
    return stats.idle == idle && stats.budget_used == 0;
  }
  ObjectKey key_;
  std::unique_ptr<Puppet> worker_;
};

TEST_F(RetireTest, AnIdleWorkerLetsGoWhenItIsAsked) {
  EXPECT_EQ(worker_->Ask("release " + key_.ToHex()), "1");
  ASSERT_TRUE(store_->Remove(key_).ok());
  EXPECT_TRUE(Eventually([&] { return Free(kSlab); }));
  Waiting large(*store_, 2 * kSlab);
  EXPECT_FALSE(large.Done()) << "more memory than the budget";
  EXPECT_EQ(store_->stats().retired, kSlab);
  EXPECT_EQ(worker_->Ask("serve"), "");
  EXPECT_TRUE(large.Take().ok());
  EXPECT_TRUE(Eventually([&] { return store_->stats().retired == 0; }));
}

TEST_F(RetireTest, ABusyWorkerLetsGoWithItsNextRequest) {
  EXPECT_EQ(worker_->Ask("release " + key_.ToHex()), "1");
  ASSERT_TRUE(store_->Remove(key_).ok());
  EXPECT_TRUE(Eventually([&] { return Free(kSlab); }));
  Waiting large(*store_, 2 * kSlab);
  EXPECT_TRUE(Eventually([&] { return worker_->Ask("renew").empty() && store_->stats().retired == 0; }));
  EXPECT_TRUE(large.Take().ok());
}

TEST_F(RetireTest, AStoppedWorkerThatHoldsNothingIsFencedWhenItsMemoryIsWanted) {
  EXPECT_EQ(worker_->Ask("release " + key_.ToHex()), "1");
  ASSERT_TRUE(store_->Remove(key_).ok());
  EXPECT_TRUE(Eventually([&] { return Free(kSlab); }));
  worker_->process().Send(SIGSTOP);
  Advance(absl::Hours(1));
  agent_->Wake();
  Waiting large(*store_, 2 * kSlab);
  EXPECT_EQ(store_->stats().fenced, 0u) << "it was only just asked";
  Advance(absl::Seconds(10));
  EXPECT_TRUE(Eventually([&] { return store_->stats().fenced == 1; }));
  EXPECT_FALSE(large.Done());
  worker_->process().Kill();  // As its supervisor does when it hears of the fence.
  EXPECT_TRUE(large.Take().ok());
}

TEST_F(RetireTest, WhoWaitsForAWorkerDoesNotHoldUpThoseWhoNeedNot) {
  Open({.budget = 4 * kSlab});
  worker_ = Connected();
  const auto first = Put(*store_, "first"), second = Put(*store_, "second");
  ASSERT_TRUE(first.ok() && second.ok());
  for (const ObjectKey& key : {*first, *second}) {
    ASSERT_EQ(worker_->Ask("get " + key.ToHex()).find("error"), std::string::npos);
    ASSERT_EQ(worker_->Ask("release " + key.ToHex()), "1");
    ASSERT_TRUE(store_->Remove(key).ok());
  }
  EXPECT_TRUE(Eventually([&] { return Free(2 * kSlab); }));
  Waiting large(*store_, 3 * kSlab);
  EXPECT_FALSE(large.Done());
  EXPECT_TRUE(Waiting(*store_, 1).Take().ok());
  EXPECT_FALSE(large.Done());
  EXPECT_EQ(worker_->Ask("serve"), "");
  EXPECT_TRUE(large.Take().ok());
}

TEST_F(RetireTest, AFencedReaderLetsGoOnlyWhenItStopsReading) {
  ASSERT_TRUE(store_->Remove(key_).ok());
  Advance(absl::Seconds(10));
  EXPECT_TRUE(Eventually([&] { return Free(kSlab); }));
  Waiting large(*store_, 2 * kSlab);
  EXPECT_EQ(worker_->Ask("serve"), "");
  EXPECT_EQ(worker_->Ask("read " + key_.ToHex()), "5 same stale");
  EXPECT_EQ(store_->stats().retired, kSlab);
  EXPECT_FALSE(large.Done());
  EXPECT_EQ(worker_->Ask("release " + key_.ToHex()), "1");
  EXPECT_TRUE(large.Take().ok());
}

}  // namespace
}  // namespace cairn::testing
