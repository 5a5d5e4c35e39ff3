#include "server/node/adapter_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/test_directory.h"

namespace cairn {
namespace {

class AdapterCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { cache_ = *AdapterCache::Open(directory_ / "cache", 100); }

  absl::Status Put(const std::string& bytes, const std::string& sha256) {
    auto incoming = cache_->Begin(sha256);
    if (!incoming.ok()) return incoming.status();
    const absl::string_view whole = bytes;
    const absl::Status appended = incoming->Append({whole.substr(0, 1), whole.substr(1)});
    if (!appended.ok()) return appended;
    return cache_->Keep(*std::move(incoming), sha256).status();
  }
  std::string Put(const std::string& bytes) {
    const std::string sha256 = Sha256Hex(bytes);
    const absl::Status put = Put(bytes, sha256);
    EXPECT_TRUE(put.ok()) << put;
    return sha256;
  }

  TestDirectory directory_;
  std::unique_ptr<AdapterCache> cache_;
};

TEST_F(AdapterCacheTest, KeepsWhatItWasGiven) {
  const std::string sha256 = Put("an adapter");
  const auto file = cache_->Find(sha256);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->bytes(), "an adapter");
  EXPECT_EQ(cache_->Find(std::string(64, '0')), nullptr);
}

TEST_F(AdapterCacheTest, RefusesOtherBytes) {
  const std::string sha256 = Sha256Hex("an adapter");
  EXPECT_EQ(Put("another one", sha256).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cache_->Find(sha256), nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "cache"));  // Nor what was on its way.
}

TEST_F(AdapterCacheTest, LetsGoOfTheLongestUnused) {
  const std::string a = Put(std::string(40, 'a'));
  const std::string b = Put(std::string(40, 'b'));
  const auto age = [&](const std::string& sha256, int hours) {
    std::filesystem::last_write_time(cache_->PathOf(sha256),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  age(a, 1);
  age(b, 2);
  const auto held = cache_->Find(b);  // Of use now.
  const std::string c = Put(std::string(40, 'c'));
  EXPECT_EQ(cache_->Find(a), nullptr);
  EXPECT_NE(cache_->Find(b), nullptr);
  const std::string large = Put(std::string(200, 'd'));
  EXPECT_EQ(cache_->Find(b), nullptr);
  EXPECT_NE(cache_->Find(large), nullptr);  // The latest stays, however large.
  EXPECT_EQ(held->bytes(), std::string(40, 'b'));
}

TEST_F(AdapterCacheTest, BeginsEmpty) {
  const std::string sha256 = Put("an adapter");
  cache_ = *AdapterCache::Open(directory_ / "cache", 100);
  EXPECT_EQ(cache_->Find(sha256), nullptr);
}

}  // namespace
}  // namespace cairn
