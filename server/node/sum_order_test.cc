#include "server/node/sum_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

PublishJob JobWith(std::size_t clients, const std::function<std::string(std::size_t)>& config) {
  PublishJob job;
  job.federation = "fed";
  job.version = 4;
  job.method.combine = "zero_pad";
  for (std::size_t i = 0; i < clients; ++i) {
    const std::string client = absl::StrCat("c", i);
    job.contributions.push_back({{"fed", 4, client, Sha256Hex(client), 10 + i, 1 + i, config(i), 0, "n1"}, nullptr});
  }
  return job;
}

v1::SumOrder Joined(const std::vector<v1::RootNotice>& notices) {
  v1::SumOrder order;
  for (std::size_t i = 0; i < notices.size(); ++i) {
    EXPECT_LT(notices[i].ByteSizeLong(), limits::kMessageBytesMax);
    EXPECT_EQ(JoinSumOrder(notices[i].sum(), order), i + 1 == notices.size());
  }
  return order;
}

TEST(SumOrder, OfManyClientsOrLargeConfigsComesInPieces) {
  const PublishJob alike = JobWith(limits::kCohortClientsMax, [](std::size_t) { return "{}"; });
  const v1::SumOrder order = Joined(SumOrdersOf(7, alike));
  EXPECT_EQ(order.fetch(), 7u);
  EXPECT_EQ(order.adapter_configs_size(), 1);
  ASSERT_EQ(order.updates_size(), static_cast<int>(limits::kCohortClientsMax));
  EXPECT_EQ(order.updates(9'999).client(), "c9999");
  EXPECT_EQ(order.updates(9'999).examples(), 10'000u);

  const PublishJob large = JobWith(6, [](std::size_t i) { return std::string(limits::kMiB, 'a' + i); });
  const std::vector<v1::RootNotice> notices = SumOrdersOf(8, large);
  EXPECT_GT(notices.size(), 1u);
  v1::SumOrder torn;
  EXPECT_FALSE(JoinSumOrder(notices[0].sum(), torn));
  const v1::SumOrder all = Joined(notices);
  for (const v1::RootNotice& notice : notices) JoinSumOrder(notice.sum(), torn);
  EXPECT_EQ(torn.SerializeAsString(), all.SerializeAsString());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(all.adapter_configs(all.updates(i).adapter_config())[0], 'a' + i);
}

class SumOrderJobTest : public ::testing::Test {
 protected:
  void Seal(const Contribution& contribution) {
    UploadKey key{"fed", 4, contribution.receipt.client, contribution.receipt.sha256, 3};
    auto upload = testing::Begun(*store_, key, &opener_).Take();
    ASSERT_TRUE(upload.ok() && (*upload)->Append({"abc"}).ok());
    ASSERT_TRUE(store_->Seal(*std::move(upload), key.sha256).ok());
  }

  const TestDirectory directory_;
  std::unique_ptr<Store> store_ = *OpenFileStore(directory_.path(), 64 << 20);
  WorkerPool opener_{1};
};

TEST_F(SumOrderJobTest, IsWhatTheRootHasWithTheNodesBytes) {
  const PublishJob asked = JobWith(3, [](std::size_t i) { return absl::StrCat(i % 2); });
  for (const Contribution& contribution : asked.contributions) Seal(contribution);
  const auto job = JobOf(Joined(SumOrdersOf(1, asked)), "n1", *store_);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->federation, "fed");
  EXPECT_EQ(job->version, 4u);
  EXPECT_EQ(job->method.combine, "zero_pad");
  ASSERT_EQ(job->contributions.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const ReceiptRow& got = job->contributions[i].receipt;
    const ReceiptRow& expected = asked.contributions[i].receipt;
    EXPECT_EQ(std::tie(got.client, got.sha256, got.bytes, got.examples, got.adapter_config),
              std::tie(expected.client, expected.sha256, expected.bytes, expected.examples, expected.adapter_config));
    EXPECT_EQ(job->contributions[i].payload->bytes(), "abc");
  }
}

TEST_F(SumOrderJobTest, BlamesTheClientWhoseUpdateTheNodeHasLost) {
  const PublishJob asked = JobWith(2, [](std::size_t) { return "{}"; });
  Seal(asked.contributions[0]);
  v1::SumOrder order = Joined(SumOrdersOf(1, asked));
  const absl::Status lost = JobOf(order, "n1", *store_).status();
  EXPECT_EQ(lost.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BlamedClient(lost), "c1");
  EXPECT_THAT(std::string(lost.message()), HasSubstr("node n1 has lost the update of client \"c1\""));
  order.mutable_updates(0)->set_adapter_config(1);
  EXPECT_EQ(JobOf(order, "n1", *store_).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn
