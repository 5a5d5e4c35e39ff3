// What a gateway asks of the root, whether that is in its own process (server/root/coordinator.h) or another one
// (server/node/remote_root.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "base/files.h"
#include "server/root/client_places.h"
#include "server/root/database.h"
#include "server/root/federation.h"
#include "server/root/notice.h"
#include "server/store/store.h"

namespace cairn {

struct JoinResult {
  std::shared_ptr<const AdapterSpec> spec;  // Null: not known yet.
  std::shared_ptr<const Snapshot> snapshot;
};

// May this upload start?
struct Admission {
  std::optional<ReceiptRow> receipt;        // Set: these bytes are already there.
  std::shared_ptr<const AdapterSpec> spec;  // Null: not known yet.
  std::string combine;                      // As in the configuration.
  bool sums_up = false;                     // SumsUp (server/root/summer.h).
};

// A published adapter, ready to be sent.
struct VersionFile {
  std::uint64_t version = 0;
  AdapterFile adapter;
  std::filesystem::path path;              // Of the root's own.
  std::shared_ptr<const MappedFile> file;  // Where it comes from elsewhere: what may be removed any time.
};

// All calls return at once; `done` runs once, on a thread of the root, and must not block. NOT_FOUND: no such
// federation. UNAVAILABLE: the root cannot be reached or cannot write its database, or the federation could not be
// loaded; try again.
class Root {
 public:
  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;
  using Subscription = std::uint64_t;

  virtual ~Root() = default;

  virtual void Join(const std::string& federation, const std::string& client, std::optional<AdapterSpec> spec,
                    Done<JoinResult> done) = 0;
  virtual void Leave(const std::string& federation, const std::string& client,
                     std::function<void(absl::Status)> done) = 0;
  // Where the client should send its next update, host:port; empty: it is all the same. NOT_FOUND: it has not joined.
  virtual void Place(const PlaceQuery& query, Done<std::string> done) = 0;
  virtual void CheckUpload(const UploadKey& key, Done<Admission> done) = 0;
  virtual void Progress(const UploadKey& key, std::uint64_t received) = 0;
  virtual void UploadEnded(const UploadKey& key, const absl::Status& refusal) = 0;
  virtual void Contribute(SealedUpdate update, Done<ReceiptRow> done) = 0;
  // Version 0: the latest. NOT_FOUND: not published. FAILED_PRECONDITION: a delta of a rule that has none.
  virtual void FindVersion(const std::string& federation, std::uint64_t version, bool delta,
                           Done<VersionFile> done) = 0;
  // Empty federation: all of them.
  virtual void Snapshots(const std::string& federation, Done<std::vector<std::shared_ptr<const Snapshot>>> done) = 0;

  // The listener first hears a kSnapshot, then everything until Unsubscribe has returned. Where something may have been
  // missed in between, another kSnapshot.
  virtual void Subscribe(const std::string& federation, Listener listener, Done<Subscription> done) = 0;
  virtual void Unsubscribe(Subscription subscription) = 0;
};

}  // namespace cairn
