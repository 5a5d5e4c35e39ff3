// A coordinator with real files below it and a clock that stands still, for tests.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/test_directory.h"
#include "server/metrics/metrics.h"
#include "server/root/coordinator.h"
#include "server/root/update.h"
#include "server/store/shared/shared_store.h"
#include "server/store/store.h"

namespace cairn::testing {

inline const std::vector<ModuleSpec> kModules = {{"layers.0.q", 16, 15}, {"layers.1.q", 14, 17}};

inline FederationOptions FederationFor(const std::string& name, const std::string& combine, std::uint32_t min,
                                       std::uint32_t target) {
  FederationOptions options;
  options.name = name;
  options.method.combine = combine;
  options.policy.clients_min = min;
  options.policy.clients_target = target;
  return options;
}

class TestCoordinator {
 public:
  explicit TestCoordinator(std::vector<FederationOptions> federations, bool durable = true)
      : federations_(std::move(federations)), durable_(durable) {}
  ~TestCoordinator() { Stop(); }

  // What a new process does, and what happens when it ends.
  absl::Status Start() {
    if (absl::Status opened = OpenStore(); !opened.ok()) return opened;
    auto opened = Coordinator::Open({directory.path(), durable_, federations_}, store_.get(), &metrics, &clock);
    if (!opened.ok()) return opened.status();
    coordinator_ = *std::move(opened);
    return absl::OkStatus();
  }
  void Stop() {
    coordinator_.reset();
    store_.reset();
    shared_.reset();
  }
  Coordinator* operator->() { return coordinator_.get(); }
  Store& store() { return *store_; }
  std::vector<FederationOptions>& federations() { return federations_; }

  // Calls of the coordinator, waited for.
  absl::StatusOr<JoinResult> Join(const std::string& client, const std::string& federation = "fed",
                                  std::optional<AdapterSpec> spec = std::nullopt) {
    return Await<absl::StatusOr<JoinResult>>(
        [&](auto done) { coordinator_->Join(federation, client, std::move(spec), done); });
  }
  absl::Status Leave(const std::string& client, const std::string& federation = "fed") {
    return Await<absl::Status>([&](auto done) { coordinator_->Leave(federation, client, done); });
  }
  absl::StatusOr<Admission> CheckUpload(const UploadKey& key) {
    return Await<absl::StatusOr<Admission>>([&](auto done) { coordinator_->CheckUpload(key, done); });
  }
  absl::StatusOr<ReceiptRow> Contribute(const SealedUpdate& update) {
    return Await<absl::StatusOr<ReceiptRow>>([&](auto done) { coordinator_->Contribute(update, done); });
  }
  absl::StatusOr<VersionFile> FindVersion(std::uint64_t version, bool delta, const std::string& federation = "fed") {
    return Await<absl::StatusOr<VersionFile>>(
        [&](auto done) { coordinator_->FindVersion(federation, version, delta, done); });
  }
  absl::StatusOr<Coordinator::Subscription> Subscribe(Listener listener, const std::string& federation = "fed") {
    return Await<absl::StatusOr<Coordinator::Subscription>>(
        [&](auto done) { coordinator_->Subscribe(federation, std::move(listener), done); });
  }
  Snapshot Now(const std::string& federation = "fed") {
    using All = absl::StatusOr<std::vector<std::shared_ptr<const Snapshot>>>;
    All all = Await<All>([&](auto done) { coordinator_->Snapshots(federation, done); });
    EXPECT_TRUE(all.ok()) << all.status();
    return all.ok() ? *all->front() : Snapshot{};
  }

