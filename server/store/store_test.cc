#include "server/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <random>
#include <string>

#include "base/digest.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBudget = 16 << 20;

std::string RandomBytes(int seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// Both stores keep the same promises, except across a restart.
class StoreTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = fs::path(::testing::TempDir()) / ("store_" + std::to_string(getpid()) + name);
    Reopen();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(directory_);
  }
  void Reopen() {
    store_.reset();
    auto store = GetParam() ? OpenFileStore(directory_, kBudget) : OpenMemoryStore(directory_, kBudget);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
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
    auto granted = std::make_shared<std::promise<void>>();
    auto future = granted->get_future();
    store_->budget().Acquire(store_->Reservation(key.bytes), [granted] { granted->set_value(); });
    EXPECT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready) << "never granted";
    return store_->Begin(key);
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

  fs::path directory_;
  std::unique_ptr<Store> store_;
};

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

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "File" : "Memory"; });

}  // namespace
}  // namespace cairn
