// A store on a disk that fails, for tests: one of its files is cut short when it has just been opened, or nothing is
// found for ever.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "server/store/store.h"

namespace cairn::testing {

// A durable store, which it owns.
class CutStore final : public Store {
 public:
  explicit CutStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  // Of each file that is found from now on only so many bytes are left.
  void CutTo(std::uintmax_t bytes) { left_ = bytes; }
  // Whoever looks for something waits until it hangs no more.
  void Hang(bool hangs) { hangs_ = hangs; }

  absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string& federation, const std::string& name) override {
    while (hangs_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    auto blob = store_->Find(federation, name);
    if (blob.ok() && left_ > 0) std::filesystem::resize_file(*(*blob)->path(), left_);
    return blob;
  }

  std::uint64_t Reservation(std::uint64_t bytes) const override { return store_->Reservation(bytes); }
  const ByteBudget& budget() const override { return store_->budget(); }
  std::uint64_t ResumePoint(const UploadKey& key) const override { return store_->ResumePoint(key); }
  Ticket Begin(const UploadKey& key, WorkerPool* workers, Begun begun) override {
    return store_->Begin(key, workers, std::move(begun));
  }
  bool Cancel(Ticket ticket) override { return store_->Cancel(ticket); }
  absl::Status Seal(std::unique_ptr<Upload> upload, const std::string& sha256) override {
    return store_->Seal(std::move(upload), sha256);
  }
  void Discard(std::unique_ptr<Upload> upload) override { store_->Discard(std::move(upload)); }
  void Remove(const std::string& federation, const std::string& name) override { store_->Remove(federation, name); }
  absl::Status Retain(const std::string& federation, std::uint64_t round,
                      absl::Span<const std::string> names) override {
    return store_->Retain(federation, round, names);
  }

 private:
  std::unique_ptr<Store> store_;
  std::atomic<std::uintmax_t> left_ = 0;  // 0: all.
  std::atomic<bool> hangs_ = false;
};

}  // namespace cairn::testing
