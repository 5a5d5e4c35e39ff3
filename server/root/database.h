// The durable facts of a server, in SQLite (WAL mode): federations, clients, receipts, versions, outcomes.
// docs/formats/database.md. One file sees SQLite: sqlite.cc. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "base/shared_text.h"

struct sqlite3;

namespace cairn {

// Times are milliseconds since the Unix epoch; infinite times are the extremes of int64.
struct FederationRow {
  std::string name;
  std::string combine;  // As in the configuration.
  std::string phase;    // round::NameOf
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  std::int64_t opened_ms = 0;
  std::int64_t deadline_ms = 0;
};

struct ClientRow {
  std::string client;
  bool active = true;
};

// An acknowledged update.
struct ReceiptRow {
  std::string federation;
  std::uint64_t round = 0;
  std::string client;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t examples = 0;
  SharedText adapter_config;  // JSON. Most clients have the same.
  std::int64_t received_ms = 0;
  std::string node;  // Where the bytes are, while its round is open or aggregating. Empty: in the root's own store.
};

// What the root needs to know of an acknowledged update whose bytes are at a node. Without a receipt: the update was
// lost with the node.
struct NodeUpdateRow {
  std::string federation;
  std::uint64_t round = 0;
  std::string client;
  std::string node;
  std::string header;  // Of the safetensors file, its 8 bytes of length included.
  std::string frozen;  // Aggregator::FrozenParts
};

struct AdapterFile {
  std::string sha256;
  std::uint64_t bytes = 0;
  std::string config;  // adapter_config.json
};

struct VersionRow {
  std::string federation;
  std::uint64_t version = 0;
  AdapterFile whole;                 // Relative to the base model.
  std::optional<AdapterFile> delta;  // Relative to the version before; rules that merge into the base model.
  std::int64_t published_ms = 0;
  // How far it is from the exact weighted sum of its round's updates, in Frobenius norm; unset where it is not known.
  std::optional<double> relative_error;
};

// What became of one contribution to a published round: how much it counted, and why not.
struct OutcomeRow {
  std::string client;
  double weight = 0;
  std::optional<double> distance;  // From the result, in Frobenius norm. Unset: the rule did not look at the updates.
  std::optional<double> cosine;    // Of the angle to the result.
  bool accepted = true;            // False: voted down.
  std::string reason;              // For people.
};

class Database {
 public:
  enum class Sync { kFull, kOff };  // kOff: a crash of the machine may lose commits; for memory-only servers.

  // A database of an earlier schema is brought up to date, in one transaction. FAILED_PRECONDITION: one of a later.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::filesystem::path& path, Sync sync);
  ~Database();

  // Random, made with the database: a root whose database was lost is another one to its nodes.
  absl::StatusOr<std::string> Identity();

  // Writes belong to a transaction. UNAVAILABLE when the disk refuses: then Rollback. Commit refuses a transaction of
  // which a write failed.
  absl::Status Begin();
  absl::Status Commit();
  void Rollback();
  // What is written so far is half of something: Commit refuses the transaction, unless this was said in a part that is
  // taken back.
  void Refuse(const absl::Status& why) { refused_.Update(why); }
  // A part of a transaction that can be taken back by itself. Not nested.
  absl::Status BeginPart();
  absl::Status EndPart();
  void TakeBackPart();

  absl::Status Save(const FederationRow& row);
  absl::StatusOr<std::optional<FederationRow>> LoadFederation(const std::string& name);

  // Takes the place of what was there.
  absl::Status SaveSpec(const std::string& federation, const AdapterSpec& spec);
  absl::StatusOr<std::optional<AdapterSpec>> LoadSpec(const std::string& federation);

  absl::Status SaveClient(const std::string& federation, const ClientRow& row);
  absl::StatusOr<std::vector<ClientRow>> LoadClients(const std::string& federation);

  absl::Status Insert(const ReceiptRow& row);  // ALREADY_EXISTS: the client has a receipt for this round.
  absl::StatusOr<std::optional<ReceiptRow>> LoadReceipt(const std::string& federation, std::uint64_t round,
                                                        const std::string& client);
  absl::StatusOr<std::vector<ReceiptRow>> LoadReceipts(const std::string& federation, std::uint64_t round);
  absl::StatusOr<bool> HasReceipts(const std::string& federation);  // Of any round.
  absl::Status DeleteReceipt(const std::string& federation, std::uint64_t round, const std::string& client);

  // Takes the place of what was there.
  absl::Status Save(const NodeUpdateRow& row);
  absl::StatusOr<std::optional<NodeUpdateRow>> LoadNodeUpdate(const std::string& federation, std::uint64_t round,
                                                              const std::string& client);
  // Those without a receipt, in order of client, without header and frozen parts.
  absl::StatusOr<std::vector<NodeUpdateRow>> LoadLostUpdates(const std::string& federation, std::uint64_t round);
  absl::Status DeleteNodeUpdate(const std::string& federation, std::uint64_t round, const std::string& client);
  absl::Status DeleteNodeUpdates(const std::string& federation, std::uint64_t round);

  // Whether a node's name may be that of this data directory (v1::AttendRequest::directory), and that it is so from now
  // on. FAILED_PRECONDITION: these federations have receipts of updates in another one.
  absl::Status CheckNode(const std::string& node, const std::string& directory,
                         const std::vector<std::string>& federations);
  absl::Status ClaimNode(const std::string& node, const std::string& directory,
                         const std::vector<std::string>& federations);
  absl::StatusOr<std::string> DirectoryOf(const std::string& node);  // Empty: nobody's.

  absl::Status Insert(const VersionRow& row);
  absl::StatusOr<std::optional<VersionRow>> LoadVersion(const std::string& federation, std::uint64_t version);

  // Of all adapters of the federation's versions.
  absl::StatusOr<std::set<std::string>> LoadAdapterDigests(const std::string& federation);

  // Of the clients of one round.
  absl::Status Insert(const std::string& federation, std::uint64_t round, const std::vector<OutcomeRow>& rows);
  // In order of client. Empty for rounds that were published before there was such a record.
  absl::StatusOr<std::vector<OutcomeRow>> LoadOutcomes(const std::string& federation, std::uint64_t round);

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  // Remembers the first failed write of the transaction.
  absl::Status Write(absl::Status status);

  sqlite3* handle_;
  absl::Status failed_;
  absl::Status refused_, refused_before_part_;
};

}  // namespace cairn
