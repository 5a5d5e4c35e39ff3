// The agent's side, in one process.
#include "server/store/shared/shared_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "base/test_directory.h"
#include "server/store/shared/testing.h"

namespace cairn {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using testing::kSlab;
using testing::OpenStore;
using testing::Pattern;
using testing::Put;
using testing::Read;
using testing::Waiting;

class SharedStoreTest : public ::testing::Test {
 protected:
  // Nothing of any object is left; idle slabs may be.
  void ExpectEmpty() {
    EXPECT_TRUE(Eventually([&] {
      const SharedStoreStats stats = store_->stats();
      return stats.budget_used == 0 && stats.mapped == stats.idle;
    }));
    const SharedStoreStats stats = store_->stats();
    EXPECT_EQ(stats.budget_used, 0u);
    EXPECT_EQ(stats.objects, 0u);
    EXPECT_EQ(stats.leases, 0u);
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_EQ(stats.retired, 0u);
    EXPECT_EQ(stats.mapped, stats.idle);
  }
  std::unique_ptr<SharedStore> store_ = OpenStore({.budget = 4 * kSlab, .objects_max = 3});
};

TEST_F(SharedStoreTest, SealedBytesAreRead) {
  const std::string bytes = Pattern(1, 1'000'001);
  const auto key = Put(*store_, bytes);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_TRUE(Read(*store_, *key) == bytes);
  EXPECT_EQ(store_->stats().budget_used, kSlab);
  EXPECT_TRUE(store_->Remove(*key).ok());
  ExpectEmpty();
}

// It died between the seal and the word to whoever gave it the task.
TEST_F(SharedStoreTest, WhatADeadWorkerSealedIsFoundByWhoGaveItTheTask) {
  int closed = 0;
  store_.reset();
  store_ = OpenStore({.budget = 4 * kSlab, .objects_max = 3, .on_closed = [&] { ++closed; }});
  const ProcessId process{.pid = 4711, .start = 42};
  const Epoch epoch = store_->OpenSession(process);
  std::optional<ObjectKey> key;
  store_->CreateFor(epoch, 10, [&](absl::StatusOr<SharedStore::Lent> lent) {
    ASSERT_TRUE(lent.ok()) << lent.status();
    key = lent->entry.key;
  });
  ASSERT_TRUE(key.has_value());
  ASSERT_TRUE(Put(*store_, "the agent's own").ok());
  ASSERT_TRUE(store_->Seal(epoch, *key, 0).ok());
  EXPECT_TRUE(store_->Orphans().empty());
  EXPECT_EQ(closed, 0);
  store_->CloseSession(epoch);
  EXPECT_EQ(closed, 1);
  ASSERT_EQ(store_->Orphans().size(), 1u);
  EXPECT_EQ(store_->Orphans()[0].key, *key);
  EXPECT_EQ(store_->Orphans()[0].owner, process);
  EXPECT_TRUE(store_->Remove(*key).ok());
  EXPECT_TRUE(store_->Orphans().empty());
}

TEST_F(SharedStoreTest, AnObjectIsNotHadBeforeItIsSealed) {
  auto object = Waiting(*store_, 10).Take();
  ASSERT_TRUE(object.ok());
  const ObjectKey key = object->key();
  EXPECT_THAT(store_->Get(key).status().ToString(), HasSubstr("NOT_FOUND: object " + key.ToHex() + " is not sealed"));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Remove(key)));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Release(kAgentEpoch, key)));
  ASSERT_TRUE(std::move(*object).Seal(0).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Seal(kAgentEpoch, key, 1))) << "sealed twice";
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Abandon(kAgentEpoch, key)));
  EXPECT_TRUE(store_->Get(key).ok());
}

TEST_F(SharedStoreTest, WhatIsNotSealedIsGivenUp) {
  std::optional<ObjectKey> key;
  {
    const auto object = Waiting(*store_, 10).Take();
    ASSERT_TRUE(object.ok());
    key = object->key();
  }
  EXPECT_TRUE(absl::IsNotFound(store_->Get(*key).status()));
  ExpectEmpty();
}

TEST_F(SharedStoreTest, ARemovedObjectStaysForItsReaders) {
  const std::string bytes = Pattern(2, 5000);
  const auto key = Put(*store_, bytes);
  ASSERT_TRUE(key.ok());
  {
    const auto first = store_->Get(*key), second = store_->Get(*key);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_TRUE(store_->Remove(*key).ok());
    EXPECT_TRUE(absl::IsNotFound(store_->Remove(*key)));
    EXPECT_TRUE(absl::IsNotFound(store_->Get(*key).status()));
    ASSERT_TRUE(Put(*store_, Pattern(3, 5000)).ok());
    EXPECT_TRUE(first->bytes() == bytes && second->bytes() == bytes);
    EXPECT_EQ(store_->stats().leases, 2u);
    EXPECT_EQ(store_->stats().budget_used, 2 * kSlab);
  }
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == kSlab; }));
}

