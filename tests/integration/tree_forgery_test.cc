// A worker that hands over what is not its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>

#include "base/files.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/root/published_files.h"
#include "server/tree/unix_stream.h"
#include "server/tree/worker.h"
#include "tests/integration/child.h"
#include "tests/integration/server_process.h"
#include "tests/integration/tree_fixture.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(20);

using Forge = std::function<void(const v1::WorkerTask&, v1::WorkerReply&)>;

// Says that it did what it was told to, and adds a forgery. How that ends.
absl::Status Pretend(const std::filesystem::path& node, const Forge& forge) {
  const auto socket = tree::ConnectToStream(node);
  if (!socket.ok()) return socket.status();
  v1::WorkerTask task;
  v1::WorkerMessage message;
  message.mutable_hello()->set_protocol(tree::kTreeProtocol);
  absl::Status heard;
  while (heard.ok()) {
    absl::Status sent = tree::SendMessage(socket->get(), message);
    if (!sent.ok()) return sent;
    heard = tree::ReceiveMessage(socket->get(), kLongest, task);
    message.Clear();
    v1::WorkerReply& reply = *message.mutable_reply();
    for (int i = 0; i < task.fold().updates_size(); ++i) reply.add_updates();
    forge(task, reply);
  }
  return heard;
}

class TreeForgeryTest : public TreeFixture {
 protected:
  // Adds up a round that a worker of that kind worked on, and then a real one.
  void ExpectSumAfterAll(const PublishJob& job, const std::string& plane) {
    Offer(job);
    auto total = std::async(std::launch::async, [&] { return Sum(job); });
    ExpectSentAway([&](const auto& task, auto& reply) {
      if (task.has_seal()) reply.mutable_sealed()->add_planes(plane);
    });
    const auto honest = Honest();
    ExpectSumOf(job, total.get());
  }
  void ExpectSentAway(const Forge& forge) {
    const absl::Status ended = Pretend(directory_ / "node", forge);
    EXPECT_TRUE(absl::IsUnavailable(ended)) << "it was not sent away: " << ended;
    EXPECT_TRUE(Eventually([&] { return tree_->workers() == 0; }));
  }
  absl::StatusOr<Child> Honest() {
    auto honest = Child::Spawn({BuiltProgram("cairn"), "worker", "--node", (directory_ / "node").string()},
                               directory_ / "worker.log");
    EXPECT_TRUE(honest.ok()) << honest.status();
    return honest;
  }
};

TEST_F(TreeForgeryTest, AnUpdateIsNotTakenForAPlane) {
  StartByHand({.budget = 64 << 20, .workers = 2});
  const PublishJob job = InMemory(Round(3));
  const ObjectKey update = *job.contributions[0].payload->shared_key();
  ExpectSumAfterAll(job, update.ToHex());
  tree_->summer()->Forget(job.federation, job.version);
  EXPECT_TRUE(tree_->store()->Get(update).ok());
}

TEST_F(TreeForgeryTest, WhatIsThereNotIsNoPlane) {
  StartByHand({.budget = 64 << 20, .workers = 2});
  ExpectSumAfterAll(Round(3), std::string(32, '7'));
}

// What a worker combined is read and removed.
TEST_F(TreeForgeryTest, AFileOfTheServerIsNotTakenForModules) {
  StartByHand({.budget = 64 << 20, .workers = 1});
  PublishJob job = Round(7, "stack");
  job.method.rule = "multi_krum:f=1";
  std::filesystem::create_directories(AdapterPath(job.data_dir, job.federation, "").parent_path());
  const std::filesystem::path own = directory_ / "own.safetensors";
  ASSERT_TRUE(WriteFileAtomically(own, "the server's").ok());
  auto parts = std::async(std::launch::async, [&] { return tree_->sharder()->Combine(job); });
  ExpectSentAway([&](const auto& task, auto& reply) {
    if (task.has_shard()) reply.mutable_made()->set_file(own.native());
  });
  const auto honest = Honest();
  const auto made = parts.get();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(own));
}

}  // namespace
}  // namespace cairn::testing
