// A node's view of the root, against a real root over loopback, in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/node/testing.h"

namespace cairn {
namespace {

using testing::Await;
using ::testing::HasSubstr;
using testing::Large;
using testing::TestNode;
using testing::TestRoot;
using testing::TwoClients;
using testing::Update;
using testing::UpdateBytes;

using RemoteRootTest = testing::AttendedNodeTest;

TEST_F(RemoteRootTest, SaysWhatTheRootSays) {
  const auto joined = node_.Join("a");
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->spec, nullptr);
  EXPECT_EQ(joined->snapshot->state.clients.count("a"), 1u);
  EXPECT_EQ(node_.Now().waiting_for, "1 of 2 clients joined");

  const UploadKey late{"fed", 7, "a", std::string(64, 'a'), 100};
  const absl::Status near =
      Await<absl::StatusOr<Admission>>([&](auto done) { root_->CheckUpload(late, done); }).status();
  EXPECT_EQ(node_.CheckUpload(late).status(), near);
  EXPECT_EQ(near.code(), absl::StatusCode::kFailedPrecondition);
  const absl::Status nowhere = node_.Join("a", "other").status();
  EXPECT_EQ(nowhere.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(nowhere.message()), HasSubstr("\"other\""));
  EXPECT_EQ(node_.FindVersion(0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RemoteRootTest, ClientsArePlacedOnTheNodeOfTheirZone) {
  JoinBoth();
  const auto placed = [](TestNode& node, const std::string& client) {
    return Await<absl::StatusOr<std::string>>([&](auto done) {
      node->Place({"fed", client, "west", 1000}, std::move(done));
    });
  };
  EXPECT_EQ(*placed(node_, "a"), "") << "no node offers itself";
  TestNode east("n2"), west("n3");
  east.offer = {"127.0.0.1:1", "east", 1e9, 1e-9, 4, 0};
  west.offer = {"127.0.0.1:2", "west", 1e9, 1e-9, 4, 0};
  for (TestNode* node : {&east, &west}) {
    node->Start(root_.address());
    node->AwaitAttended();
  }
  EXPECT_EQ(*placed(node_, "a"), "127.0.0.1:2");
  EXPECT_EQ(*placed(east, "a"), "127.0.0.1:2");
  EXPECT_EQ(*placed(west, "a"), "") << "it is there";
  EXPECT_EQ(placed(node_, "nobody").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RemoteRootTest, UpdatesStayAtTheNodeUntilTheyArePublished) {
  JoinBoth();
  const UpdateBytes a = Update(1), b = Update(2);
  const auto receipt = node_.Push("a", 1, a);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->sha256, Sha256Hex(a.safetensors));
  EXPECT_EQ(node_.CheckUpload({"fed", 1, "a", receipt->sha256, receipt->bytes})->receipt->received_ms,
            receipt->received_ms);
  EXPECT_TRUE(node_.Has("a", a));
  EXPECT_FALSE(std::filesystem::exists(root_.directory / "objects" / "fed"));
  ASSERT_TRUE(node_.Push("b", 1, b).ok());
  node_.AwaitVersion(1);
  while (node_.Has("a", a) || node_.Has("b", b)) std::this_thread::yield();
}

TEST_F(RemoteRootTest, WhatTheRootRefusesIsLetGoOf) {
  JoinBoth();
  const UpdateBytes a = Update(1), other = Update(3, 2, {{"layers.9.q", 4, 4}});
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  EXPECT_EQ(node_.Push("b", 1, other).status().code(), absl::StatusCode::kInvalidArgument);
  while (node_.Has("b", other)) std::this_thread::yield();
  EXPECT_TRUE(node_.Has("a", a));
}

TEST_F(RemoteRootTest, WhatWasLetGoOfBeforeItsReceiptIsToBeSentAgain) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  const SealedUpdate sealed = node_.Seal("a", 1, a);
  node_.store().Remove("fed", UpdateName("a", sealed.key.sha256));
  const absl::Status gone = node_.Contribute(sealed).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(gone.message()), HasSubstr("send it again"));
  EXPECT_TRUE(node_.Push("a", 1, a).ok());
}

// As when the node's disk does not give all of an update that it has just synced.
TEST_F(RemoteRootTest, AnUpdateWhoseHeaderCannotBeReadIsToBeSentAgain) {
  JoinBoth();
  std::vector<ModuleSpec> modules;
  for (int i = 10; i < 90; ++i) modules.push_back({absl::StrCat("layers.", i, ".q"), 4, 4});
  const UpdateBytes a = Update(1, 2, modules);
  node_.cut_store().CutTo(4096);  // A page: the header has more.
  EXPECT_EQ(node_.Contribute(node_.Seal("a", 1, a)).status().code(), absl::StatusCode::kUnavailable);
  node_.cut_store().CutTo(0);
  node_.store().Remove("fed", UpdateName("a", Sha256Hex(a.safetensors)));
  EXPECT_TRUE(node_.Push("a", 1, a).ok());
}

TEST_F(RemoteRootTest, AnAdapterIsFetchedOnce) {
  JoinBoth();
  ASSERT_TRUE(node_.Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());
  node_.AwaitVersion(1);
  std::vector<std::promise<absl::StatusOr<VersionFile>>> found(5);
  for (auto& each : found) node_->FindVersion("fed", 0, false, [&](auto file) { each.set_value(std::move(file)); });
  const auto here = Await<absl::StatusOr<VersionFile>>([&](auto done) { root_->FindVersion("fed", 1, false, done); });
  const auto bytes = MappedFile::Open(here->path);
  for (auto& each : found) {
    const auto file = each.get_future().get();
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->version, 1u);
    EXPECT_EQ(file->adapter.config, here->adapter.config);
    EXPECT_EQ(file->file->bytes(), bytes->bytes());
  }
  // From the cache: the root's file is gone.
  std::filesystem::resize_file(here->path, 0);
  EXPECT_TRUE(node_.FindVersion(1).ok());
}