TEST_F(SharedStoreTest, OldAndForgedKeysGiveNoBytes) {
  const auto key = Put(*store_, "first");
  ASSERT_TRUE(key.ok());
  ASSERT_TRUE(store_->Remove(*key).ok());
  const auto next = Put(*store_, "second");
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(next->entry, key->entry);
  EXPECT_TRUE(absl::IsNotFound(store_->Get(*key).status()));
  ObjectKey forged = *next;
  forged.check += 1;
  EXPECT_TRUE(absl::IsPermissionDenied(store_->Get(forged).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(store_->Remove(forged)));
  EXPECT_EQ(Read(*store_, *next), "second");
}

TEST_F(SharedStoreTest, WhatCannotBeIsRefusedAtOnce) {
  EXPECT_TRUE(absl::IsInvalidArgument(Waiting(*store_, 0).Take().status()));
  const auto larger = Waiting(*store_, 4 * kSlab + 1).Take();
  EXPECT_TRUE(absl::IsResourceExhausted(larger.status()));
  EXPECT_THAT(larger.status().message(), HasSubstr("budget is 8388608 bytes"));
  EXPECT_TRUE(absl::IsResourceExhausted(Waiting(*store_, ~std::uint64_t{0}).Take().status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SharedStore::Open({.budget = kSlab - 1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SharedStore::Open({.budget = kSlab, .objects_max = 0}).status()));
  for (const absl::Duration lease : {absl::ZeroDuration(), absl::Hours(25), absl::InfiniteDuration()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SharedStore::Open({.budget = kSlab, .lease_time = lease}).status()));
  }
  ExpectEmpty();
}

TEST_F(SharedStoreTest, AFullTableRefusesAndCostsNothing) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Put(*store_, "x").ok());
  const auto fourth = Waiting(*store_, 1).Take();
  EXPECT_TRUE(absl::IsResourceExhausted(fourth.status()));
  EXPECT_THAT(fourth.status().message(), HasSubstr("all 3 entries"));
  EXPECT_EQ(store_->stats().budget_used, 3 * kSlab);
}

TEST_F(SharedStoreTest, WithoutDescriptorsNothingIsMadeAndNothingIsKept) {
  {
    const testing::NoDescriptors none;
    EXPECT_TRUE(absl::IsResourceExhausted(Waiting(*store_, 10).Take().status()));
    EXPECT_TRUE(absl::IsResourceExhausted(store_->Prefault(10, 1)));
    EXPECT_TRUE(absl::IsResourceExhausted(SharedStore::Open({.budget = kSlab}).status()));
  }
  EXPECT_EQ(store_->stats().mapped, 0u);
  ExpectEmpty();
  EXPECT_TRUE(Put(*store_, "x").ok());
}

TEST_F(SharedStoreTest, WritersWaitForRoomInOrder) {
  const auto large = Put(*store_, std::string(3 * kSlab, 'x'));
  ASSERT_TRUE(large.ok());
  const Waiting first(*store_, 2 * kSlab), second(*store_, 1);
  EXPECT_FALSE(first.Done());
  EXPECT_FALSE(second.Done()) << "overtook the larger one";
  EXPECT_EQ(store_->stats().waiting, 2u);
  ASSERT_TRUE(store_->Remove(*large).ok());
  EXPECT_TRUE(Waiting(first).Take().ok());
  EXPECT_TRUE(Waiting(second).Take().ok());
  ExpectEmpty();
}

TEST_F(SharedStoreTest, AWriterMayLeaveTheLine) {
  const auto large = Put(*store_, std::string(3 * kSlab, 'x'));
  ASSERT_TRUE(large.ok());
  const Waiting first(*store_, 2 * kSlab);
  Waiting second(*store_, 1);
  EXPECT_TRUE(store_->Cancel(first.ticket()));
  EXPECT_FALSE(store_->Cancel(first.ticket()));
  EXPECT_TRUE(second.Take().ok()) << "it waited behind one who has gone";
  EXPECT_FALSE(first.Done());
  ASSERT_TRUE(store_->Remove(*large).ok());
  ExpectEmpty();
}

TEST_F(SharedStoreTest, WhoWaitsAtTheEndIsTold) {
  ASSERT_TRUE(Put(*store_, std::string(4 * kSlab, 'x')).ok());
  Waiting waiting(*store_, 1);
  store_.reset();
  EXPECT_TRUE(absl::IsCancelled(waiting.Take().status()));
}

TEST_F(SharedStoreTest, WhenItClosesNobodyIsServedAnyMore) {
  for (const bool warm : {false, true}) {
    store_ = OpenStore({.budget = 4 * kSlab});
    ASSERT_TRUE(Put(*store_, std::string(3 * kSlab, 'x')).ok());
    EXPECT_TRUE(store_->Prefault(1, warm ? 1 : 0).ok());
    Waiting first(*store_, 4 * kSlab), second(*store_, 1);  // For which there is room, once the first has gone.
    store_.reset();
    EXPECT_TRUE(absl::IsCancelled(first.Take().status()));
    EXPECT_TRUE(absl::IsCancelled(second.Take().status()));
  }
}

