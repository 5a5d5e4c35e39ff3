// Both stores keep the same promises, except across a restart.
#include "server/store/store.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

using testing::Begun;
using testing::kBudget;
using testing::RandomBytes;
using testing::StoreTest;

TEST_P(StoreTest, SealedBytesAreFound) {
  const std::string bytes = RandomBytes(1, 3'000'001);
  auto upload = Begin(Key("c", bytes));
  const absl::string_view all(bytes);
  ASSERT_TRUE(upload->Append({all.substr(0, 10), all.substr(10, 0), all.substr(10, 1'000'000)}).ok());
  ASSERT_TRUE(upload->Append({all.substr(1'000'010)}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), Sha256Hex(bytes)).ok());
  EXPECT_TRUE(Get(bytes) == bytes);
}

TEST_P(StoreTest, ABrokenUploadGoesOnWhereItStopped) {
  const std::string bytes = RandomBytes(2, 1'000'000);
  const UploadKey key = Key("c", bytes);
  EXPECT_EQ(store_->ResumePoint(key), 0u);
  auto upload = Begin(key);
  ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(0, 400'000)}).ok());
  upload.reset();
  EXPECT_EQ(store_->ResumePoint(key), 400'000u);
  upload = Begin(key);
  ASSERT_EQ(upload->received(), 400'000u);
  std::string there;
  ASSERT_TRUE(upload->ReadBack([&](absl::string_view part) { there.append(part.data(), part.size()); }).ok());
  EXPECT_TRUE(there == bytes.substr(0, 400'000));
  ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(400'000)}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), key.sha256).ok());
  EXPECT_TRUE(Get(bytes) == bytes);
}

TEST_P(StoreTest, OtherBytesOfTheSameClientStartAnew) {
  const std::string first = RandomBytes(3, 1000), second = RandomBytes(4, 1000);
  auto upload = Begin(Key("c", first));
  ASSERT_TRUE(upload->Append({first.substr(0, 500)}).ok());
  upload.reset();
  EXPECT_EQ(store_->ResumePoint(Key("c", second)), 0u);
  upload = Begin(Key("c", second));
  EXPECT_EQ(upload->received(), 0u);
  upload.reset();
  EXPECT_EQ(store_->ResumePoint(Key("c", first)), 0u);
}

TEST_P(StoreTest, TwoStreamsOfOneUploadAreRefused) {
  const std::string bytes = RandomBytes(5, 1000);
  auto upload = Begin(Key("c", bytes));
  EXPECT_EQ(BeginOr(Key("c", bytes)).status().code(), absl::StatusCode::kAborted);
  upload.reset();
  EXPECT_TRUE(BeginOr(Key("c", bytes)).ok());
}

TEST_P(StoreTest, MoreThanAnnouncedIsRefused) {
  auto upload = Begin(Key("c", "abc"));
  EXPECT_EQ(upload->Append({"abcd"}).code(), absl::StatusCode::kOutOfRange);
}

// A client that declares another one's digest for other bytes must not replace that one's.
TEST_P(StoreTest, ADigestStandsForTheBytesOfItsClientOnly) {
  const std::string honest = RandomBytes(30, 1000), other = RandomBytes(31, 1000);
  Put("c", honest);
  UploadKey forged = Key("d", other);
  forged.sha256 = Sha256Hex(honest);
  auto upload = Begin(forged);
  ASSERT_TRUE(upload->Append({other}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), forged.sha256).ok());
  EXPECT_TRUE(Get(honest) == honest);
}

TEST_P(StoreTest, TheFirstSealStands) {
  const std::string first = RandomBytes(32, 1000), second = RandomBytes(33, 1000);
  Put("c", first);
  UploadKey again = Key("c", first);  // As declared; with integrity crc32c nobody has held it against the bytes.
  auto upload = Begin(again);
  ASSERT_TRUE(upload->Append({second}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), again.sha256).ok());
  EXPECT_TRUE(Get(first) == first);
  ASSERT_TRUE(store_->Retain("fed", 2, {}).ok());
  EXPECT_EQ(store_->budget().used(), 0u);
}

// The same client sends the same bytes in two rounds, and the store spills them in both.
TEST_P(StoreTest, BytesThatComeAgainAreSpilledAgain) {
  const std::string bytes = RandomBytes(34, 4 << 20);
  for (int round = 0; round < 3; ++round) {
    Put("c", bytes);
    for (int i = 0; i < 6; ++i) Put("d" + std::to_string(i), RandomBytes(40 + i, 4 << 20));
    EXPECT_TRUE(Get(bytes) == bytes);
    ASSERT_TRUE(store_->Retain("fed", 2, {}).ok());
  }
  EXPECT_EQ(store_->budget().used(), 0u);
}

TEST_P(StoreTest, DiscardedBytesAreGone) {
  const std::string bytes = RandomBytes(6, 1000);
  auto upload = Begin(Key("c", bytes));
  ASSERT_TRUE(upload->Append({bytes}).ok());
  store_->Discard(std::move(upload));
  EXPECT_EQ(store_->ResumePoint(Key("c", bytes)), 0u);
  EXPECT_FALSE(store_->Find("fed", UpdateName("c", Sha256Hex(bytes))).ok());
  EXPECT_EQ(store_->budget().used(), 0u);
}

TEST_P(StoreTest, RetainKeepsWhatIsNamed) {
  const std::string kept = RandomBytes(20, 1000), dropped = RandomBytes(21, 1000), part = RandomBytes(22, 1000);
  Put("c", kept);
  Put("d", dropped);
  auto upload = Begin(Key("e", part));
  ASSERT_TRUE(upload->Append({part.substr(0, 10)}).ok());
  upload.reset();
  ASSERT_TRUE(store_->Retain("other", 2, {}).ok());
  EXPECT_TRUE(Get(dropped, "d") == dropped);
  ASSERT_TRUE(store_->Retain("fed", 1, {UpdateName("c", Sha256Hex(kept))}).ok());
  EXPECT_TRUE(Get(kept) == kept);
  EXPECT_FALSE(store_->Find("fed", UpdateName("d", Sha256Hex(dropped))).ok());
  EXPECT_EQ(store_->ResumePoint(Key("e", part)), 10u);
}

TEST_P(StoreTest, RetainingNothingGivesEverythingBack) {
  const std::string bytes = RandomBytes(7, 5'000'000), part = RandomBytes(8, 1000);
  Put("c", bytes);
  auto upload = Begin(Key("d", part));
  ASSERT_TRUE(upload->Append({part.substr(0, 10)}).ok());
  upload.reset();
  ASSERT_TRUE(store_->Retain("fed", 2, {}).ok());
  EXPECT_EQ(store_->Find("fed", UpdateName("c", Sha256Hex(bytes))).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->ResumePoint(Key("d", part)), 0u);
  EXPECT_EQ(store_->budget().used(), 0u);
}

TEST_P(StoreTest, ABlobOutlivesItsRemoval) {
  const std::string bytes = RandomBytes(9, 100'000);
  Put("c", bytes);
  auto blob = store_->Find("fed", UpdateName("c", Sha256Hex(bytes)));
  ASSERT_TRUE(blob.ok());
  ASSERT_TRUE(store_->Retain("fed", 2, {}).ok());
  EXPECT_TRUE((*blob)->bytes() == bytes);
}

// Three times the budget: later uploads wait, the store makes room, nothing is lost.
TEST_P(StoreTest, HoldsMoreThanTheBudget) {
  std::vector<std::string> all;
  for (int i = 0; i < 12; ++i) {
    all.push_back(RandomBytes(100 + i, 4 << 20));
    Put("c" + std::to_string(i), all.back());
    EXPECT_LE(store_->budget().used(), kBudget);
  }
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(Get(all[i], "c" + std::to_string(i)) == all[i]);
}

TEST_P(StoreTest, ReopeningKeepsWhatIsDurable) {
  const std::string bytes = RandomBytes(10, 100'000), part = RandomBytes(11, 1000);
  Put("c", bytes);
  auto upload = Begin(Key("d", part));
  ASSERT_TRUE(upload->Append({part.substr(0, 10)}).ok());
  upload.reset();
  Reopen();
  EXPECT_EQ(Get(bytes) == bytes, GetParam());
  EXPECT_EQ(store_->ResumePoint(Key("d", part)), GetParam() ? 10u : 0u);
}

TEST_P(StoreTest, UploadsWaitForRoomInOrder) {
  FillMemory();
  const std::uint64_t bytes = kFileUploadReservation;
  Begun first(*store_, {"fed", 1, "a", "", bytes}, &workers_), second(*store_, {"fed", 1, "b", "", bytes}, &workers_);
  EXPECT_EQ(store_->budget().waiting(), 2u);
  held_.pop_back();
  auto upload = first.Take();
  EXPECT_TRUE(upload.ok()) << upload.status();
  EXPECT_FALSE(second.Done());
  EXPECT_EQ(store_->budget().waiting(), 1u);
  held_.pop_back();
  EXPECT_TRUE(second.Take().ok());
  held_.clear();
}

TEST_P(StoreTest, AnUploadMayLeaveTheLine) {
  FillMemory();
  Begun leaving(*store_, Key("c", "abc"), &workers_);
  EXPECT_TRUE(store_->Cancel(leaving.ticket()));
  EXPECT_FALSE(store_->Cancel(leaving.ticket()));
  EXPECT_EQ(store_->budget().waiting(), 0u);
  held_.clear();
  EXPECT_FALSE(leaving.Done());
  Put("c", "abc");
  EXPECT_EQ(Get("abc"), "abc");
}

TEST_P(StoreTest, WhatCanNeverFitIsRefused) {
  const std::uint64_t budget = GetParam() ? kFileUploadReservation - 1 : kFileUploadReservation;
  Reopen(budget);
  EXPECT_EQ(BeginOr({"fed", 1, "c", "", kFileUploadReservation + 1}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(store_->budget().used(), 0u);
  EXPECT_GT(store_->Reservation(kFileUploadReservation + 1), store_->budget().capacity());
}

// Two streams of one client wait: the second finds the first at work, and takes nothing from it.
TEST_P(StoreTest, TwoStreamsThatWaitForOneUploadAreOne) {
  FillMemory();
  const UploadKey key = Key("c", "abc");
  Begun first(*store_, key, &workers_), second(*store_, key, &workers_);
  held_.clear();
  auto a = first.Take(), b = second.Take();
  ASSERT_NE(a.ok(), b.ok());
  EXPECT_EQ((a.ok() ? b : a).status().code(), absl::StatusCode::kAborted);
  auto upload = a.ok() ? *std::move(a) : *std::move(b);
  ASSERT_TRUE(upload->Append({"abc"}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), key.sha256).ok());
  EXPECT_EQ(Get("abc"), "abc");
}

TEST_P(StoreTest, ABlobSaysHowOtherProcessesGetAtIt) {
  const std::string bytes = RandomBytes(50, 1000);
  Put("c", bytes);
  const auto blob = store_->Find("fed", UpdateName("c", Sha256Hex(bytes)));
  ASSERT_TRUE(blob.ok()) << blob.status();
  ASSERT_EQ((*blob)->path().has_value(), GetParam());
  ASSERT_EQ((*blob)->shared_key().has_value(), !GetParam());
  if (GetParam()) {
    EXPECT_EQ(*ReadFile(*(*blob)->path(), kBudget), bytes);
  } else {
    const auto object = shared_->Get(*(*blob)->shared_key());
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(object->bytes().data(), (*blob)->bytes().data()) << "copied";
    EXPECT_TRUE(VerifyObject(object->key(), object->bytes(), object->crc32c()).ok());
  }
}

// By somebody who cleans up under a running server.
TEST_P(StoreTest, TheDirectoryOfUploadsIsMadeAgain) {
  std::filesystem::remove_all(directory_ / "uploads");
  Put("c", "abc");
  EXPECT_EQ(Get("abc"), "abc");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "File" : "Memory"; });

}  // namespace
}  // namespace cairn
