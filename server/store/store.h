// Where the bytes of updates live between their upload and the publication of their round.
//
// Durable: files, synced before Seal returns. Memory: objects of the node's shared store, which spills them to
// (unsynced) files when its budget is full and more are waiting. Thread-safe; one Upload is used by one thread at a
// time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/worker_pool.h"
#include "server/store/byte_budget.h"
#include "server/store/shared/object_key.h"

namespace cairn {

class SharedStore;

// Identifies an update being received. Names have passed CheckId.
struct UploadKey {
  std::string federation;
  std::uint64_t round = 0;
  std::string client;
  std::string sha256;  // Of the whole payload; empty when the sender does not know it yet: then it cannot be resumed.
  std::uint64_t bytes = 0;
};

// The name of a sealed update in its federation. The client is part of it: a digest that a client merely declared must
// never stand for another client's bytes.
std::string UpdateName(absl::string_view client, absl::string_view sha256);

// An update being received, front to back. Destroying it keeps what has arrived for ResumePoint.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual std::uint64_t received() const = 0;
  // Writes the slices behind what is there. RESOURCE_EXHAUSTED: disk full. OUT_OF_RANGE: more than announced.
  virtual absl::Status Append(absl::Span<const absl::string_view> slices) = 0;
  // Hands out what is there, in order: to continue the digest of a resumed upload.
  virtual absl::Status ReadBack(const std::function<void(absl::string_view)>& consume) const = 0;
};

// Sealed bytes; stay valid while held, even when removed from the store. They may be those of a file (a durable or a
// spilled update): where that may be cut short, or its disk may fail, read them under a LostPagesGuard
// (base/lost_pages.h).
class Blob {
 public:
  virtual ~Blob() = default;
  virtual absl::string_view bytes() const = 0;
  // Its pages are not needed soon: a mapped file's leave this process' memory and come back when read.
  virtual void DropPages() const {}
  // How another process of the node gets at the same bytes, as long as the update is not removed: an object of the
  // shared store, spilled or not, or a file.
  virtual std::optional<ObjectKey> shared_key() const { return std::nullopt; }
  virtual std::optional<std::filesystem::path> path() const { return std::nullopt; }
};

class Store {
 public:
  using Ticket = std::uint64_t;
  using Begun = std::function<void(absl::StatusOr<std::unique_ptr<Upload>>)>;

  // Every Begin has been answered or cancelled, and every Upload is gone.
  virtual ~Store() = default;

  // What an upload of `bytes` holds of the budget, until it is sealed or destroyed (durable) or until the store lets go
  // of it (memory).
  virtual std::uint64_t Reservation(std::uint64_t bytes) const = 0;
  // Of memory; the only line in which uploads wait.
  virtual const ByteBudget& budget() const = 0;

  // How much of exactly this upload is there.
  virtual std::uint64_t ResumePoint(const UploadKey& key) const = 0;
  // Starts or resumes once there is room: uploads get it in the order in which they came; who goes on with what lies in
  // memory needs none. Parts of other uploads of this client and round are dropped; parts in memory that nobody goes on
  // with are also dropped when others wait. `begun` runs on one of `workers`, and may block. It gets ABORTED: another
  // stream holds this upload. RESOURCE_EXHAUSTED: it can never fit, the disk is full, or the system or the shared store
  // has no more to give. CANCELLED: the shared store is closing. Other errors as base/files.h.
  virtual Ticket Begin(const UploadKey& key, WorkerPool* workers, Begun begun) = 0;
  // True: it has left the line, and `begun` will not run. False: it has, or will.
  virtual bool Cancel(Ticket ticket) = 0;
  // Ends a complete upload: its bytes can be found under UpdateName(client, sha256), durably if the store is.
  virtual absl::Status Seal(std::unique_ptr<Upload> upload, const std::string& sha256) = 0;
  // Ends an upload whose bytes are of no use.
  virtual void Discard(std::unique_ptr<Upload> upload) = 0;

  // `name` is an UpdateName. NOT_FOUND: not sealed, or removed.
  virtual absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string& federation, const std::string& name) = 0;
  // Lets go of one sealed update, if it is there.
  virtual void Remove(const std::string& federation, const std::string& name) = 0;
  // Lets go of every sealed update of the federation but `names`, and of every part that is not of `round`.
  virtual absl::Status Retain(const std::string& federation, std::uint64_t round,
                              absl::Span<const std::string> names) = 0;
};

// What one durable upload holds of the budget: the bytes between the network and the disk.
inline constexpr std::uint64_t kFileUploadReservation = 4 << 20;

// `directory` is created when missing. `budget` bounds payload bytes in memory.
absl::StatusOr<std::unique_ptr<Store>> OpenFileStore(const std::filesystem::path& directory, std::uint64_t budget);
// In objects of `shared`, which outlives the store and its blobs; what the store has of it is given back at the end.
// The budget is that of `shared`.
std::unique_ptr<Store> OpenMemoryStore(SharedStore* shared);

}  // namespace cairn
