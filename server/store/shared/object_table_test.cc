#include "server/store/shared/object_table.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr ProcessId kOwner{77, 123456};

ObjectTable MakeTable(std::uint32_t entries) {
  auto table = ObjectTable::Create(entries);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

ObjectKey Add(ObjectTable& table, std::uint64_t bytes = 10) {
  const auto key = table.Add(bytes, {3, 4}, kOwner, 9);
  EXPECT_TRUE(key.ok()) << key.status();
  return key.value_or(ObjectKey{});
}

TEST(ObjectTable, ShowsEveryProcessWhatTheAgentKnows) {
  ObjectTable table = MakeTable(4);
  const ObjectKey key = Add(table, 1234);
  table.SetSealed(key, 0xfeed);
  const auto view = TableView::Open(table.read_only_fd());
  ASSERT_TRUE(view.ok()) << view.status();
  const auto entry = view->Find(key);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->state, ObjectState::kSealed);
  EXPECT_EQ(entry->bytes, 1234u);
  EXPECT_EQ(entry->slab, (SlabRef{3, 4}));
  EXPECT_EQ(entry->crc32c, 0xfeedu);
  EXPECT_EQ(entry->owner_pid, kOwner.pid);
  EXPECT_EQ(entry->owner_start, kOwner.start);
  EXPECT_EQ(entry->epoch, 9u);
}

TEST(ObjectTable, TellsAnOldKeyFromAForgedOne) {
  ObjectTable table = MakeTable(1);
  const ObjectKey first = Add(table);
  table.Free(first);
  EXPECT_TRUE(absl::IsNotFound(table.view().Find(first).status()));
  const ObjectKey second = Add(table);
  ASSERT_EQ(second.entry, first.entry);
  EXPECT_TRUE(absl::IsNotFound(table.view().Find(first).status()));
  EXPECT_TRUE(table.view().Find(second).ok());

  ObjectKey forged = second;
  forged.check ^= 1;
  EXPECT_TRUE(absl::IsPermissionDenied(table.view().Find(forged).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(table.view().Find({0, second.generation + 1, second.check}).status()));
  EXPECT_TRUE(absl::IsNotFound(table.view().Find({1, 1, 1}).status()));
  EXPECT_TRUE(absl::IsNotFound(table.view().Find(ObjectKey{}).status()));
}

TEST(ObjectTable, IsFullAtItsSize) {
  ObjectTable table = MakeTable(2);
  const ObjectKey key = Add(table);
  Add(table);
  const auto third = table.Add(1, {}, kOwner, 1);
  EXPECT_TRUE(absl::IsResourceExhausted(third.status()));
  EXPECT_THAT(third.status().message(), HasSubstr("all 2 entries"));
  table.Free(key);
  EXPECT_TRUE(table.Add(1, {}, kOwner, 1).ok());
}

TEST(ObjectTable, NobodyElseCanWriteIt) {
  const ObjectTable table = MakeTable(1);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, table.read_only_fd(), 0), MAP_FAILED);
  // Not even through a descriptor that may be written.
  const UniqueFd again(::open(absl::StrCat("/proc/self/fd/", table.read_only_fd()).c_str(), O_RDWR | O_CLOEXEC));
  if (again) {
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0), MAP_FAILED);
    EXPECT_EQ(::pwrite(again.get(), "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(again.get(), 0), -1);
  }
}

TEST(ObjectTable, StillValidUntilTheLastLeaseEnds) {
  ObjectTable table = MakeTable(1);
  const ObjectKey key = Add(table);
  EXPECT_FALSE(table.view().StillValid(key));
  table.SetSealed(key, 0);
  EXPECT_TRUE(table.view().StillValid(key));
  table.SetState(key, ObjectState::kRemoved);
  EXPECT_TRUE(table.view().StillValid(key));
  table.Free(key);
  EXPECT_FALSE(table.view().StillValid(key));
  table.SetSealed(Add(table), 0);
  EXPECT_FALSE(table.view().StillValid(key));
}

// A table whose bytes a test can spoil.
class SpoiltTable : public ::testing::Test {
 protected:
  void SetUp() override {
    auto fd = CreateMemfd("spoilt", kTableHeaderBytes + 2 * sizeof(ObjectEntry));
    ASSERT_TRUE(fd.ok()) << fd.status();
    fd_ = *std::move(fd);
    Write(header_);
  }
  void Write(const TableHeader& header) {
    ASSERT_EQ(::pwrite(fd_.get(), &header, sizeof(header), 0), static_cast<ssize_t>(sizeof(header)));
  }
  UniqueFd fd_;
  TableHeader header_{.entries = 2};
};

TEST_F(SpoiltTable, AnotherVersionIsRefused) {
  ASSERT_TRUE(TableView::Open(fd_.get()).ok());
  header_.version = kTableVersion + 1;
  Write(header_);
  const auto view = TableView::Open(fd_.get());
  EXPECT_TRUE(absl::IsFailedPrecondition(view.status()));
  EXPECT_THAT(view.status().message(), HasSubstr("expected layout version 1, got 2"));
}

TEST_F(SpoiltTable, WhatIsNoTableIsRefused) {
  header_.entries = 3;
  Write(header_);
  EXPECT_TRUE(absl::IsDataLoss(TableView::Open(fd_.get()).status()));
  header_ = {.entry_bytes = 32, .entries = 2};
  Write(header_);
  EXPECT_TRUE(absl::IsDataLoss(TableView::Open(fd_.get()).status()));
  header_ = {.entries = 2};
  header_.magic[0] = 'X';
  Write(header_);
  EXPECT_TRUE(absl::IsDataLoss(TableView::Open(fd_.get()).status()));
  ASSERT_EQ(::ftruncate(fd_.get(), 10), 0);
  EXPECT_TRUE(absl::IsDataLoss(TableView::Open(fd_.get()).status()));
}

TEST_F(SpoiltTable, AnEntryLeftHalfChangedDoesNotHangTheReader) {
  const std::uint32_t odd = 7;
  ASSERT_EQ(::pwrite(fd_.get(), &odd, sizeof(odd), kTableHeaderBytes), static_cast<ssize_t>(sizeof(odd)));
  const auto view = TableView::Open(fd_.get());
  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(absl::IsUnavailable(view->Read(0).status()));
  EXPECT_TRUE(view->Read(1).ok());
}

// Every object's fields follow from its number: a mixture of two would show.
bool IsWhole(const ObjectEntry& entry) {
  const std::uint64_t i = entry.bytes;
  const auto small = static_cast<std::uint32_t>(i);
  return entry.slab == SlabRef{small, small} && entry.owner_pid == static_cast<std::int32_t>(i) &&
         entry.owner_start == i && entry.epoch == i && entry.key.generation == i;
}

TEST(ObjectTable, IsReadWholeWhileItChanges) {
  ObjectTable table = MakeTable(1);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint32_t i = 1; i <= 300'000; ++i) {
      const auto key = table.Add(i, {i, i}, {static_cast<std::int32_t>(i), i}, i);
      table.SetSealed(*key, i);
      table.Free(*key);
    }
    done = true;
  });
  absl::Status read;
  int reads = 0, broken = 0;
  for (; !done && read.ok(); ++reads) {
    const auto entry = table.view().Read(0);
    read = entry.status();
    broken += entry.ok() && !IsWhole(*entry) ? 1 : 0;
  }
  writer.join();
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(broken, 0) << "of " << reads;
}

}  // namespace
}  // namespace cairn
