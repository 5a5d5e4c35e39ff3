#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/test_directory.h"
#include "server/store/shared/testing.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using testing::Eventually;
using testing::kSlab;
using testing::OpenStore;
using testing::Pattern;
using testing::Put;
using testing::Read;
using testing::Waiting;

// A file beyond this size cannot be written, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit low = old_;
    low.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &low);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit old_;
  void (*signal_)(int);
};

class SpillTest : public ::testing::Test {
 protected:
  std::size_t Files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(spill_), fs::directory_iterator()));
  }
  const TestDirectory directory_;
  FakeClock clock_;  // For a store that is told to use it.
  const fs::path spill_ = directory_ / "spill";
  std::unique_ptr<SharedStore> store_ = OpenStore({.budget = 3 * kSlab, .spill_directory = spill_});
};

TEST_F(SpillTest, TheOldestUnusedLeaveAndAreStillRead) {
  std::vector<ObjectKey> keys;
  for (int i = 0; i < 10; ++i) {
    const auto key = Put(*store_, Pattern(i, 100'000 + i));
    ASSERT_TRUE(key.ok()) << key.status();
    keys.push_back(*key);
  }
  EXPECT_EQ(store_->stats().spilled, 7u);
  EXPECT_TRUE(Eventually([&] { return Files() == 7u; }));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Read(*store_, keys[i]) == Pattern(i, 100'000 + i)) << i;
  EXPECT_EQ(store_->stats().budget_used, 3 * kSlab) << "reading brings nothing back";
  for (const ObjectKey& key : keys) EXPECT_TRUE(store_->Remove(key).ok());
  EXPECT_TRUE(Eventually([&] { return Files() == 0; }));
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  EXPECT_EQ(store_->stats().objects, 0u);
}

TEST_F(SpillTest, WhatIsReadOrWrittenStays) {
  const auto first = Put(*store_, "first"), second = Put(*store_, "second");
  ASSERT_TRUE(first.ok() && second.ok());
  auto writing = Waiting(*store_, 1).Take();
  ASSERT_TRUE(writing.ok());
  std::optional<ReadableObject> reading(*store_->Get(*first));
  const auto third = Put(*store_, "third");
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(store_->stats().spilled, 1u);
  EXPECT_EQ(reading->bytes(), "first");
  const auto blocked = store_->Get(*third);
  ASSERT_TRUE(blocked.ok());
  Waiting waiting(*store_, 1);
  EXPECT_FALSE(waiting.Done());
  reading.reset();  // Room, as soon as it is on the disk.
  EXPECT_TRUE(waiting.Take().ok());
  EXPECT_EQ(store_->stats().spilled, 2u);
  EXPECT_EQ(Read(*store_, *first), "first");
}

TEST_F(SpillTest, ASpilledObjectMayBeRemovedUnderItsReader) {
  const auto key = Put(*store_, "bytes");
  ASSERT_TRUE(key.ok());
  ASSERT_TRUE(Put(*store_, std::string(3 * kSlab, 'x')).ok());
  const auto reading = store_->Get(*key);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_TRUE(store_->Remove(*key).ok());
  EXPECT_TRUE(Eventually([&] { return Files() == 0; }));
  EXPECT_EQ(reading->bytes(), "bytes");
  EXPECT_TRUE(absl::IsNotFound(store_->Get(*key).status()));
}

TEST_F(SpillTest, AfterAnErrorItTriesAgainButNotAtOnce) {
  store_.reset();
  store_ = OpenStore({.budget = kSlab, .spill_directory = spill_, .clock = &clock_});
  ASSERT_TRUE(Put(*store_, Pattern(1, 5000)).ok());
  std::optional<Waiting> waiting;
  {
    const FileSizeLimit full(1000);
    waiting.emplace(*store_, kSlab);
    EXPECT_TRUE(Eventually([&] { return absl::IsResourceExhausted(store_->stats().last_spill); }));
  }
  store_->FenceLate();  // Changes nothing, as anything might.
  EXPECT_FALSE(waiting->Done());
  EXPECT_EQ(store_->stats().spilled, 0u);
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Eventually([&] {
    store_->FenceLate();
    return waiting->Done();
  }));
  EXPECT_EQ(store_->stats().spilled, 1u);
  EXPECT_TRUE(waiting->Take().ok());
}

TEST_F(SpillTest, AfterAnErrorItTriesAgainThoughNothingElseHappens) {
  ASSERT_TRUE(Put(*store_, Pattern(1, 5000)).ok());
  ASSERT_TRUE(Put(*store_, Pattern(2, 5000)).ok());
  std::optional<Waiting> waiting;
  {
    const FileSizeLimit full(1000);
    waiting.emplace(*store_, 3 * kSlab);
    EXPECT_TRUE(Eventually([&] { return absl::IsResourceExhausted(store_->stats().last_spill); }));
  }
  EXPECT_TRUE(waiting->Take().ok());
  EXPECT_EQ(store_->stats().spilled, 2u);
}

TEST_F(SpillTest, AFileThatWasCutShortIsDataLoss) {
  const auto key = Put(*store_, "bytes");
  ASSERT_TRUE(key.ok());
  ASSERT_TRUE(Put(*store_, std::string(3 * kSlab, 'x')).ok());
  const fs::path file = spill_ / (key->ToHex() + ".object");
  fs::resize_file(file, 4);
  EXPECT_TRUE(absl::IsDataLoss(store_->Get(*key).status()));
  const Epoch epoch = store_->OpenSession({});
  EXPECT_TRUE(absl::IsDataLoss(store_->GetFor(epoch, *key).status()));
  fs::resize_file(file, 5);
  EXPECT_TRUE(store_->GetFor(epoch, *key).ok());
  store_->CloseSession(epoch);
}

TEST_F(SpillTest, FilesOfAnEarlierStoreGoAndOthersStay) {
  std::ofstream(spill_ / "00000000000000010000000000000001.object") << "left over";
  std::ofstream(spill_ / "notes.txt") << "not ours";
  store_.reset();
  store_ = OpenStore({.budget = 3 * kSlab, .spill_directory = spill_});
  EXPECT_EQ(Files(), 1u);
  EXPECT_TRUE(fs::exists(spill_ / "notes.txt"));
}

TEST_F(SpillTest, WhatIsParkedIsGivenUpFirst) {
  const auto sealed = Put(*store_, "sealed");
  ASSERT_TRUE(sealed.ok());
  std::optional<WritableObject> first(*Waiting(*store_, 5).Take()), second(*Waiting(*store_, 5).Take());
  first->data()[0] = 'a';
  second->data()[0] = 'b';
  const ObjectKey older = std::move(*first).Park(), newer = std::move(*second).Park();
  EXPECT_TRUE(store_->IsParked(older) && store_->IsParked(newer));
  EXPECT_TRUE(absl::IsNotFound(store_->Get(older).status()));
  ASSERT_TRUE(Put(*store_, "third").ok());
  EXPECT_EQ(store_->stats().spilled, 0u);
  EXPECT_FALSE(store_->IsParked(older));
  EXPECT_TRUE(absl::IsNotFound(store_->Unpark(older).status()));
  auto again = store_->Unpark(newer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(store_->IsParked(newer));
  EXPECT_TRUE(absl::IsNotFound(store_->Unpark(newer).status())) << "somebody has it";
  EXPECT_EQ(again->data()[0], 'b');
  EXPECT_EQ(again->data().size(), 5u);
  EXPECT_EQ(*std::move(*again).Seal(0), newer);
  EXPECT_TRUE(store_->Get(newer).ok());
}

// Who waits already is served by what is parked now, and by what is given up without need of a disk.
TEST_F(SpillTest, ParkingServesWhoWaits) {
  store_.reset();
  store_ = OpenStore({.budget = 3 * kSlab});
  auto object = Waiting(*store_, 3 * kSlab).Take();
  ASSERT_TRUE(object.ok());
  Waiting waiting(*store_, 1);
  EXPECT_FALSE(waiting.Done());
  const ObjectKey key = std::move(*object).Park();
  EXPECT_TRUE(waiting.Take().ok());
  EXPECT_FALSE(store_->IsParked(key));
}

// Readers and removers of the objects that are being spilled at that moment.
TEST_F(SpillTest, ReadersAndRemoversMeetTheSpiller) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string bytes = Pattern(1000 * t + i, 300'000);
        const auto key = Put(*store_, bytes);
        ASSERT_TRUE(key.ok()) << key.status();
        for (int read = 0; read < i % 3; ++read) {
          const auto object = store_->Get(*key);
          ASSERT_TRUE(object.ok()) << object.status();
          ASSERT_TRUE(object->bytes() == bytes);
        }
        ASSERT_TRUE(store_->Remove(*key).ok());
        ASSERT_TRUE(absl::IsNotFound(store_->Get(*key).status()));
      }
    });
  }
  const auto resident = Put(*store_, "resident");  // Spilled and read from its file, or not.
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(resident.ok());
  EXPECT_EQ(Read(*store_, *resident), "resident");
  EXPECT_TRUE(store_->Remove(*resident).ok());
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0 && Files() == 0; }));
  EXPECT_EQ(store_->stats().objects + store_->stats().leases, 0u);
}

TEST_F(SpillTest, OnAFullDiskObjectsStayAndWritersWait) {
  const std::string bytes = Pattern(1, kSlab);
  ASSERT_TRUE(store_->Prefault(kSlab, 3).ok());
  const auto first = Put(*store_, bytes), second = Put(*store_, bytes), third = Put(*store_, bytes);
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  std::optional<Waiting> waiting;
  {
    const FileSizeLimit full(1000);
    waiting.emplace(*store_, kSlab);
    EXPECT_TRUE(Eventually([&] { return absl::IsResourceExhausted(store_->stats().last_spill); }))
        << store_->stats().last_spill;
    EXPECT_TRUE(Eventually([&] { return Files() == 0; }));
    EXPECT_TRUE(Read(*store_, *first) == bytes);
    EXPECT_FALSE(waiting->Done());
  }
  EXPECT_TRUE(store_->Remove(*second).ok());
  EXPECT_TRUE(waiting->Take().ok());
}

}  // namespace
}  // namespace cairn