TEST_F(SharedStoreTest, WhoComesWhileItClosesIsRefused) {
  ASSERT_TRUE(Put(*store_, std::string(4 * kSlab, 'x')).ok());
  std::optional<Waiting> next;
  store_->Create(1, [&, store = store_.get()](const absl::StatusOr<WritableObject>&) { next.emplace(*store, 1); });
  store_.reset();
  ASSERT_TRUE(next.has_value());
  EXPECT_TRUE(absl::IsCancelled(next->Take().status()));
}

TEST_F(SharedStoreTest, ALineOfAnyLengthIsServedOnOneStack) {
  constexpr int kWriters = 20'000;
  store_ = OpenStore({.budget = kSlab});
  const auto all = Put(*store_, "x");
  ASSERT_TRUE(all.ok());
  std::atomic<int> served = 0;
  for (int i = 0; i < kWriters; ++i) {
    store_->Create(1, [&](const absl::StatusOr<WritableObject>& object) { served += object.ok() ? 1 : 0; });
  }
  ASSERT_TRUE(store_->Remove(*all).ok());
  EXPECT_TRUE(Eventually([&] { return served == kWriters; })) << served;
}

long PageFaults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

TEST_F(SharedStoreTest, ASlabIsWarmFromTheFirstObjectOn) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers touch memory of their own for every page";
#endif
  constexpr std::uint64_t kBytes = 4 * kSlab;
  constexpr long kPages = kBytes / 4096;
  ASSERT_TRUE(store_->Prefault(kBytes, 1).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Prefault(1, 1)));
  for (int i = 0; i < 2; ++i) {
    auto object = Waiting(*store_, kBytes).Take();
    ASSERT_TRUE(object.ok()) << object.status();
    const long before = PageFaults();
    std::memset(object->data().data(), i, kBytes);
    EXPECT_LT(PageFaults() - before, kPages / 100) << "object " << i;
  }
  EXPECT_EQ(store_->stats().idle, kBytes);
}

TEST_F(SharedStoreTest, AFlippedBitIsFound) {
  const std::string bytes = Pattern(4, 100'000);
  auto object = Waiting(*store_, bytes.size()).Take();
  ASSERT_TRUE(object.ok());
  char* const memory = object->data().data();
  std::memcpy(memory, bytes.data(), bytes.size());
  const auto key = std::move(*object).Seal(Crc32c(bytes.data(), bytes.size()));
  ASSERT_TRUE(key.ok());
  const auto read = store_->Get(*key);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(VerifyObject(*key, read->bytes(), read->crc32c()).ok());
  memory[77'777] ^= 0x10;
  const absl::Status verified = VerifyObject(*key, read->bytes(), read->crc32c());
  EXPECT_TRUE(absl::IsDataLoss(verified));
  EXPECT_THAT(verified.message(), HasSubstr(key->ToHex()));
}

// What a call makes due is done when it returns, and not later by another thread which happened to take it.
TEST(SharedStoreStress, ACallDoesWhatItMadeDue) {
  const TestDirectory directory;
  const auto store = OpenStore({.budget = kSlab, .spill_directory = directory / "spill"});
  std::atomic<bool> done = false;
  std::thread busy([&] {
    while (!done) store->Dropped(1, {});  // Of no session: changes nothing.
  });
  for (int i = 0; i < 200; ++i) {
    const auto spilled = Put(*store, "spilled"), kept = Put(*store, "kept");
    EXPECT_TRUE(spilled.ok() && kept.ok());
    if (!spilled.ok() || !kept.ok()) break;
    EXPECT_TRUE(store->Remove(*spilled).ok());
    EXPECT_TRUE(std::filesystem::is_empty(directory / "spill"));
    EXPECT_TRUE(store->Remove(*kept).ok());
    EXPECT_EQ(store->stats().budget_used, 0u);
  }
  done = true;
  busy.join();
}

// Writers and readers on many threads, more than fit at a time: the sums are right at the end.
TEST(SharedStoreStress, ManyThreadsLeaveNothingBehind) {
  const auto store = OpenStore({.budget = 6 * kSlab, .objects_max = 64});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 300; ++i) {
        const std::string bytes = Pattern(random(), 1 + random() % 5000);
        const bool two = random() % 4 == 0;
        auto object = Waiting(*store, two ? kSlab + bytes.size() : bytes.size()).Take();
        ASSERT_TRUE(object.ok()) << object.status();
        std::memcpy(object->data().data(), bytes.data(), bytes.size());
        if (random() % 8 == 0) continue;
        const auto key = std::move(*object).Seal(0);
        ASSERT_TRUE(key.ok()) << key.status();
        const auto read = store->Get(*key);
        ASSERT_TRUE(read.ok()) << read.status();
        ASSERT_TRUE(store->Remove(*key).ok());
        ASSERT_TRUE(read->bytes().substr(0, bytes.size()) == bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const SharedStoreStats stats = store->stats();
  EXPECT_EQ(stats.budget_used, 0u);
  EXPECT_EQ(stats.objects + stats.leases + stats.waiting + stats.retired, 0u);
  EXPECT_LE(stats.mapped, 6 * kSlab);
}

}  // namespace
}  // namespace cairn
