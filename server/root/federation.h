// One federation: its round state, what its database rows say, and which update fits. Runs on the coordinator's thread,
// inside its transaction; what must wait until the transaction is durable goes through FederationHost::AfterCommit.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "base/clock.h"
#include "server/metrics/metrics.h"
#include "server/root/client_places.h"
#include "server/root/database.h"
#include "server/root/method.h"
#include "server/root/nodes.h"
#include "server/root/notice.h"
#include "server/root/publish.h"
#include "server/root/update.h"
#include "server/round/round.h"
#include "server/store/store.h"

namespace cairn {

struct FederationOptions {
  std::string name;
  Method method;
  round::Policy policy;
  std::string base_model;           // Empty: the first client's.
  std::optional<AdapterSpec> spec;  // Not set: the first client's.
};

// What a federation needs of its surroundings.
struct FederationHost {
  Database* database = nullptr;
  Store* store = nullptr;
  Metrics* metrics = nullptr;
  const Clock* clock = nullptr;
  Summer* summer = nullptr;    // May be null.
  Sharder* sharder = nullptr;  // May be null.
  std::filesystem::path data_dir;
  bool durable = true;
  std::function<void(std::function<void()>)> AfterCommit;
  std::function<void(const Notice&)> Announce;      // Call it after the commit.
  std::function<void(PublishJob)> StartPublishing;  // Call it after the commit.
  Nodes* nodes = nullptr;                           // Null: there are none.
  std::set<std::string> present;                    // Nodes that can be reached.
  ClientPlaces* places = nullptr;                   // Where there are nodes.
  // A node that was not seen since the start is away from then on, no earlier: kNodesReturnMax after the start.
  absl::Time away_from = absl::InfinitePast();
  std::uint64_t transaction = 0;                    // Another number after each commit.
};

// An update whose bytes are sealed in the store.
struct SealedUpdate {
  UploadKey key;  // With the verified digest.
  std::uint64_t examples = 0;
  std::string adapter_config;
  std::shared_ptr<const Adapter> shape;  // Values need not be there. Null: `header` says what it is.
  absl::StatusOr<std::string> frozen;    // Aggregator::FrozenParts of the values, or why they could not be read.
  std::string node;                      // Whose store. Empty: the root's own.
  std::string directory;                 // Of the node: v1::AttendRequest::directory.
  std::string header;  // Of the safetensors file, its 8 bytes of length included. Needed when it is at a node.
};

// What a node is to keep of one federation.
struct Kept {
  std::uint64_t round = 0;         // Parts of uploads to others are of no use.
  std::vector<std::string> names;  // UpdateName
};

class Federation {
 public:
  // From the database, or new. FAILED_PRECONDITION: the database knows it with another combine rule.
  static absl::StatusOr<std::unique_ptr<Federation>> Load(FederationOptions options, const FederationHost& host);

  const std::string& name() const { return options_.name; }
  const std::string& combine() const { return options_.method.combine; }
  std::shared_ptr<const AdapterSpec> spec() const { return spec_; }
  bool sums_up() const { return sums_up_; }
  std::uint64_t version() const { return state_.version; }  // The latest published one; 0: none.
  std::shared_ptr<const Snapshot> snapshot() const;

  absl::Status Join(const std::string& client, std::optional<AdapterSpec> spec);
  absl::Status Leave(const std::string& client);
  absl::Status CheckJoined(const std::string& client) const;  // NOT_FOUND.
  // Whether the upload may start. Returns the receipt when exactly these bytes are already there.
  absl::StatusOr<std::optional<ReceiptRow>> CheckUpload(const UploadKey& key);
  // Of a stream that outlived its round: ignored, as is its end.
  void Progress(const UploadKey& key, std::uint64_t received);
  // A stream ended without a receipt; `refusal` is OK when it merely broke off.
  void UploadEnded(const UploadKey& key, const absl::Status& refusal);
  absl::StatusOr<ReceiptRow> Contribute(const SealedUpdate& update);
  // `updates`: PublishJob's. What was made of others than those of now is not used.
  absl::Status PublishingEnded(std::uint64_t round, const std::string& updates,
                               absl::StatusOr<Publication> publication);
  absl::Status NodeArrived(const std::string& node);
  absl::Status NodeLeft(const std::string& node);
  void AwaitNodes();  // Those that are away are so from FederationHost::away_from on, no earlier.
  absl::StatusOr<Kept> KeptBy(const std::string& node) const;
  // Of a round, by UpdateName: the node has them no more. Their receipts go; while an attempt to aggregate is under
  // way, once it has failed.
  absl::Status UpdatesLost(const std::string& node, std::uint64_t round, const std::set<std::string>& names);
  absl::Status Tick();
  absl::Time next_alarm() const { return round::NextAlarm(state_); }

