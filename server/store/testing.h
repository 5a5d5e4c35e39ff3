// A store and its uploads, for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/worker_pool.h"
#include "server/store/shared/shared_store.h"
#include "server/store/store.h"

namespace cairn::testing {

inline constexpr std::uint64_t kBudget = 16 << 20;

// An update that is read where its file is mapped, whatever becomes of the file.
class MappedBlob final : public Blob {
 public:
  explicit MappedBlob(MappedFile file) : file_(std::move(file)) {}
  absl::string_view bytes() const override { return file_.bytes(); }

 private:
  MappedFile file_;
};

inline std::string RandomBytes(int seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

inline constexpr std::chrono::seconds kPatience{20};  // Then something hangs.

// An upload that may have to wait.
class Begun {
 public:
  Begun(Store& store, const UploadKey& key, WorkerPool* workers) : future_(promise_->get_future()) {
    ticket_ = store.Begin(key, workers, [promise = promise_, caller = std::this_thread::get_id()](auto upload) {
      EXPECT_NE(std::this_thread::get_id(), caller);
      promise->set_value(std::move(upload));
    });
  }
  Store::Ticket ticket() const { return ticket_; }
  bool Done() const { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  absl::StatusOr<std::unique_ptr<Upload>> Take() {
    if (future_.wait_for(kPatience) != std::future_status::ready) return absl::DeadlineExceededError("still waiting");
    return future_.get();
  }

 private:
  using Promise = std::promise<absl::StatusOr<std::unique_ptr<Upload>>>;
  std::shared_ptr<Promise> promise_ = std::make_shared<Promise>();
  std::future<absl::StatusOr<std::unique_ptr<Upload>>> future_;
  Store::Ticket ticket_ = 0;
};

// The parameter: durable, or in memory.
class StoreTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = std::filesystem::path(::testing::TempDir()) / ("store_" + std::to_string(getpid()) + name);
    Reopen();
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(directory_);
  }
  void Close() {
    held_.clear();
    store_.reset();
    shared_.reset();
  }
  void Reopen(std::uint64_t budget = kBudget) {
    Close();
    if (GetParam()) {
      auto store = OpenFileStore(directory_, budget);
      ASSERT_TRUE(store.ok()) << store.status();
      store_ = *std::move(store);
    } else {
      auto shared = SharedStore::Open({.budget = budget, .spill_directory = directory_});
      ASSERT_TRUE(shared.ok()) << shared.status();
      shared_ = *std::move(shared);
      store_ = OpenMemoryStore(shared_.get());
    }
  }
  UploadKey Key(const std::string& client, const std::string& bytes) {
    return {"fed", 1, client, Sha256Hex(bytes), bytes.size()};
  }
  std::unique_ptr<Upload> Begin(const UploadKey& key) {
    auto upload = BeginOr(key);
    EXPECT_TRUE(upload.ok()) << upload.status();
    return upload.ok() ? *std::move(upload) : nullptr;
  }
  absl::StatusOr<std::unique_ptr<Upload>> BeginOr(const UploadKey& key) {
    return Begun(*store_, key, &workers_).Take();
  }
  void Put(const std::string& client, const std::string& bytes) {
    auto upload = Begin(Key(client, bytes));
    ASSERT_NE(upload, nullptr);
    ASSERT_TRUE(upload->Append({bytes}).ok());
    ASSERT_TRUE(store_->Seal(std::move(upload), Sha256Hex(bytes)).ok());
  }
  std::string Get(const std::string& bytes, const std::string& client = "c") {
    auto blob = store_->Find("fed", UpdateName(client, Sha256Hex(bytes)));
    return blob.ok() ? std::string((*blob)->bytes()) : blob.status().ToString();
  }

  // Takes all memory there is, in pieces of 4 MiB; it is given back by clearing it.
  void FillMemory() {
    for (int i = 0; store_->budget().used() < store_->budget().capacity(); ++i) {
      held_.push_back(Begin({"fed", 1, "held-" + std::to_string(i), "", kFileUploadReservation}));
      ASSERT_NE(held_.back(), nullptr);
    }
  }

  std::filesystem::path directory_;
  WorkerPool workers_{2};
  std::unique_ptr<SharedStore> shared_;  // Null: the store is durable.
  std::unique_ptr<Store> store_;
  std::vector<std::unique_ptr<Upload>> held_;
};

}  // namespace cairn::testing
