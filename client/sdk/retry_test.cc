#include "client/sdk/retry.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using ::testing::ElementsAre;

RetryPolicy Steady() {
  RetryPolicy policy;
  policy.initial_backoff = absl::Seconds(1);
  policy.max_backoff = absl::Seconds(5);
  policy.multiplier = 2;
  policy.jitter = 0;
  return policy;
}

std::vector<absl::Duration> Pauses(Backoff& backoff, FakeClock& clock, int most) {
  std::vector<absl::Duration> pauses;
  for (int i = 0; i < most; ++i) {
    const auto pause = backoff.Next(clock.Now());
    if (!pause) break;
    pauses.push_back(*pause);
    clock.Advance(*pause);
  }
  return pauses;
}

TEST(Backoff, GrowsToTheMaximum) {
  FakeClock clock;
  Backoff backoff(Steady(), 1, clock.Now());
  EXPECT_THAT(Pauses(backoff, clock, 5),
              ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(4), absl::Seconds(5), absl::Seconds(5)));
}

TEST(Backoff, GivesUpWithoutProgressAndNotBefore) {
  FakeClock clock;
  RetryPolicy policy = Steady();
  policy.give_up_after = absl::Seconds(10);
  Backoff backoff(policy, 1, clock.Now());
  EXPECT_THAT(Pauses(backoff, clock, 9), ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(4),
                                                     absl::Seconds(3)));  // The last attempt is at the very end.
  EXPECT_EQ(backoff.SinceProgress(clock.Now()), absl::Seconds(10));
}

TEST(Backoff, ProgressStartsAnew) {
  FakeClock clock;
  RetryPolicy policy = Steady();
  policy.give_up_after = absl::Seconds(4);
  Backoff backoff(policy, 1, clock.Now());
  EXPECT_THAT(Pauses(backoff, clock, 2), ElementsAre(absl::Seconds(1), absl::Seconds(2)));
  backoff.Progress(clock.Now());
  EXPECT_THAT(Pauses(backoff, clock, 9), ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(1)));
}

TEST(Backoff, JitterStaysWithinItsBoundsAndFollowsTheSeed) {
  RetryPolicy policy = Steady();
  policy.jitter = 0.25;
  policy.multiplier = 1;
  FakeClock clock;
  Backoff one(policy, 7, clock.Now()), same(policy, 7, clock.Now()), other(policy, 8, clock.Now());
  const auto pauses = Pauses(one, clock, 200);
  EXPECT_EQ(pauses, Pauses(same, clock, 200));
  EXPECT_NE(pauses, Pauses(other, clock, 200));
  EXPECT_GE(*std::min_element(pauses.begin(), pauses.end()), absl::Milliseconds(750));
  EXPECT_LE(*std::max_element(pauses.begin(), pauses.end()), absl::Milliseconds(1250));
}

TEST(RetryPolicyCheck, RefusesWhatCannotBackOff) {
  EXPECT_TRUE(CheckRetryPolicy(RetryPolicy{}).ok());
  for (const auto spoil : std::vector<void (*)(RetryPolicy&)>{
           [](RetryPolicy& p) { p.initial_backoff = absl::ZeroDuration(); },
           [](RetryPolicy& p) { p.max_backoff = p.initial_backoff / 2; },
           [](RetryPolicy& p) { p.multiplier = 0.5; },
           [](RetryPolicy& p) { p.jitter = 1; },
           [](RetryPolicy& p) { p.jitter = std::numeric_limits<double>::quiet_NaN(); },
       }) {
    RetryPolicy policy;
    spoil(policy);
    EXPECT_EQ(CheckRetryPolicy(policy).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(Retryable, OnlyWhatMayPass) {
  EXPECT_TRUE(IsRetryable(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(IsRetryable(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(IsRetryable(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(IsRetryable(absl::StatusCode::kCancelled));
  EXPECT_FALSE(IsRetryable(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace cairn::sdk
