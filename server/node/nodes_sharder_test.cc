// Who combines a round of several nodes.
#include "server/node/nodes_sharder.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors.h"
#include "server/node/node_table.h"
#include "server/root/publish_fixture.h"

namespace cairn {
namespace {

class NodesSharderTest : public testing::PublishFixture {
 protected:
  // Attends, and does nothing of what it is asked for.
  void Arrive(const std::string& node) {
    v1::AttendRequest request;
    request.set_node(node);
    request.set_peer("127.0.0.1:1");
    const auto hear = [this, node](const v1::RootNotice& notice) {
      const std::lock_guard lock(mutex_);
      if (notice.shard().has_task()) asked_.insert(node);
    };
    const auto session = table_.Arrive(request, hear, [] {});
    ASSERT_TRUE(session.ok()) << session.status();
    sessions_.push_back(*session);
  }
  // Two clients' updates, both there.
  PublishJob JobAt(const std::string& node) {
    PublishJob job = Job(1, testing::Round(1), "stack");
    job.method.rule = "median";
    for (Contribution& contribution : job.contributions) {
      const absl::string_view bytes = contribution.payload->bytes();
      const auto header = SafetensorsHeaderBytes(bytes, bytes.size());
      EXPECT_TRUE(header.ok());
      contribution.header = std::make_shared<const std::string>(bytes.substr(0, *header));
      contribution.receipt.bytes = bytes.size();
      contribution.receipt.node = node;
      contribution.payload = nullptr;
    }
    return job;
  }
  std::size_t Asked() {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }

  std::unique_ptr<Store> store_ = *OpenFileStore(directory_.path(), 64 << 20);
  NodeTable table_{store_.get(), /*verify=*/true};
  NodesSharder sharder_{&table_, /*local=*/nullptr};
  std::vector<NodeTable::Session> sessions_;
  std::mutex mutex_;
  std::set<std::string> asked_;
};

// Of more it is those that have updates, and some of the others.
TEST_F(NodesSharderTest, AtMost64NodesShareARound) {
  for (int i = 100; i < 170; ++i) Arrive(absl::StrCat("n", i));
  auto parts = std::async(std::launch::async, [this] { return sharder_.Combine(JobAt("n169"), nullptr).status(); });
  while (Asked() < 64) std::this_thread::yield();
  for (const NodeTable::Session session : sessions_) EXPECT_TRUE(table_.Leave(session, [] {}));
  EXPECT_TRUE(absl::IsUnavailable(parts.get()));
  EXPECT_EQ(Asked(), 64u);
  EXPECT_EQ(asked_.count("n169"), 1u);
}

}  // namespace
}  // namespace cairn
