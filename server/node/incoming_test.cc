// Who brings something, and who waits for it, when it ends under them.
#include "server/node/incoming.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

namespace cairn {
namespace {

// Each step waits until it is let go.
class Slow final : public Incoming {
 public:
  Slow() : Incoming("n1", "fed") {}
  absl::string_view kind() const override { return "slow"; }

  std::promise<void> let_go;
  std::atomic<int> steps{0};
  std::atomic<bool> done{false};

 private:
  absl::Status OnBegin(const v1::DeliverHeader&) override { return absl::OkStatus(); }
  absl::Status OnAppend(absl::Span<const absl::string_view>) override {
    ++steps;
    let_go.get_future().wait();
    done = true;
    return absl::OkStatus();
  }
};

TEST(IncomingTest, NothingIsTakenAfterTheEnd) {
  Slow slow;
  ASSERT_TRUE(slow.Take());
  ASSERT_TRUE(slow.Begin({}).ok());
  slow.End(absl::UnavailableError("node n1 is away"));
  EXPECT_EQ(slow.Append({"abc"}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(slow.Begin({}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(slow.steps, 0);
  EXPECT_EQ(slow.Await().message(), "node n1 is away");
}

TEST(IncomingTest, TheEndIsAfterWhatIsBeingTaken) {
  Slow slow;
  ASSERT_TRUE(slow.Take());
  auto brought = std::async(std::launch::async, [&] { return slow.Append({"abc"}); });
  while (slow.steps == 0) std::this_thread::yield();
  slow.End(absl::UnavailableError("node n1 is away"));
  auto awaited = std::async(std::launch::async, [&] {
    const absl::Status end = slow.Await();
    EXPECT_TRUE(slow.done) << "who waited goes on with bytes that still change";
    return end;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // Without, this shows less but nothing wrong.
  slow.let_go.set_value();
  EXPECT_TRUE(brought.get().ok());
  EXPECT_EQ(awaited.get().message(), "node n1 is away");
}

}  // namespace
}  // namespace cairn
