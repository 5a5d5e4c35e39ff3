#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace cairn {
namespace {

// What the workers of one loop share.
struct Loop {
  std::int64_t count;
  absl::FunctionRef<absl::Status(int, std::int64_t)> body;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::int64_t failed_at = 0;
  absl::Status error;

  void Fail(std::int64_t i, const absl::Status& status) {
    std::lock_guard lock(mutex);
    if (error.ok() || i < failed_at) {
      error = status;
      failed_at = i;
    }
    failed = true;
  }
  void Work(int worker) {
    while (!failed) {
      const std::int64_t i = next++;
      if (i >= count) return;
      const absl::Status status = Call(worker, i);
      if (!status.ok()) Fail(i, status);
    }
  }
  // An exception must not leave a thread.
  absl::Status Call(int worker, std::int64_t i) {
    try {
      return body(worker, i);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError("out of memory");
    }
  }
};

}  // namespace

int ThreadsOf(int threads) {
  return threads > 0 ? threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

absl::Status ParallelFor(int threads, std::int64_t count,
                         absl::FunctionRef<absl::Status(int worker, std::int64_t i)> body) {
  Loop loop{count, body};
  std::vector<std::thread> others;
  const std::int64_t workers = std::min<std::int64_t>(threads, count);
  try {
    others.reserve(static_cast<std::size_t>(std::max<std::int64_t>(0, workers)));
    for (int worker = 1; worker < workers; ++worker) others.emplace_back([&loop, worker] { loop.Work(worker); });
  } catch (const std::exception&) {
    // No more threads: those that there are do all of it.
  }
  loop.Work(0);
  for (std::thread& thread : others) thread.join();
  return loop.error;
}

}  // namespace cairn