 private:
  bool InOpenRound(const UploadKey& key) const;
  bool InRound() const;  // Which may have updates that will be needed.
  Federation(FederationOptions options, const FederationHost& host);

  absl::Status ReadMethod();
  absl::Status Restore(const FederationRow& row);
  absl::Status RestoreReceipts();
  absl::StatusOr<std::vector<ReceiptRow>> DropForgotten(std::vector<ReceiptRow> receipts);
  absl::Status CheckConfiguredSpec();
  void Hand(const ReceiptRow& receipt);
  absl::StatusOr<ReceiptRow> Acknowledge(const SealedUpdate& update);
  absl::Status CheckThere(const SealedUpdate& update) const;
  absl::Status Record(const SealedUpdate& update, const ReceiptRow& receipt);
  absl::Status RestoreRehearsal(const ReceiptRow& receipt);
  absl::Status RehearseAgain();
  // What is at a node, of which the root has a copy by now that lasts, is the root's from now on.
  absl::StatusOr<std::vector<std::string>> TakeOver(std::vector<ReceiptRow>& receipts);
  absl::Status TakeOverFetched();
  absl::Status GiveUp(const round::NodeGivenUp& lost);
  absl::StatusOr<bool> ForgetReported();  // Whether there were any.
  absl::Status AddLost(std::vector<OutcomeRow>& outcomes) const;
  void RemoveUnneeded(const std::string& client, const std::string& sha256);
  void RetainNeeded();
  absl::Status StartRehearsal();
  absl::StatusOr<std::vector<ReceiptRow>> Rehearse(std::vector<ReceiptRow> receipts);
  // Whether a client's `spec` becomes the federation's.
  absl::StatusOr<bool> Adopts(const AdapterSpec& spec) const;
  static bool Covers(const AdapterSpec& spec, const AdapterSpec& other);
  absl::Status AdoptSpec(AdapterSpec spec);
  // Whether `spec` has nothing that the federation's has not.
  absl::Status CheckWithinSpec(const std::string& client, const AdapterSpec& spec) const;
  absl::Status CheckBaseModel(const std::string& base_model) const;

  absl::Status Whole(absl::Status carried_out);
  absl::Status Apply(const round::Event& event);
  absl::Status TryApply(const round::Event& event);
  absl::Status CarryOut(const round::Effect& effect);
  absl::Status Aggregate();
  absl::Status TryAggregate();
  absl::Status DescribeAtNodes(PublishJob& job) const;
  absl::Status AggregationFailed(const absl::Status& why);
  absl::Status Drop(const ReceiptRow& receipt, const absl::Status& why, absl::string_view reason = "dropped");
  void PointLatest(std::uint64_t version);
  void ShowClients(bool published_now);
  absl::Status Save();
  void Tell(Notice::Kind kind, std::string client = "", std::string detail = "");
  void ObserveState(round::Phase before);

  FederationOptions options_;
  const FederationHost& host_;
  RoundStart start_ = RoundStart::kMerge;
  bool plain_tensors_ = false;                    // TakesPlainTensors.
  bool sums_up_ = false;                          // SumsUp, and there is somebody to do it.
  std::string publish_;                           // The form, as text.
  std::optional<double> relative_error_;          // Of the latest version.
  std::string version_sha256_, previous_sha256_;  // Snapshot's.
  std::shared_ptr<const std::vector<OutcomeRow>> outcomes_;
  std::shared_ptr<const AdapterSpec> spec_;  // Null until known.
  round::State state_;
  absl::Time phase_since_;
  std::shared_ptr<const Snapshot> told_;  // With the notices of that transaction.
  std::uint64_t told_in_ = 0;
  Rehearsal rehearsal_;                                         // Of the open round.
  std::map<std::string, std::set<std::string>> reported_lost_;  // By node: UpdatesLost that waits for an attempt.
};

}  // namespace cairn
