// A worker's view of the node's store: objects are read and written where they lie. Slabs stay mapped, and so warm,
// until the agent wants them back.
//
// For one thread at a time. What may wait (Create) belongs on a thread, with a client of its own, that nobody waits
// for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/store/shared/message.h"
#include "server/store/shared/object_table.h"

namespace cairn {

class StoreClient;

// What a worker maps: a slab, or a spilled object. A slab that the agent wants back goes when its last reader does.
class ClientMapping {
 public:
  ClientMapping(Mapping mapping, SlabRef slab) : mapping_(std::move(mapping)), slab_(slab) {}
  ~ClientMapping();
  ClientMapping(const ClientMapping&) = delete;
  ClientMapping& operator=(const ClientMapping&) = delete;
  char* data() const { return mapping_.data(); }
  SlabRef slab() const { return slab_; }
  // Tells the agent, through `client`, when it is gone. REQUIRES: the client is there until then.
  void TellWhenGone(const StoreClient* client) { client_ = client; }

 private:
  Mapping mapping_;
  SlabRef slab_;
  const StoreClient* client_ = nullptr;
};

// A lease of a sealed object; ends with this object.
class LeasedObject {
 public:
  LeasedObject(LeasedObject&&) = default;
  LeasedObject& operator=(LeasedObject&&) = delete;
  ~LeasedObject();

  const ObjectKey& key() const { return entry_.key; }
  absl::string_view bytes() const { return {mapping_->data(), entry_.bytes}; }
  std::uint32_t crc32c() const { return entry_.crc32c; }
  // To be asked after reading and before anybody is told the result: false when this process was stopped for longer
  // than its lease, and may have read another object's bytes.
  bool StillValid() const;

 private:
  friend class StoreClient;
  LeasedObject(std::shared_ptr<StoreClient> client, const ObjectEntry& entry, std::shared_ptr<ClientMapping> mapping)
      : client_(std::move(client)), entry_(entry), mapping_(std::move(mapping)) {}
  std::shared_ptr<StoreClient> client_;
  ObjectEntry entry_;
  std::shared_ptr<ClientMapping> mapping_;  // Goes before the client does.
};

// An object that this worker writes, in any order; given up without Seal.
class NewObject {
 public:
  NewObject(NewObject&&) = default;
  NewObject& operator=(NewObject&&) = delete;
  ~NewObject();

  const ObjectKey& key() const { return entry_.key; }
  absl::Span<char> data() const { return {mapping_->data(), entry_.bytes}; }
  // `crc32c` is that of all the bytes. From now on they stay as they are. FAILED_PRECONDITION: this worker was fenced,
  // and nothing was published.
  absl::StatusOr<ObjectKey> Seal(std::uint32_t crc32c) &&;

 private:
  friend class StoreClient;
  NewObject(std::shared_ptr<StoreClient> client, const ObjectEntry& entry, std::shared_ptr<ClientMapping> mapping)
      : client_(std::move(client)), entry_(entry), mapping_(std::move(mapping)) {}
  std::shared_ptr<StoreClient> client_;  // Null once sealed.
  ObjectEntry entry_;
  std::shared_ptr<ClientMapping> mapping_;  // Goes before the client does.
};

class StoreClient : public std::enable_shared_from_this<StoreClient> {
 public:
  // To the agent that serves in `directory`. UNAVAILABLE, NOT_FOUND: nobody does. FAILED_PRECONDITION: another version.
  // PERMISSION_DENIED: another user's.
  static absl::StatusOr<std::shared_ptr<StoreClient>> Connect(const std::filesystem::path& directory);

  // Of every call: FAILED_PRECONDITION when this worker was fenced, for good: let go of everything and connect again.
  // UNAVAILABLE when the agent has gone. RESOURCE_EXHAUSTED when this process has no descriptor left for what came.

  // As SharedStore::Get.
  absl::StatusOr<LeasedObject> Get(const ObjectKey& key);
  // The same, without a word from the agent where the table shows the object sealed, in a slab that is mapped here: the
  // lease begins when the agent reads the request. Only for who asks StillValid after reading, and for objects that
  // nobody removes meanwhile: should somebody, StillValid says so. A worker that was fenced learns it with its next
  // call.
  absl::StatusOr<LeasedObject> GetAhead(const ObjectKey& key);
  // Waits until there is room, for that long at most: then RESOURCE_EXHAUSTED. Errors as SharedStore::Create.
  absl::StatusOr<NewObject> Create(std::uint64_t bytes, absl::Duration patience = absl::InfiniteDuration());
  // A sign of life, due within every lease_time() as long as anything is held. Every call is one too.
  absl::Status Renew();
  // What the table says, without a message and without a lease. Errors as TableView::Find.
  absl::StatusOr<ObjectEntry> Find(const ObjectKey& key) const { return table_.Find(key); }

  const TableView& table() const { return table_; }

  // Readable when the agent wants a slab back, or has gone: a worker that waits for other things polls it, and then
  // calls ServeAgent.
  int fd() const { return socket_.get(); }
  absl::Status ServeAgent();

  Epoch epoch() const { return epoch_; }
  absl::Duration lease_time() const { return lease_time_; }

 private:
  friend class ClientMapping;
  friend class LeasedObject;
  friend class NewObject;
  struct Answered {
    Reply reply;
    UniqueFd fd;
    bool fd_lost = false;
  };

  StoreClient() = default;
  // Says kLeave after `patience`.
  absl::StatusOr<Answered> Call(Request request, absl::Duration patience = absl::InfiniteDuration());
  absl::StatusOr<std::optional<Answered>> Await(std::uint32_t number);
  absl::Status Tell(Request request) const;
  absl::Status LastWord(absl::Status otherwise);
  absl::Status LetGo(SlabRef slab);
  absl::StatusOr<Mapping> MapWhole(int fd, std::uint64_t bytes, Mapping::Access access) const;
  absl::StatusOr<std::shared_ptr<ClientMapping>> MapSlab(const Answered& answered, Mapping::Access access);

  UniqueFd socket_;
  TableView table_;
  Epoch epoch_ = kAgentEpoch;
  absl::Duration lease_time_;
  std::uint32_t next_number_ = 1;
  std::map<std::uint32_t, std::shared_ptr<ClientMapping>> slabs_;  // By index.
};

}  // namespace cairn
