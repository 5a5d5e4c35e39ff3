// What a node makes for the root, and how the root learns that it does not come to its end.
#include "server/node/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "server/node/making.h"
#include "server/node/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::TestRoot;
using testing::TwoClients;

constexpr MakeLimits kShort{.interval = absl::Milliseconds(5), .stuck = absl::Milliseconds(50)};

// A node that attends, without anything to say.
class DeliveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_.Start();
    connection_ = std::make_unique<RootConnection>(root_.address(), grpc::InsecureChannelCredentials());
    v1::AttendRequest request;
    request.set_node("n1");
    request.set_sums(true);
    const auto hear = [this](const auto& notice) { ordered_.set_value(notice); };
    ASSERT_TRUE(root_.table().Arrive(request, hear, [] {}).ok());
  }
  // The root asks for the sum of no updates; `make` is what the node does then.
  absl::Status Sum(const MakeParcel& make, const MakeLimits& limits) {
    PublishJob job;
    job.federation = "fed";
    job.data_dir = root_.directory.path();
    job.method.combine = "mean";
    auto sum = std::async(std::launch::async, [&] { return root_.table().Sum("n1", job).status(); });
    const std::uint64_t fetch = ordered_.get_future().get().sum().fetch();
    delivered_ =
        std::async(std::launch::async, [=, this] { return DeliverMade(*connection_, "n1", fetch, make, limits); });
    return sum.get();
  }

  TestRoot root_{TwoClients("mean")};
  std::unique_ptr<RootConnection> connection_;
  std::promise<v1::RootNotice> ordered_;
  std::future<absl::Status> delivered_;
};

TEST_F(DeliveryTest, TheRootIsToldOfWhatHangs) {
  std::promise<void> let_go;
  std::promise<std::shared_ptr<const Errand>> begun;
  const absl::Status sum = Sum(
      [&](const std::shared_ptr<const Errand>& errand) -> Made {
        begun.set_value(errand);
        let_go.get_future().wait();
        return absl::InternalError("too late");
      },
      kShort);
  EXPECT_EQ(sum.code(), absl::StatusCode::kDeadlineExceeded) << sum;
  EXPECT_THAT(std::string(sum.message()), HasSubstr("node n1 hangs: it is alive, but nothing got done for"));
  EXPECT_TRUE(begun.get_future().get()->hung());
  let_go.set_value();
}

TEST_F(DeliveryTest, WhatTheRootDoesNotWaitForIsGivenUp) {
  const absl::Status delivered = DeliverMade(*connection_, "n1", 7,
                                             [&](const std::shared_ptr<const Errand>& errand) -> Made {
                                               while (errand->wanted()) std::this_thread::yield();
                                               return absl::AbortedError("given up");
                                             },
                                             {.interval = kShort.interval});
  EXPECT_EQ(delivered.code(), absl::StatusCode::kNotFound) << delivered;
}

TEST(MakingTest, WhatComputesGetsOn) {
  Making making([](const std::shared_ptr<const Errand>& errand) -> Made {
    while (errand->wanted()) continue;  // As a library that cannot tell.
    return absl::AbortedError("given up");
  });
  const std::uint64_t before = making.Sign().progress();
  while (making.Sign().progress() == before) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(making.Await(std::chrono::milliseconds(0)));
  making.errand().GiveUp();
  while (!making.Await(std::chrono::seconds(1))) continue;
  EXPECT_TRUE(absl::IsAborted(making.Take().status()));
}

TEST(MakingTest, SaysThatItWaitsForOthers) {
  std::promise<void> let_go;
  Making making([&](const std::shared_ptr<const Errand>& errand) -> Made {
    {
      const Errand::AwaitsOthers waits(*errand);
      let_go.get_future().wait();
    }
    while (errand->wanted()) std::this_thread::yield();
    return absl::AbortedError("given up");
  });
  while (!making.Sign().awaits_others()) std::this_thread::yield();
  let_go.set_value();
  while (making.Sign().awaits_others()) std::this_thread::yield();
  making.errand().GiveUp();
}

}  // namespace
}  // namespace cairn