TEST_F(RemoteRootTest, CallsEndWhileTheRootIsAwayAndSubscriptionsGoOn) {
  JoinBoth();
  std::mutex mutex;
  std::vector<Notice::Kind> heard;
  const auto snapshots = [&] {
    std::lock_guard lock(mutex);
    return std::count(heard.begin(), heard.end(), Notice::Kind::kSnapshot);
  };
  const auto subscription = Await<absl::StatusOr<Root::Subscription>>([&](auto done) {
    node_->Subscribe(
        "fed",
        [&](const Notice& notice) {
          std::lock_guard lock(mutex);
          heard.push_back(notice.kind);
        },
        done);
  });
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  EXPECT_EQ(snapshots(), 1);
  const UpdateBytes a = Update(1);
  root_.Stop();
  const absl::Status away = node_.Join("c").status();
  EXPECT_EQ(away.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(away.message().substr(0, 12), "the root at ") << away;
  EXPECT_EQ(node_.Push("a", 1, a).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(node_.FindVersion(1).status().code(), absl::StatusCode::kUnavailable);
  root_.Start();
  while (snapshots() < 2) std::this_thread::yield();
  node_.AwaitAttended();
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_->Unsubscribe(*subscription);
}

// As pulls do of a root that fell silent: they take all the threads that may wait for it.
TEST_F(RemoteRootTest, WhoIsRefusedDoesNotWaitBehindPulls) {
  std::promise<void> let_go;
  const std::shared_future<void> over = let_go.get_future().share();
  std::atomic<int> waiting{0}, told{0};
  const int pulls = 20;
  for (int i = 0; i < pulls; ++i) {
    node_->FindVersion("fed", 0, false, [&, over](const auto&) {
      ++waiting;
      over.wait();
      ++told;
    });
  }
  while (waiting < 8) std::this_thread::yield();
  root_.Stop();
  while (node_->attended().ok()) std::this_thread::yield();
  const std::string why = "node n1 does not attend the root: ";
  const UploadKey key{"fed", 1, "a", std::string(64, 'a'), 100};
  EXPECT_THAT(std::string(node_.CheckUpload(key).status().message()), HasSubstr(why));
  EXPECT_THAT(std::string(node_.FindVersion(1).status().message()), HasSubstr(why));
  const auto subscribed = Await<absl::StatusOr<Root::Subscription>>([&](auto done) {
    node_->Subscribe(
        "fed", [](const Notice&) {}, done);
  });
  EXPECT_THAT(std::string(subscribed.status().message()), HasSubstr(why));
  let_go.set_value();
  while (told < pulls) std::this_thread::yield();
}

TEST_F(RemoteRootTest, ARoundWaitsForANodeThatIsAway) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_.Stop();
  TestNode other("n2");
  other.Start(root_.address());
  other.AwaitAttended();
  while (other.Now().waiting_for.find("node n1") == std::string::npos) std::this_thread::yield();
  ASSERT_TRUE(other.Push("b", 1, Update(2)).ok());
  EXPECT_THAT(other.Now().waiting_for, HasSubstr("waiting for node n1 with 1 update"));
  root_.Stop();  // It remembers.
  root_.Start();
  node_.Start(root_.address());
  other.AwaitAttended();
  other.AwaitVersion(1);
  EXPECT_EQ(other.Now().outcomes->size(), 2u);
}

TEST_F(RemoteRootTest, ClientsOfANodeThatStaysAwayAreAskedAgain) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_.Stop();
  TestNode other("n2");
  other.Start(root_.address());
  other.AwaitAttended();
  while (other.Now().waiting_for.find("node n1") == std::string::npos) std::this_thread::yield();
  root_.clock.Advance(absl::Seconds(61));
  while (other.Now().state.clients["a"].part == round::Client::Part::kContributed) std::this_thread::yield();
  ASSERT_TRUE(other.Push("a", 1, a).ok());
  ASSERT_TRUE(other.Push("b", 1, Update(2)).ok());
  other.AwaitVersion(1);
  EXPECT_TRUE(other.Now().outcomes->at(0).accepted);
}

