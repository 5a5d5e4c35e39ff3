// A root and nodes without gateways in one process, over loopback, for tests.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/test_directory.h"
#include "server/gateway/gateway.h"
#include "server/node/cut_store_testing.h"
#include "server/node/node_service.h"
#include "server/node/node_table.h"
#include "server/node/peer_service.h"
#include "server/node/remote_root.h"
#include "server/root/testing.h"
#include "server/store/testing.h"

namespace cairn::testing {

inline constexpr std::uint64_t kNodeBudget = 64 << 20;

template <typename Result, typename Call>
Result Await(Call call) {
  auto promise = std::make_shared<std::promise<Result>>();
  call([promise](Result result) { promise->set_value(std::move(result)); });
  return promise->get_future().get();
}

// The coordinator with what nodes connect to.
class TestRoot {
 public:
  explicit TestRoot(FederationOptions federation) : federation_(std::move(federation)) {}
  ~TestRoot() { Stop(); }

  void Start() {
    store_ = *OpenFileStore(directory.path(), kNodeBudget);
    table_ = std::make_unique<NodeTable>(store_.get(), /*verify=*/true);
    auto opened =
        Coordinator::Open({directory.path(), true, {federation_}, table_.get()}, store_.get(), &metrics_, &clock);
    ASSERT_TRUE(opened.ok()) << opened.status();
    coordinator_ = *std::move(opened);
    const GatewayOptions options{address_, {}, kNodeBudget, kNodeBudget, true, 256, false};
    auto gateway = Gateway::Start(
        options, coordinator_.get(), store_.get(), &metrics_,
        {[this](const GatewayContext& context) {
           return MakeNodeService(context, coordinator_.get(), table_.get(), false);
         },
         [this](const GatewayContext& context) { return MakePeerService(context, store_.get(), false); }});
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_ = *std::move(gateway);
    address_ = gateway_->address();
  }
  void Stop() {
    gateway_.reset();
    coordinator_.reset();
    table_.reset();
    store_.reset();
  }
  Coordinator* operator->() { return coordinator_.get(); }
  const std::string& address() const { return address_; }
  NodeTable& table() { return *table_; }
  std::string metrics() const { return metrics_.Render(); }

  TestDirectory directory;
  FakeClock clock{absl::FromUnixSeconds(1'000'000)};

 private:
  FederationOptions federation_;
  std::string address_ = "127.0.0.1:0";
  Metrics metrics_{"test"};
  std::unique_ptr<Store> store_;
  std::unique_ptr<NodeTable> table_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Gateway> gateway_;
};

// A node without its gateway.
class TestNode {
 public:
  explicit TestNode(std::string name) : name_(std::move(name)) {}

  void Start(const std::string& root, const std::string& identity = "") {
    auto store = std::make_unique<CutStore>(*OpenFileStore(directory.path(), kNodeBudget));
    cut_store_ = store.get();
    store_ = std::move(store);
    RemoteRootOptions options{root, {}, name_, identity, directory / "cache", directory.path()};
    if (identity.empty()) options.directory = directory.path();
    options.stuck = stuck;
    auto opened = RemoteRoot::Open(std::move(options), store_.get());
    ASSERT_TRUE(opened.ok()) << opened.status();
    root_ = *std::move(opened);
    root_->Attend(offer);
  }
  void Stop() {
    root_.reset();
    store_.reset();
  }
  void AwaitAttended() {
    while (!root_->attended().ok()) std::this_thread::yield();
  }
  RemoteRoot* operator->() { return root_.get(); }
  Store& store() { return *store_; }
  CutStore& cut_store() { return *cut_store_; }

  absl::StatusOr<JoinResult> Join(const std::string& client, const std::string& federation = "fed") {
    return Await<absl::StatusOr<JoinResult>>([&](auto done) { root_->Join(federation, client, std::nullopt, done); });
  }
  absl::StatusOr<Admission> CheckUpload(const UploadKey& key) {
    return Await<absl::StatusOr<Admission>>([&](auto done) { root_->CheckUpload(key, done); });
  }
  // What a gateway does with a whole upload.
  SealedUpdate Seal(const std::string& client, std::uint64_t round, const UpdateBytes& bytes) {
    SealedUpdate update;
    update.key = {"fed", round, client, Sha256Hex(bytes.safetensors), bytes.safetensors.size()};
    update.examples = 1;
    update.adapter_config = bytes.config_json;
    update.frozen = std::string();
    auto upload = Begun(*store_, update.key, &opener_).Take();
    EXPECT_TRUE(upload.ok() && (*upload)->Append({bytes.safetensors}).ok());
    EXPECT_TRUE(store_->Seal(*std::move(upload), update.key.sha256).ok());
    return update;
  }
  absl::StatusOr<ReceiptRow> Contribute(const SealedUpdate& update) {
    return Await<absl::StatusOr<ReceiptRow>>([&](auto done) { root_->Contribute(update, done); });
  }
  // And what a client does: it comes again, as long as the root is there. A node that has just connected lets go of
  // what the root does not know of, which may be what was sealed a moment ago.
  absl::StatusOr<ReceiptRow> Push(const std::string& client, std::uint64_t round, const UpdateBytes& bytes) {
    while (true) {
      const auto receipt = Contribute(Seal(client, round, bytes));
      if (!absl::IsUnavailable(receipt.status()) || !root_->attended().ok()) return receipt;
    }
  }
  bool Has(const std::string& client, const UpdateBytes& bytes) {
    return store_->Find("fed", UpdateName(client, Sha256Hex(bytes.safetensors))).ok();
  }
  absl::StatusOr<VersionFile> FindVersion(std::uint64_t version) {
    return Await<absl::StatusOr<VersionFile>>([&](auto done) { root_->FindVersion("fed", version, false, done); });
  }
  Snapshot Now() {
    using All = absl::StatusOr<std::vector<std::shared_ptr<const Snapshot>>>;
    while (true) {
      const All all = Await<All>([&](auto done) { root_->Snapshots("fed", done); });
      if (all.ok()) return *all->front();
      EXPECT_EQ(all.status().code(), absl::StatusCode::kUnavailable) << all.status();
    }
  }
  void AwaitVersion(std::uint64_t version) {
    while (Now().state.version < version) std::this_thread::yield();
  }

  TestDirectory directory;
  // From the next start on.
  ClientsOffer offer;
  absl::Duration stuck = absl::InfiniteDuration();

 private:
  const std::string name_;
  std::unique_ptr<Store> store_;
  CutStore* cut_store_ = nullptr;  // The same.
  WorkerPool opener_{1};
  std::unique_ptr<RemoteRoot> root_;
};

// Of two clients, who are asked again when their node was away for a minute.
inline FederationOptions TwoClients(const std::string& combine) {
  FederationOptions options = FederationFor("fed", combine, 2, 2);
  options.policy.on_node_loss = round::NodeLoss::kAskAgain;
  options.policy.node_timeout = absl::Seconds(60);
  return options;
}

// A root, and a node that attends it.
class AttendedNodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_.Start();
    node_.Start(root_.address());
    node_.AwaitAttended();
  }
  void JoinBoth() {
    for (const char* client : {"a", "b"}) {
      const auto joined = node_.Join(client);
      ASSERT_TRUE(joined.ok()) << joined.status();
    }
  }

  TestRoot root_{TwoClients("stack")};
  TestNode node_{"n1"};
};

// Some 4 MiB: several chunks.
inline UpdateBytes Large(std::uint64_t seed) { return Update(seed, 64, {{"layers.0.q", 8192, 8192}}); }

}  // namespace cairn::testing
