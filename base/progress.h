// That the work of this process gets on, told from where it is done. A worker's signs of life carry it, so that its
// dispatcher can tell one that hangs from one that takes long (server/tree/progress_watch.h), and so do those of a
// gateway that makes something for the root (server/node/making.h).
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn {

class WorkProgress {
 public:
  // A piece of work is done, one that takes seconds at most: some blocks of a matrix, a module, a write to a file. On
  // any thread; costs one atomic addition.
  static void Made() { made_.fetch_add(1, std::memory_order_relaxed); }
  static std::uint64_t made() { return made_.load(std::memory_order_relaxed); }

  // While one exists this process waits for others: it is up to them to get on.
  class AwaitsOthers {
   public:
    AwaitsOthers() { waits_.fetch_add(1, std::memory_order_relaxed); }
    ~AwaitsOthers() { waits_.fetch_sub(1, std::memory_order_relaxed); }
    AwaitsOthers(const AwaitsOthers&) = delete;
    AwaitsOthers& operator=(const AwaitsOthers&) = delete;
  };
  static bool awaits_others() { return waits_.load(std::memory_order_relaxed) != 0; }

 private:
  static inline std::atomic<std::uint64_t> made_{0};
  static inline std::atomic<int> waits_{0};
};

}  // namespace cairn