TEST_F(RemoteRootTest, ARestartOfTheRootGivesNodesTimeToComeBack) {
  JoinBoth();
  ASSERT_TRUE(node_.Push("a", 1, Update(1)).ok());
  node_.Stop();
  root_.Stop();
  root_.Start();
  TestNode other("n2");
  other.Start(root_.address());
  other.AwaitAttended();
  root_.clock.Advance(absl::Seconds(60));  // node_timeout
  EXPECT_EQ(other.Now().state.contributed(), 1u);
  root_.clock.Advance(kNodesReturnMax);
  while (other.Now().state.contributed() > 0) std::this_thread::yield();
}

TEST_F(RemoteRootTest, AnUpdateThatTheNodeHasLostIsAskedForAgain) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_.store().Remove("fed", UpdateName("a", Sha256Hex(a.safetensors)));
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());
  while (node_.Now().state.phase != round::Phase::kOpen) std::this_thread::yield();
  EXPECT_EQ(node_.Now().state.contributed(), 1u);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_.AwaitVersion(1);
}

// With its memory, or its disk.
TEST_F(RemoteRootTest, WhatANodeLostWhileItWasAwayIsAskedForAtOnce) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  std::mutex mutex;
  std::vector<std::string> rejected;
  const auto subscription = Await<absl::StatusOr<Root::Subscription>>([&](auto done) {
    root_->Subscribe(
        "fed",
        [&](const Notice& notice) {
          std::lock_guard lock(mutex);
          if (notice.kind == Notice::Kind::kRejected) rejected.push_back(notice.client + ": " + notice.detail);
        },
        done);
  });
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  node_.Stop();
  std::filesystem::remove_all(node_.directory / "objects");
  node_.Start(root_.address());
  node_.AwaitAttended();
  while (node_.Now().state.contributed() > 0) std::this_thread::yield();
  EXPECT_EQ(node_.Now().state.phase, round::Phase::kOpen);
  root_->Unsubscribe(*subscription);
  EXPECT_THAT(rejected, ::testing::ElementsAre("a: dropped after its receipt: node n1 has lost the update of client "
                                               "\"a\": it is not there any more"));
  EXPECT_THAT(root_.metrics(), HasSubstr("reason=\"node_lost\"} 1"));
  const UploadKey key{"fed", 1, "a", Sha256Hex(a.safetensors), a.safetensors.size()};
  EXPECT_FALSE(node_.CheckUpload(key)->receipt.has_value());
  ASSERT_TRUE(node_.Push("a", 1, Update(7)).ok()) << "other bytes are as good";
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());
  node_.AwaitVersion(1);
  EXPECT_EQ(node_.Now().outcomes->size(), 2u);
}

