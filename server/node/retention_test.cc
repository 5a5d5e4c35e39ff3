// Questions and updates that cross each other on their way.
#include "server/node/retention.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/digest.h"
#include "base/test_directory.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

class RetentionTest : public ::testing::Test {
 protected:
  void SetUp() override { store_ = *OpenFileStore(directory_.path(), 64 << 20); }

  std::string Seal(const std::string& client) {
    const std::string bytes = "bytes of " + client;
    const UploadKey key{"fed", 1, client, Sha256Hex(bytes), bytes.size()};
    auto upload = testing::Begun(*store_, key, &opener_).Take();
    EXPECT_TRUE(upload.ok() && (*upload)->Append({bytes}).ok());
    EXPECT_TRUE(store_->Seal(*std::move(upload), key.sha256).ok());
    return UpdateName(client, key.sha256);
  }
  bool Has(const std::string& name) { return store_->Find("fed", name).ok(); }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  WorkerPool opener_{1};
};

TEST_F(RetentionTest, LetsGoOfWhatTheRootDoesNotName) {
  const std::string a = Seal("a"), b = Seal("b");
  Retention retention(store_.get(), [&](const std::string&) { return Kept{1, {a}}; });
  retention.Tidy("fed");
  EXPECT_TRUE(Has(a));
  EXPECT_FALSE(Has(b));
}

TEST_F(RetentionTest, KeepsEverythingWithoutAnAnswer) {
  const std::string a = Seal("a");
  Retention retention(store_.get(), [](const std::string&) { return absl::UnavailableError("away"); });
  retention.Tidy("fed");
  EXPECT_TRUE(Has(a));
}

// The answer was made before the receipt, and is carried out after it.
TEST_F(RetentionTest, KeepsWhatWasAcknowledgedMeanwhile) {
  const std::string before = Seal("a"), during = Seal("b"), whole = Seal("c"), never = Seal("d");
  Retention* self = nullptr;
  Retention retention(store_.get(), [&](const std::string&) {
    self->End("fed", before);
    self->Begin("fed", during);
    self->Begin("fed", whole);
    self->End("fed", whole);
    return Kept{1, {}};
  });
  self = &retention;
  retention.Begin("fed", before);
  retention.Tidy("fed");
  EXPECT_TRUE(Has(before));
  EXPECT_TRUE(Has(during));
  EXPECT_TRUE(Has(whole));
  EXPECT_FALSE(Has(never));
}

TEST_F(RetentionTest, AReminderWhileItAsksMakesItAskAgain) {
  const std::string a = Seal("a");
  int asked = 0;
  Retention* self = nullptr;
  Retention retention(store_.get(), [&](const std::string&) {
    if (++asked == 1) {
      self->Tidy("fed");  // As another thread would.
      return Kept{1, {a}};
    }
    return Kept{1, {}};
  });
  self = &retention;
  retention.Tidy("fed");
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(Has(a));
}

}  // namespace
}  // namespace cairn
