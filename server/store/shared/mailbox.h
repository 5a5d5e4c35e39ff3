// Work for a thread that sleeps in epoll, from any thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/files.h"

namespace cairn {

// Shared by both sides, so that what is posted late finds a place, and not the end of the reader. Thread-safe.
class Mailbox {
 public:
  using Task = std::function<void()>;

  Mailbox() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  // Readable while there are tasks; -1 when the process had no descriptor left.
  int fd() const { return wake_.get(); }

  void Post(Task task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ::eventfd_write(wake_.get(), 1);
  }

  std::vector<Task> TakeAll() {
    std::lock_guard lock(mutex_);
    eventfd_t ignored;
    ::eventfd_read(wake_.get(), &ignored);
    return std::exchange(tasks_, {});
  }

 private:
  const UniqueFd wake_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace cairn
