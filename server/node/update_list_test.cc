#include "server/node/update_list.h"

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
#include "server/node/shard_order.h"
#include "server/root/publish_fixture.h"
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

v1::UpdateList Joined(const std::vector<v1::UpdateList>& pieces) {
  v1::UpdateList list;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_LT(pieces[i].ByteSizeLong(), limits::kMessageBytesMax - limits::kMiB);  // It is part of an order.
    EXPECT_EQ(JoinPiece(pieces[i], list), i + 1 == pieces.size());
  }
  return list;
}

TEST(UpdateList, OfManyClientsOrLargeConfigsComesInPieces) {
  const PublishJob alike = JobWith(limits::kCohortClientsMax, [](std::size_t) { return "{}"; });
  const v1::UpdateList order = Joined(ListUpdates(7, alike));
  EXPECT_EQ(order.fetch(), 7u);
  EXPECT_EQ(order.adapter_configs_size(), 1);
  ASSERT_EQ(order.updates_size(), static_cast<int>(limits::kCohortClientsMax));
  EXPECT_EQ(order.updates(9'999).client(), "c9999");
  EXPECT_EQ(order.updates(9'999).examples(), 10'000u);

  const PublishJob large = JobWith(6, [](std::size_t i) { return std::string(limits::kMiB, 'a' + i); });
  const std::vector<v1::UpdateList> pieces = ListUpdates(8, large);
  EXPECT_GT(pieces.size(), 1u);
  v1::UpdateList torn;
  EXPECT_FALSE(JoinPiece(pieces[0], torn));
  const v1::UpdateList all = Joined(pieces);
  for (const v1::UpdateList& piece : pieces) JoinPiece(piece, torn);
  EXPECT_EQ(torn.SerializeAsString(), all.SerializeAsString());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(all.adapter_configs(all.updates(i).adapter_config())[0], 'a' + i);
}

class UpdateListJobTest : public ::testing::Test {
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

TEST_F(UpdateListJobTest, IsWhatTheRootHasWithTheNodesBytes) {
  const PublishJob asked = JobWith(3, [](std::size_t i) { return absl::StrCat(i % 2); });
  for (const Contribution& contribution : asked.contributions) Seal(contribution);
  auto job = JobOf(Joined(ListUpdates(1, asked)));
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
    ASSERT_TRUE(FindPayload("n1", *store_, job->contributions[i]).ok());
    EXPECT_EQ(job->contributions[i].payload->bytes(), "abc");
  }
}

TEST_F(UpdateListJobTest, BlamesTheClientWhoseUpdateTheNodeHasLost) {
  PublishJob asked = JobWith(2, [](std::size_t) { return "{}"; });
  Seal(asked.contributions[0]);
  v1::UpdateList list = Joined(ListUpdates(1, asked));
  const absl::Status lost = FindPayload("n1", *store_, asked.contributions[1]);
  EXPECT_EQ(lost.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BlamedClient(lost), "c1");
  EXPECT_THAT(std::string(lost.message()), HasSubstr("node n1 has lost the update of client \"c1\""));
  list.mutable_updates(0)->set_adapter_config(1);
  EXPECT_EQ(JobOf(list).status().code(), absl::StatusCode::kDataLoss);
}

// With where each update lies, what to do with them, and the modules of one node.
TEST(ShardOrder, SaysTheSameAtTheNode) {
  PublishJob job = JobWith(3, [](std::size_t i) { return std::string(limits::kMiB, 'a' + i); });
  job.contributions[1].receipt.node = "n2";
  job.contributions[2].payload = std::make_shared<testing::BytesBlob>("here");
  job.method.rule = "krum";
  job.method.guards = {"nnm"};
  job.method.publish = PublishForm{.kind = PublishForm::Kind::kRank, .rank = 4};
  job.previous = VersionRow{"fed", 2, {"whole", 5, "{}"}, AdapterFile{"delta", 6, "{}"}};
  const std::map<std::string, std::string> addresses = {{"", ""}, {"n1", "a:1"}, {"n2", "b:2"}};
  const auto notices = ShardOrdersOf(9, job, addresses, {{"m"}, {"t", "u"}});
  ASSERT_TRUE(notices.ok()) << notices.status();
  EXPECT_GT(notices->size(), 2u);
  v1::ShardOrder order;
  for (std::size_t i = 0; i < notices->size(); ++i) {
    EXPECT_LT((*notices)[i].ByteSizeLong(), limits::kMessageBytesMax);
    EXPECT_EQ(JoinShardOrder((*notices)[i].shard(), order), i + 1 == notices->size());
  }
  EXPECT_EQ(order.updates().fetch(), 9u);
  auto ordered = OrderedBy(order);
  ASSERT_TRUE(ordered.ok()) << ordered.status();
  EXPECT_EQ(ordered->addresses, addresses);
  EXPECT_EQ(ordered->share.modules, (std::set<std::string, std::less<>>{"m"}));
  EXPECT_EQ(ordered->share.tensors, (std::set<std::string, std::less<>>{"t", "u"}));
  const PublishJob& got = ordered->job;
  EXPECT_EQ(got.method.rule, "krum");
  EXPECT_EQ(got.method.guards, job.method.guards);
  EXPECT_EQ(ToString(*got.method.publish), ToString(*job.method.publish));
  EXPECT_EQ(got.previous->version, 2u);
  EXPECT_EQ(got.previous->delta->sha256, "delta");
  ASSERT_EQ(got.contributions.size(), 3u);
  EXPECT_EQ(got.contributions[0].receipt.node, "n1");
  EXPECT_EQ(got.contributions[1].receipt.node, "n2");
  EXPECT_EQ(got.contributions[2].receipt.node, "");
  EXPECT_EQ(got.contributions[1].receipt.adapter_config, job.contributions[1].receipt.adapter_config);
  job.base_model = std::string(limits::kMessageBytesMax, 'x');
  EXPECT_EQ(ShardOrdersOf(9, job, addresses, {}).status().code(), absl::StatusCode::kResourceExhausted);
  order.mutable_updates()->mutable_updates(0)->set_place(3);
  EXPECT_EQ(OrderedBy(order).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cairn
