#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <vector>

namespace cairn {
namespace {

TEST(ParallelFor, DoesEveryIterationOnce) {
  for (const int threads : {1, 3, 8}) {
    std::vector<std::atomic<int>> calls(100);
    const absl::Status status = ParallelFor(threads, 100, [&](int, std::int64_t i) {
      ++calls[i];
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    for (const auto& count : calls) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelFor, WorkersDoNotOverlapWithThemselves) {
  constexpr int kThreads = 4;
  std::vector<std::atomic<int>> inside(kThreads);
  const absl::Status status = ParallelFor(kThreads, 1000, [&](int worker, std::int64_t) {
    const bool alone = ++inside.at(worker) == 1;
    --inside.at(worker);
    return alone ? absl::OkStatus() : absl::InternalError("two at once");
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ParallelFor, StopsAtAnError) {
  std::atomic<int> calls = 0;
  const absl::Status status = ParallelFor(1, 100, [&](int, std::int64_t i) {
    ++calls;
    return i == 3 ? absl::DataLossError("third") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::DataLossError("third"));
  EXPECT_EQ(calls, 4);
}

TEST(ParallelFor, NoMemoryIsAnErrorInEveryThread) {
  const absl::Status status = ParallelFor(4, 100, [](int, std::int64_t) -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(ParallelFor, NothingToDoIsFine) {
  EXPECT_TRUE(ParallelFor(4, 0, [](int, std::int64_t) { return absl::InternalError("called"); }).ok());
}

}  // namespace
}  // namespace cairn