// The round closes as soon as the node is back, which may be before it has said what it lacks.
TEST_F(RemoteRootTest, AHeldRoundOpensAgainForAllThatItsNodeHasLost) {
  JoinBoth();
  TestNode other("n2");
  other.Start(root_.address());
  other.AwaitAttended();
  ASSERT_TRUE(node_.Push("a", 1, Update(1)).ok());
  node_.Stop();
  while (other.Now().waiting_for.find("node n1") == std::string::npos) std::this_thread::yield();
  ASSERT_TRUE(other.Push("b", 1, Update(2)).ok());
  std::filesystem::remove_all(node_.directory / "objects");
  node_.Start(root_.address());
  node_.AwaitAttended();
  while (other.Now().state.phase != round::Phase::kOpen) std::this_thread::yield();
  EXPECT_EQ(other.Now().state.clients["a"].part, round::Client::Part::kJoined);
  EXPECT_EQ(other.Now().state.clients["b"].part, round::Client::Part::kContributed);
  ASSERT_TRUE(node_.Push("a", 1, Update(1)).ok());
  node_.AwaitVersion(1);
}

TEST_F(RemoteRootTest, BytesThatChangedAtTheNodeAreNotPublished) {
  JoinBoth();
  const UpdateBytes a = Update(1), b = Update(2);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  const auto path =
      node_.directory / "objects" / "fed" / absl::StrCat(UpdateName("a", Sha256Hex(a.safetensors)), ".safetensors");
  ASSERT_TRUE(WriteFileAtomically(path, Update(9).safetensors).ok());
  ASSERT_TRUE(node_.Push("b", 1, b).ok());
  while (node_.Now().state.phase != round::Phase::kOpen) std::this_thread::yield();
  EXPECT_EQ(node_.Now().state.clients["a"].part, round::Client::Part::kJoined);
  EXPECT_EQ(node_.Now().state.clients["b"].part, round::Client::Part::kContributed);
}

// The node goes on, too.
TEST_F(RemoteRootTest, AnUpdateThatTheNodesDiskDoesNotGiveIsAskedForAgain) {
  JoinBoth();
  const UpdateBytes a = Large(1), b = Large(2);
  TestNode other("n2");
  other.Start(root_.address());
  other.AwaitAttended();
  ASSERT_TRUE(other.Push("a", 1, a).ok());
  other.cut_store().CutTo(3 << 20);
  ASSERT_TRUE(node_.Push("b", 1, b).ok());
  while (other.Now().state.phase != round::Phase::kOpen) std::this_thread::yield();
  EXPECT_EQ(other.Now().state.clients["a"].part, round::Client::Part::kJoined);
  EXPECT_EQ(other.Now().state.clients["b"].part, round::Client::Part::kContributed);
}

class ResumedFetchTest : public RemoteRootTest, public ::testing::WithParamInterface<bool> {};

// An attempt before, of a root that died, left a part; after a power cut it may be anything.
TEST_P(ResumedFetchTest, GoesOnWithWhatIsThereIfItIsRight) {
  JoinBoth();
  const UpdateBytes a = Large(1);
  ASSERT_GT(a.safetensors.size(), 2u << 20);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  std::string part = a.safetensors.substr(0, a.safetensors.size() / 2 + 1);
  if (!GetParam()) part[part.size() / 2] ^= 1;
  const auto path = root_.directory / "uploads" / absl::StrCat("fed~1~a~", Sha256Hex(a.safetensors), ".part");
  ASSERT_TRUE(WriteFileAtomically(path, part).ok());
  ASSERT_TRUE(node_.Push("b", 1, Large(2)).ok());
  node_.AwaitVersion(1);
  EXPECT_EQ(node_.Now().outcomes->size(), 2u);
}
INSTANTIATE_TEST_SUITE_P(, ResumedFetchTest, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "Right" : "Wrong"; });

}  // namespace
}  // namespace cairn
