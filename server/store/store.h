// Where the bytes of updates live between their upload and the publication of their round.
//
// Durable: files, synced before Seal returns. Memory: slabs under the budget, spilled to (unsynced) files when the
// budget is full of sealed updates and more are waiting. Thread-safe; one Upload is used by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/store/byte_budget.h"

namespace cairn {

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

// Sealed bytes; stay valid while held, even when removed from the store.
class Blob {
 public:
  virtual ~Blob() = default;
  virtual absl::string_view bytes() const = 0;
  // Its pages are not needed soon: a mapped file's leave this process' memory and come back when read.
  virtual void DropPages() const {}
};

class Store {
 public:
  virtual ~Store() = default;

  // What an upload of `bytes` must hold of the budget before Begin, until it is sealed or destroyed (durable) or until
  // the store lets go of it (memory). The store gives it back.
  virtual std::uint64_t Reservation(std::uint64_t bytes) const = 0;
  ByteBudget& budget() { return budget_; }

  // How much of exactly this upload is there.
  virtual std::uint64_t ResumePoint(const UploadKey& key) const = 0;
  // Starts or resumes. Takes over the reservation, also on error. Parts of other uploads of this client and round are
  // dropped. ABORTED: another stream holds this upload.
  virtual absl::StatusOr<std::unique_ptr<Upload>> Begin(const UploadKey& key) = 0;
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

 protected:
  explicit Store(std::uint64_t budget) : budget_(budget) {}
  ByteBudget budget_;
};

// What one durable upload holds of the budget: the bytes between the network and the disk.
inline constexpr std::uint64_t kFileUploadReservation = 4 << 20;

// `directory` is created when missing. `budget` bounds payload bytes in memory.
absl::StatusOr<std::unique_ptr<Store>> OpenFileStore(const std::filesystem::path& directory, std::uint64_t budget);
// Spills below `directory`, which is emptied first: nothing of an earlier process is of use.
absl::StatusOr<std::unique_ptr<Store>> OpenMemoryStore(const std::filesystem::path& directory, std::uint64_t budget);

}  // namespace cairn
