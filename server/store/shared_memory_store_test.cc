// What only the store in memory promises.
#include <gtest/gtest.h>

#include "server/store/shared/store_agent.h"
#include "server/store/shared/store_client.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

using testing::Begun;
using testing::kBudget;
using testing::RandomBytes;

class MemoryStoreTest : public testing::StoreTest {};

// A checksum goes on over the parts of a resumed upload too.
TEST_P(MemoryStoreTest, AResumedUploadHasItsChecksum) {
  const std::string bytes = RandomBytes(51, 1000);
  const UploadKey key = Key("c", bytes);
  auto upload = Begin(key);
  ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(0, 400)}).ok());
  upload.reset();
  upload = Begin(key);
  ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(400)}).ok());
  ASSERT_TRUE(store_->Seal(std::move(upload), key.sha256).ok());
  const auto blob = store_->Find("fed", UpdateName("c", key.sha256));
  ASSERT_TRUE(blob.ok());
  const auto object = shared_->Get(*(*blob)->shared_key());
  ASSERT_TRUE(object.ok());
  EXPECT_TRUE(VerifyObject(object->key(), object->bytes(), object->crc32c()).ok());
}

TEST_P(MemoryStoreTest, WhoGoesOnNeedsNoRoom) {
  auto upload = Begin(Key("c", "abcdef"));
  ASSERT_TRUE(upload->Append({"abc"}).ok());
  held_.push_back(Begin({"fed", 1, "large", "", kBudget - kHugePageBytes}));
  upload.reset();
  ASSERT_EQ(store_->budget().used(), kBudget);
  upload = Begin(Key("c", "abcdef"));
  ASSERT_NE(upload, nullptr);
  EXPECT_EQ(upload->received(), 3u);
  upload.reset();
  held_.clear();
}

// What others broke off does not keep those who wait from going on; what is being received does.
TEST_P(MemoryStoreTest, PartsThatNobodyContinuesMakeRoom) {
  const std::string part = RandomBytes(52, 3 << 20);
  auto broken = Begin(Key("broken", part));
  ASSERT_TRUE(broken->Append({part.substr(0, 1000)}).ok());
  FillMemory();
  Begun waiting(*store_, Key("c", "abc"), &workers_);
  EXPECT_EQ(store_->budget().waiting(), 1u);
  EXPECT_FALSE(waiting.Done());
  broken.reset();
  auto upload = waiting.Take();
  ASSERT_TRUE(upload.ok()) << upload.status();
  EXPECT_EQ(store_->ResumePoint(Key("broken", part)), 0u);
  held_.clear();
  broken = Begin(Key("broken", part));
  EXPECT_EQ(broken->received(), 0u);
  ASSERT_TRUE(broken->Append({part}).ok());
  ASSERT_TRUE(store_->Seal(std::move(broken), Sha256Hex(part)).ok());
  EXPECT_TRUE(Get(part, "broken") == part);
}

TEST_P(MemoryStoreTest, PartsGoBeforeAnythingIsSpilled) {
  Put("sealed", RandomBytes(53, 4 << 20));
  auto part = Begin({"fed", 1, "broken", std::string(64, 'a'), 4 << 20});
  part.reset();
  Put("large", RandomBytes(54, 12 << 20));
  EXPECT_EQ(shared_->stats().spilled, 0u);
}

// While somebody reads it, it is not spilled; afterwards it is, and reads the same.
TEST_P(MemoryStoreTest, WhatIsReadStaysInMemory) {
  const std::string bytes = RandomBytes(55, 4 << 20);
  Put("c", bytes);
  auto blob = store_->Find("fed", UpdateName("c", Sha256Hex(bytes)));
  ASSERT_TRUE(blob.ok());
  Begun waiting(*store_, {"fed", 1, "large", "", kBudget}, &workers_);
  EXPECT_FALSE(waiting.Done());
  EXPECT_EQ(shared_->stats().spilled, 0u);
  EXPECT_TRUE((*blob)->bytes() == bytes);
  blob = absl::NotFoundError("");
  EXPECT_TRUE(waiting.Take().ok());
  EXPECT_EQ(shared_->stats().spilled, 1u);
  blob = store_->Find("fed", UpdateName("c", Sha256Hex(bytes)));
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_TRUE((*blob)->bytes() == bytes);
  (*blob)->DropPages();
  store_->Remove("fed", UpdateName("c", Sha256Hex(bytes)));
  EXPECT_TRUE((*blob)->bytes() == bytes);
}

// In memory, and after it was spilled.
TEST_P(MemoryStoreTest, AWorkerGetsAtTheBytesByTheirKey) {
  auto agent = StoreAgent::Start(shared_.get(), directory_ / "agent");
  ASSERT_TRUE(agent.ok()) << agent.status();
  const std::string bytes = RandomBytes(57, 4 << 20);
  Put("c", bytes);
  const std::string name = UpdateName("c", Sha256Hex(bytes));
  for (const bool spilled : {false, true}) {
    if (spilled) Put("large", RandomBytes(58, kBudget));
    ASSERT_EQ(shared_->stats().spilled, spilled ? 1u : 0u);
    const auto blob = store_->Find("fed", name);
    ASSERT_TRUE(blob.ok()) << blob.status();
    auto worker = StoreClient::Connect(directory_ / "agent");
    ASSERT_TRUE(worker.ok()) << worker.status();
    const auto object = (*worker)->Get(*(*blob)->shared_key());
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_TRUE(object->bytes() == bytes);
  }
}

// Uploads that begin, leave the line, break off, go on and end, on many threads, with room for few.
TEST_P(MemoryStoreTest, ManyUploadsLeaveNothingBehind) {
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([this, t] {
      const std::string client = "client-" + std::to_string(t);
      for (int i = 0; i < 60; ++i) {
        const std::string bytes = RandomBytes(100 * t + i, (1 + i % 3) * 3'000'000);
        const UploadKey key = Key(client, bytes);
        Begun leaving(*store_, key, &workers_);
        if (store_->Cancel(leaving.ticket())) continue;
        auto upload = *leaving.Take();
        ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(0, 1'000'000)}).ok());
        upload.reset();  // Others may take its place.
        upload = Begin(key);
        ASSERT_TRUE(upload->Append({absl::string_view(bytes).substr(upload->received())}).ok());
        ASSERT_TRUE(store_->Seal(std::move(upload), key.sha256).ok());
        ASSERT_TRUE(Get(bytes, client) == bytes);
        if (i % 2 == 0) store_->Remove("fed", UpdateName(client, key.sha256));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  ASSERT_TRUE(store_->Retain("fed", 2, {}).ok());
  // The spiller may hold one for a moment longer.
  for (int i = 0; i < 20'000 && store_->budget().used() != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(store_->budget().used(), 0u);
  EXPECT_EQ(shared_->stats().objects + shared_->stats().leases, 0u);
}

TEST_P(MemoryStoreTest, AtTheEndNothingOfItIsLeft) {
  Put("c", RandomBytes(56, 1000));
  Begin({"fed", 1, "broken", std::string(64, 'a'), 1000}).reset();
  store_.reset();
  EXPECT_EQ(shared_->budget().used(), 0u);
  EXPECT_EQ(shared_->stats().objects, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, MemoryStoreTest, ::testing::Values(false), [](const auto&) { return "Memory"; });

}  // namespace
}  // namespace cairn