  // Puts the bytes where the gateway puts them, and says what the gateway says.
  SealedUpdate Seal(const std::string& client, std::uint64_t round, const UpdateBytes& bytes,
                    std::uint64_t examples = 1, const std::string& federation = "fed") {
    UploadKey key{federation, round, client, Sha256Hex(bytes.safetensors), bytes.safetensors.size()};
    auto upload = Begin(key);
    EXPECT_TRUE(upload.ok()) << upload.status();
    EXPECT_TRUE((*upload)->Append({bytes.safetensors}).ok());
    EXPECT_TRUE(store_->Seal(*std::move(upload), key.sha256).ok());
    auto header = ReadSafetensorsHeader(bytes.safetensors, bytes.safetensors.size());
    const auto combine = MakeAggregator(CombineOf(federation));
    const PeftConfig config = *ParseUpdateConfig(bytes.config_json, **combine);
    auto shape = DescribeAdapter(*header, config);
    EXPECT_TRUE(shape.ok()) << shape.status();
    const std::string frozen = (*combine)->FrozenParts(*ParseAdapter(bytes.safetensors, config));
    return {key, examples, bytes.config_json, std::make_shared<const Adapter>(*std::move(shape)), frozen};
  }
  // The whole of an honest client's part in a round.
  absl::StatusOr<ReceiptRow> Push(const std::string& client, std::uint64_t round, const UpdateBytes& bytes,
                                  const std::string& federation = "fed") {
    return Contribute(Seal(client, round, bytes, 1, federation));
  }

  // A node attends.
  void NodeCame(const std::string& node) {
    using Names = absl::StatusOr<std::vector<std::string>>;
    const Names came = Await<Names>([&](auto done) { coordinator_->NodeArrived(node, "directory", {}, done); });
    EXPECT_TRUE(came.ok()) << came.status();
  }
  // What it says of an update that it has sealed: the root has no bytes of it.
  SealedUpdate SealAt(const std::string& node, const std::string& client, std::uint64_t round,
                      const UpdateBytes& bytes) {
    SealedUpdate update = Seal(client, round, bytes);
    store_->Remove(update.key.federation, UpdateName(client, update.key.sha256));
    update.node = node;
    update.directory = "directory";
    update.header = bytes.safetensors.substr(0, *SafetensorsHeaderBytes(bytes.safetensors, bytes.safetensors.size()));
    return update;
  }

  // What `queue` asks for comes in one transaction: the coordinator's thread is held until it has returned.
  void AtOnce(const std::function<void()>& queue) {
    std::promise<void> held, queued;
    coordinator_->Snapshots("", [&held, wait = queued.get_future().share()](const auto&) {
      held.set_value();
      wait.wait();
    });
    held.get_future().wait();
    queue();
    queued.set_value();
  }

  // Waits until there is room.
  absl::StatusOr<std::unique_ptr<Upload>> Begin(const UploadKey& key) {
    return Await<absl::StatusOr<std::unique_ptr<Upload>>>([&](auto done) { store_->Begin(key, &workers_, done); });
  }

  // Returns once the federation has published `version`; nothing but the test's time-out bounds the wait.
  void AwaitVersion(std::uint64_t version, const std::string& federation = "fed") {
    while (Now(federation).state.version < version) std::this_thread::yield();
  }

  TestDirectory directory;
  FakeClock clock{absl::FromUnixSeconds(1'000'000)};
  Metrics metrics{"test"};

 private:
  static constexpr std::uint64_t kBudget = 64 << 20;

  template <typename Result, typename Call>
  Result Await(Call call) {
    auto promise = std::make_shared<std::promise<Result>>();
    call([promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future().get();
  }

  absl::Status OpenStore() {
    if (durable_) {
      auto store = OpenFileStore(directory.path(), kBudget);
      if (!store.ok()) return store.status();
      store_ = *std::move(store);
      return absl::OkStatus();
    }
    auto shared = SharedStore::Open({.budget = kBudget, .spill_directory = directory / "spill"});
    if (!shared.ok()) return shared.status();
    shared_ = *std::move(shared);
    store_ = OpenMemoryStore(shared_.get());
    return absl::OkStatus();
  }

  std::string CombineOf(const std::string& federation) const {
    for (const FederationOptions& options : federations_) {
      if (options.name == federation) return options.method.combine;
    }
    return "stack";
  }

  std::vector<FederationOptions> federations_;
  bool durable_;
  WorkerPool workers_{1};
  std::unique_ptr<SharedStore> shared_;  // Null when durable.
  std::unique_ptr<Store> store_;
  std::unique_ptr<Coordinator> coordinator_;
};

inline UpdateBytes Update(std::uint64_t seed, std::int64_t rank = 2,
                          const std::vector<ModuleSpec>& modules = kModules) {
  return MakeUpdateBytes(seed, modules, rank, 2, DType::kF32);
}

}  // namespace cairn::testing
