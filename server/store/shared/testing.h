// What tests of the shared store have in common.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/limits.h"
#include "server/store/shared/shared_store.h"

namespace cairn::testing {

inline constexpr std::uint64_t kSlab = 2 * limits::kMiB;
inline constexpr std::chrono::seconds kPatience{20};  // Then something hangs.

inline std::unique_ptr<SharedStore> OpenStore(SharedStoreOptions options) {
  auto store = SharedStore::Open(std::move(options));
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

// A writer that may have to wait.
class Waiting {
 public:
  Waiting(SharedStore& store, std::uint64_t bytes) : future_(promise_->get_future().share()) {
    ticket_ = store.Create(bytes, [promise = promise_](absl::StatusOr<WritableObject> object) {
      promise->set_value(std::make_shared<absl::StatusOr<WritableObject>>(std::move(object)));
    });
  }
  SharedStore::Ticket ticket() const { return ticket_; }
  bool Done() const { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  absl::StatusOr<WritableObject> Take() {
    if (future_.wait_for(kPatience) != std::future_status::ready) return absl::DeadlineExceededError("still waiting");
    return std::move(*future_.get());
  }

 private:
  using Result = std::shared_ptr<absl::StatusOr<WritableObject>>;
  std::shared_ptr<std::promise<Result>> promise_ = std::make_shared<std::promise<Result>>();
  std::shared_future<Result> future_;
  SharedStore::Ticket ticket_ = 0;
};

// Objects that differ in every byte from their neighbours.
inline std::string Pattern(std::uint64_t seed, std::size_t bytes) {
  std::string data(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    data[i] = static_cast<char>(seed >> 56);
  }
  return data;
}

inline absl::StatusOr<ObjectKey> Put(SharedStore& store, absl::string_view bytes) {
  auto object = Waiting(store, bytes.size()).Take();
  if (!object.ok()) return object.status();
  std::memcpy(object->data().data(), bytes.data(), bytes.size());
  return std::move(*object).Seal(Crc32c(bytes.data(), bytes.size()));
}

inline std::string Read(SharedStore& store, const ObjectKey& key) {
  const auto object = store.Get(key);
  return object.ok() ? std::string(object->bytes()) : object.status().ToString();
}

// Waits, for a time in which anything that works has happened: other threads have their share of most changes.
inline bool Eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holds();
}

inline std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// While it lives, no descriptor is free.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &old_);
    rlimit low = old_;
    low.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (UniqueFd fd(::dup(0)); fd; fd = UniqueFd(::dup(0))) taken_.push_back(std::move(fd));
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &old_); }

 private:
  rlimit old_;
  std::vector<UniqueFd> taken_;
};

}  // namespace cairn::testing
