#include "server/node/meeting.h"

#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace cairn {
namespace {

using Values = Meeting::Values;
using Result = absl::StatusOr<Values>;

// What a member's call comes to.
std::future<Result> Call(Meeting& meeting, std::size_t member, Values values, bool greatest = false) {
  auto result = std::make_shared<std::promise<Result>>();
  std::future<Result> future = result->get_future();
  meeting.Reduce(member, greatest, std::move(values), [result](const Result& value) { result->set_value(value); });
  return future;
}

bool IsOver(const std::future<Result>& call) {
  return call.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

TEST(Meeting, GivesAllWhatAllBring) {
  Meeting meeting(3);
  const auto call = [&](bool greatest) {
    auto a = Call(meeting, 0, {1, -5}, greatest), b = Call(meeting, 2, {10, -7}, greatest);
    EXPECT_FALSE(IsOver(a) || IsOver(b));
    auto c = Call(meeting, 1, {100, -6}, greatest);
    const Values expected = greatest ? Values{100, -5} : Values{111, -18};
    for (auto* each : {&a, &b, &c}) EXPECT_EQ(*each->get(), expected);
  };
  call(false);
  call(true);
  call(false);
}

TEST(Meeting, AddsModulo64Bits) {
  Meeting meeting(2);
  auto a = Call(meeting, 0, {std::numeric_limits<std::int64_t>::max()}), b = Call(meeting, 1, {1});
  EXPECT_EQ(*a.get(), Values{std::numeric_limits<std::int64_t>::min()});
  EXPECT_EQ(*b.get(), Values{std::numeric_limits<std::int64_t>::min()});
}

TEST(Meeting, OfOneIsOverAtOnce) {
  Meeting meeting(1);
  EXPECT_EQ(*Call(meeting, 0, {7}).get(), Values{7});
  EXPECT_EQ(*Call(meeting, 0, {}).get(), Values{});
}

TEST(Meeting, ThatBreaksEndsAllCalls) {
  Meeting meeting(3);
  auto a = Call(meeting, 0, {1}), b = Call(meeting, 1, {1});
  meeting.Break(absl::UnavailableError("n3 gave up"));
  meeting.Break(absl::InternalError("too late"));
  EXPECT_EQ(a.get().status(), absl::UnavailableError("n3 gave up"));
  EXPECT_EQ(b.get().status(), absl::UnavailableError("n3 gave up"));
  EXPECT_EQ(Call(meeting, 2, {1}).get().status(), absl::UnavailableError("n3 gave up"));
}

TEST(Meeting, OfThoseWhoWantDifferentThingsBreaks) {
  for (const int wrong : {0, 1, 2}) {
    Meeting meeting(3);
    auto a = Call(meeting, 0, {1, 2});
    auto b = Call(meeting, wrong == 2 ? 0 : 1, wrong == 0 ? Values{1} : Values{1, 2}, wrong == 1);
    EXPECT_EQ(a.get().status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(b.get().status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(Call(meeting, 2, {1, 2}).get().status().code(), absl::StatusCode::kInternal);
  }
}

TEST(Meeting, TakesMembersOnThreadsOfTheirOwn) {
  constexpr std::size_t kMembers = 4;
  constexpr std::int64_t kCalls = 200;
  Meeting meeting(kMembers);
  std::vector<std::int64_t> sums(kMembers);
  std::vector<std::thread> threads;
  for (std::size_t m = 0; m < kMembers; ++m) {
    threads.emplace_back([&, m] {
      for (std::int64_t i = 0; i < kCalls; ++i) sums[m] += (*Call(meeting, m, {i}).get())[0];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(kMembers, kMembers * kCalls * (kCalls - 1) / 2));
}

}  // namespace
}  // namespace cairn
