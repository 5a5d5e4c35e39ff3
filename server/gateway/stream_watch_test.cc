#include "server/gateway/stream_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace cairn {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(30);

// A stream whose cancellation can be waited for.
struct Stream {
  explicit Stream(StreamWatch& watch) : id(watch.Add([this] { ++cancelled, first.set_value(); })) {}
  void AwaitCancelled() { first.get_future().wait(); }

  std::promise<void> first;
  std::atomic<int> cancelled = 0;
  StreamWatch::Id id;
};

TEST(StreamWatchTest, CancelsAnIdleStreamOnce) {
  StreamWatch watch(kShort);
  Stream first(watch);
  first.AwaitCancelled();
  // Another one's turn comes after many more looks at the first.
  for (int i = 0; i < 3; ++i) {
    Stream second(watch);
    second.AwaitCancelled();
    watch.Remove(second.id);
  }
  EXPECT_EQ(first.cancelled, 1);
  watch.Remove(first.id);
}

TEST(StreamWatchTest, APausedStreamIsNotCancelledUntilTouched) {
  StreamWatch watch(kShort);
  Stream paused(watch);
  watch.Pause(paused.id);
  Stream other(watch);
  other.AwaitCancelled();
  EXPECT_EQ(paused.cancelled, 0);
  watch.Touch(paused.id);
  paused.AwaitCancelled();
  watch.Remove(paused.id);
  watch.Remove(other.id);
}

TEST(StreamWatchTest, ARemovedStreamIsNotCancelled) {
  StreamWatch watch(kShort);
  Stream removed(watch), other(watch);
  watch.Remove(removed.id);
  watch.Remove(removed.id);  // Again, as for one that was never there.
  watch.Touch(removed.id);
  watch.Pause(removed.id);
  other.AwaitCancelled();
  EXPECT_EQ(removed.cancelled, 0);
  watch.Remove(other.id);
}

// gRPC may end a stream while it is being cancelled.
TEST(StreamWatchTest, AStreamMayBeRemovedFromWithinItsCancellation) {
  StreamWatch watch(kShort);
  std::promise<void> done;
  StreamWatch::Id id = 0;
  std::promise<void> known;
  id = watch.Add([&] {
    known.get_future().wait();
    watch.Remove(id);
    done.set_value();
  });
  known.set_value();
  done.get_future().wait();
  Stream other(watch);
  other.AwaitCancelled();
  watch.Remove(other.id);
}

// What `cancel` refers to may go as soon as Remove has returned.
TEST(StreamWatchTest, RemoveWaitsForACancellationInProgress) {
  StreamWatch watch(kShort);
  std::promise<void> entered, leave;
  std::atomic<bool> left = false, seen = false;
  const StreamWatch::Id id = watch.Add([&] {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  entered.get_future().wait();
  std::thread remover([&] {
    watch.Remove(id);
    seen = left.load();
  });
  leave.set_value();
  remover.join();
  EXPECT_TRUE(seen);
}

TEST(StreamWatchTest, EndsWithStreamsStillThere) {
  StreamWatch watch(absl::Hours(1));
  watch.Add([] { FAIL(); });
}

}  // namespace
}  // namespace cairn
