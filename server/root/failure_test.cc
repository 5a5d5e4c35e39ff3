// What fails for good, and what goes on all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>

#include "adapter/directory.h"
#include "base/lost_pages.h"
#include "server/root/publisher.h"
#include "server/root/shards.h"
#include "server/root/sqlite.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

using testing::FederationFor;
using ::testing::HasSubstr;
using testing::TestCoordinator;
using testing::Update;
using testing::UpdateBytes;
namespace fs = std::filesystem;

class FailureTest : public ::testing::Test {
 protected:
  void Start(std::vector<FederationOptions> federations) {
    server_ = std::make_unique<TestCoordinator>(std::move(federations));
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void StartWithThreeClients(std::uint32_t min) {
    Start({FederationFor("fed", "stack", min, 3)});
    for (const char* client : {"a", "b", "c"}) ASSERT_TRUE(server_->Join(client).ok());
  }
  fs::path ObjectOf(const SealedUpdate& update) const {
    return server_->directory / "objects" / update.key.federation /
           (UpdateName(update.key.client, update.key.sha256) + ".safetensors");
  }
  // An update that was right when it was acknowledged, and is not any more.
  void ContributeAndSpoil(const std::string& client) {
    const SealedUpdate update = server_->Seal(client, 1, Update(2));
    ASSERT_TRUE(server_->Contribute(update).ok());
    std::fstream file(ObjectOf(update), std::ios::in | std::ios::out | std::ios::binary);
    file.write("xxxxxxxxxxxxxxxx", 16);
    ASSERT_TRUE(file.good());
  }
  void AwaitPhase(round::Phase phase) {
    while (server_->Now().state.phase != phase) std::this_thread::yield();
  }
  std::unique_ptr<TestCoordinator> server_;
};

TEST_F(FailureTest, ARoundGoesOnWithoutTheClientThatIsToBlame) {
  StartWithThreeClients(2);
  std::mutex mutex;
  std::vector<std::string> rejected;
  ASSERT_TRUE(server_
                  ->Subscribe([&](const Notice& notice) {
                    std::lock_guard lock(mutex);
                    if (notice.kind == Notice::Kind::kRejected) rejected.push_back(notice.client);
                  })
                  .ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ContributeAndSpoil("b");
  ASSERT_TRUE(server_->Push("c", 1, Update(3, 3)).ok());
  server_->AwaitVersion(1);
  const auto whole = server_->FindVersion(1, false);
  EXPECT_EQ(OpenAdapter(whole->path, whole->adapter.config)->adapter.modules[0].rank, 5);
  std::lock_guard lock(mutex);
  EXPECT_EQ(rejected, std::vector<std::string>{"b"});
}

TEST_F(FailureTest, ARoundReopensWhenTooFewAreLeft) {
  StartWithThreeClients(3);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ContributeAndSpoil("b");
  ASSERT_TRUE(server_->Push("c", 1, Update(3)).ok());
  AwaitPhase(round::Phase::kOpen);
  for (int restarts = 0; restarts < 2; ++restarts) {
    const Snapshot now = server_->Now();
    EXPECT_EQ(now.state.phase, round::Phase::kOpen);
    EXPECT_EQ(now.state.round, 1u);
    EXPECT_EQ(now.state.contributed(), 2u);
    server_->Stop();
    ASSERT_TRUE(server_->Start().ok());
  }
  ASSERT_TRUE(server_->Push("b", 1, Update(4)).ok());
  server_->AwaitVersion(1);
}

// What a server of another release took and this one would not.
TEST_F(FailureTest, AReceiptThatDoesNotCombineIsDroppedWhenItIsLoaded) {
  StartWithThreeClients(2);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ContributeAndSpoil("b");
  server_->Stop();
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
  for (const char* client : {"b", "c"}) ASSERT_TRUE(server_->Push(client, 1, Update(client[0])).ok());
  server_->AwaitVersion(1);
}

// The transaction that drops the receipt of b fails: its update is still there for the next attempt.
TEST_F(FailureTest, WhatIsDroppedWhenItIsLoadedStaysUntilThatIsOnRecord) {
  StartWithThreeClients(2);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ContributeAndSpoil("b");
  server_->Stop();
  const auto handle = sqlite::Open(server_->directory / "cairn.sqlite");
  ASSERT_TRUE(handle.ok());
  ASSERT_TRUE(sqlite::Execute(*handle,
                              "CREATE TRIGGER no BEFORE INSERT ON federations WHEN new.name = 'other' "
                              "BEGIN SELECT RAISE(ABORT, 'not now'); END")
                  .ok());
  server_->federations().push_back(FederationFor("other", "stack", 1, 1));
  EXPECT_FALSE(server_->Start().ok());
  server_->Stop();
  ASSERT_TRUE(sqlite::Execute(*handle, "DROP TRIGGER no").ok());
  sqlite::Close(*handle);
  ASSERT_TRUE(server_->Start().ok());
  const auto pushed = server_->Push("b", 1, Update(4));
  ASSERT_TRUE(pushed.ok()) << pushed.status();
  EXPECT_EQ(server_->Now().state.contributed(), 2u);
}

TEST_F(FailureTest, AFederationThatCannotBeLoadedDoesNotStopTheOthers) {
  Start({FederationFor("fed", "stack", 1, 2), FederationFor("other", "stack", 1, 1)});
  ASSERT_TRUE(server_->Join("a").ok());
  const SealedUpdate update = server_->Seal("a", 1, Update(1));
  ASSERT_TRUE(server_->Contribute(update).ok());
  server_->Stop();
  const fs::path object = ObjectOf(update);
  fs::rename(object, object.string() + ".away");
  const absl::Status started = server_->Start();
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_TRUE(server_->Join("b", "other").ok());
  const absl::Status refused = server_->Join("b").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  for (const std::string& text : {std::string(refused.message()), server_->Now().waiting_for}) {
    EXPECT_THAT(text, HasSubstr("federation \"fed\" cannot be loaded"));
    EXPECT_THAT(text, HasSubstr("acknowledged update of client a"));
  }
  EXPECT_EQ(server_->Subscribe([](const Notice&) {}).status().code(), absl::StatusCode::kUnavailable);
  // Mended while the server runs.
  fs::rename(object.string() + ".away", object);
  server_->clock.Advance(absl::Seconds(5));
  ASSERT_TRUE(server_->Join("b").ok());
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
}

// Of three clients, a's update is at node n1 and b's is here, until it cannot be opened.
class HalfwayTest : public FailureTest {
 protected:
  void SetUp() override {
    options_.policy.on_node_loss = round::NodeLoss::kAskAgain;
    Start({options_, FederationFor("other", "stack", 1, 1)});
    for (const char* client : {"a", "b", "c"}) ASSERT_TRUE(server_->Join(client).ok());
    server_->NodeCame("n1");
    at_node_ = server_->SealAt("n1", "a", 1, Update(1));
    const SealedUpdate here = server_->Seal("b", 1, Update(2));
    ASSERT_TRUE(server_->Contribute(at_node_).ok() && server_->Contribute(here).ok());
    object_ = ObjectOf(here);
    fs::rename(object_, object_.string() + ".away");
  }
  // Nothing of the transaction is left, and others go on.
  void ExpectAsBefore() {
    EXPECT_THAT(server_->Now().waiting_for, HasSubstr("federation \"fed\" cannot be loaded"));
    EXPECT_TRUE(server_->Join("a", "other").ok());
    fs::rename(object_.string() + ".away", object_);
    server_->clock.Advance(absl::Seconds(5));
    ASSERT_TRUE(server_->Join("e").ok());
    EXPECT_EQ(server_->Now().state.contributed(), 2u);
    EXPECT_EQ(server_->Now().state.clients.count("d"), 0u);
  }
  FederationOptions options_ = FederationFor("fed", "stack", 3, 3);
  SealedUpdate at_node_;
  fs::path object_;
};

TEST_F(HalfwayTest, ANodeThatCannotBeGivenUpIsNot) {
  (*server_)->NodeLeft("n1");
  EXPECT_EQ(server_->Now().state.away.count("n1"), 1u);
  server_->clock.Advance(options_.policy.node_timeout);
  EXPECT_EQ(server_->Join("d").status().code(), absl::StatusCode::kUnavailable);
  ExpectAsBefore();
  server_->clock.Advance(options_.policy.node_timeout);
  ASSERT_TRUE(server_->Join("d").ok());
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
}

TEST_F(HalfwayTest, ALossThatCannotBeRecordedIsReportedAgain) {
  const std::set<std::string> names = {UpdateName("a", at_node_.key.sha256)};
  const auto report = [&] {
    std::promise<absl::Status> told;
    (*server_)->UpdatesLost("n1", "fed", 1, names, [&](const absl::Status& status) { told.set_value(status); });
    return told.get_future().get();
  };
  EXPECT_EQ(report().code(), absl::StatusCode::kUnavailable);
  ExpectAsBefore();
  EXPECT_TRUE(report().ok());
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
}

// As above, with one federation.
TEST_F(HalfwayTest, TheOnlyOneIsNotLoadedAgainAtOnce) {
  server_->Stop();
  fs::rename(object_.string() + ".away", object_);
  server_->federations().pop_back();
  ASSERT_TRUE(server_->Start().ok());
  fs::rename(object_, object_.string() + ".away");
  const std::set<std::string> names = {UpdateName("a", at_node_.key.sha256)};
  std::promise<absl::Status> told;
  (*server_)->UpdatesLost("n1", "fed", 1, names, [&](const absl::Status& status) { told.set_value(status); });
  EXPECT_EQ(told.get_future().get().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("federation \"fed\" cannot be loaded"));
  fs::rename(object_.string() + ".away", object_);
  EXPECT_EQ(server_->Join("d").status().code(), absl::StatusCode::kUnavailable) << "was loaded again before its time";
  server_->clock.Advance(absl::Seconds(5));
  EXPECT_TRUE(server_->Join("d").ok());
  EXPECT_EQ(server_->Now().state.contributed(), 2u);
}

// A data directory as the first release left it, in the middle of round 1: client a has its receipt.
TEST_F(FailureTest, AnOpenRoundOfVersion1IsPublished) {
  server_ = std::make_unique<TestCoordinator>(std::vector<FederationOptions>{FederationFor("fed", "mean", 2, 2)});
  fs::copy(CAIRN_SOURCE_DIR "/server/root/testdata/version1_open", server_->directory.path(),
           fs::copy_options::recursive);
  const absl::Status started = server_->Start();
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
  const auto pushed = server_->Push("b", 1, testing::MakeUpdateBytes(1, {{"layers.0.q", 6, 5}}, 2, 4, DType::kF32));
  ASSERT_TRUE(pushed.ok()) << pushed.status();
  server_->AwaitVersion(1);
  const auto whole = server_->FindVersion(1, false);
  EXPECT_EQ(OpenAdapter(whole->path, whole->adapter.config)->adapter.modules[0].name, "layers.0.q");
}

// Reads an update, and finds that the disk does not give it this once; that is not the fault of who sent it.
class LosesAPage final : public Sharder {
 public:
  absl::StatusOr<std::vector<ShardPart>> Combine(const PublishJob& job, std::shared_ptr<const Shard>) override {
    if (std::exchange(lost_, true)) return absl::UnimplementedError("not again");
    const Blob& blob = *job.contributions.front().payload;
    const std::string bytes(blob.bytes());
    fs::resize_file(*blob.path(), 0);
    EXPECT_EQ(blob.bytes().front(), 0);
    std::ofstream(*blob.path(), std::ios::binary) << bytes;
    return LostPagesGuard::Error();
  }
  bool reaches_nodes() const override { return true; }

 private:
  bool lost_ = false;
};

// All of whose updates are in the root's store by now.
class HasFetched final : public Nodes {
 public:
  absl::Status Fetch(const std::string&, const UploadKey&) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string&, const PublishJob&) override {
    return absl::UnimplementedError("");
  }
  void Remind(const std::string&) override {}
  void Stop() override {}
};

TEST(PublisherTest, APageThatWasLostOnceBlamesNobody) {
  TestCoordinator server({FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(server.Start().ok());
  LosesAPage sharder;
  HasFetched nodes;
  PublishJob job{"fed", Method{.combine = "stack"}, 1, "", {}, {}, server.directory.path()};
  job.sharder = &sharder;
  for (const char* client : {"a", "b"}) {
    const UpdateBytes bytes = Update(client[0]);
    const SealedUpdate update = server.Seal(client, 1, bytes);
    const bool here = client[0] == 'a';
    ReceiptRow receipt{"fed", 1, client, update.key.sha256, update.key.bytes, 1, bytes.config_json, 0, here ? "" : "n"};
    auto header = std::make_shared<const std::string>(
        bytes.safetensors.substr(0, *SafetensorsHeaderBytes(bytes.safetensors, bytes.safetensors.size())));
    job.contributions.push_back({receipt, nullptr, header});
    if (here) job.contributions.back().payload = *server.store().Find("fed", UpdateName(client, update.key.sha256));
  }
  std::promise<absl::Status> ended;
  Metrics metrics("test");
  Publisher publisher(&server.store(), &nodes, &metrics,
                      [&](const PublishJob&, const absl::StatusOr<Publication>& publication) {
                        ended.set_value(publication.status());
                      });
  publisher.Start(job);
  job = {};
  const absl::Status status = ended.get_future().get();
  EXPECT_TRUE(status.ok()) << status;
}

// With which somebody may wait for memory.
class StoppedNodes final : public Nodes {
 public:
  absl::Status Fetch(const std::string&, const UploadKey&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string&, const PublishJob&) override {
    return absl::UnimplementedError("");
  }
  void Remind(const std::string&) override {}
  void Stop() override { stopped = true; }

  bool stopped = false;
};

TEST(PublisherTest, AServerThatStopsLetsNobodyWaitForMemory) {
  const TestDirectory directory;
  const auto store = *OpenFileStore(directory.path(), 64 << 20);
  StoppedNodes nodes;
  Metrics metrics("test");
  FakeClock clock(absl::FromUnixSeconds(1'000'000));
  auto opened = Coordinator::Open({directory.path(), true, {FederationFor("fed", "stack", 1, 1)}, &nodes}, store.get(),
                                  &metrics, &clock);
  ASSERT_TRUE(opened.ok()) << opened.status();
  opened->reset();
  EXPECT_TRUE(nodes.stopped);
}

class ThrowingBlob final : public Blob {
 public:
  absl::string_view bytes() const override { throw std::runtime_error("a library gave up"); }
};

TEST(PublisherTest, AnExceptionEndsTheJobAndNotTheServer) {
  const TestDirectory directory;
  Metrics metrics("test");
  std::promise<absl::Status> ended;
  Publisher publisher(nullptr, nullptr, &metrics,
                      [&](const PublishJob&, const absl::StatusOr<Publication>& publication) {
                        ended.set_value(publication.status());
                      });
  PublishJob job{"fed", Method{}, 1, "", {}, {}, directory.path()};
  job.contributions.push_back({{"fed", 1, "a", "", 0, 1, Update(1).config_json, 0}, std::make_shared<ThrowingBlob>()});
  publisher.Start(job);
  const absl::Status status = ended.get_future().get();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("a library gave up"));
}

}  // namespace
}  // namespace cairn
