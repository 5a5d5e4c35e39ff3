#include "server/store/shared/store_client.h"

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/store/shared/packet_socket.h"
#include "server/store/shared/spill_files.h"

namespace cairn {
namespace {

// An answer that needs no waiting is mostly there sooner than this. Who looks for it so long does not pay for a
// processor that goes to sleep and is woken, which takes as long again.
constexpr auto kLook = std::chrono::microseconds(30);

// Of a slab whose pages are had for the first time: between two signs of life. At the 0.5 GB/s of a slow machine 32 ms.
constexpr std::uint64_t kPieceBytes = 16 * limits::kMiB;

// Whether something comes soon.
bool ReadableSoon(int fd) {
  const auto end = std::chrono::steady_clock::now() + kLook;
  for (pollfd look{fd, POLLIN, 0}; ::poll(&look, 1, 0) <= 0; ::sched_yield()) {  // The agent may need this processor.
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

// True: something is there. False: not within the time, which may be infinite.
bool Readable(int fd, absl::Duration within) {
  pollfd wait{fd, POLLIN, 0};
  const int milliseconds = within == absl::InfiniteDuration()
                               ? -1
                               : static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(within, absl::Milliseconds(1))));
  return ::poll(&wait, 1, milliseconds) > 0;
}

// Of an answer that should have one.
absl::Status NoDescriptor(bool lost, absl::string_view what) {
  if (!lost) return absl::InternalError(absl::StrCat("the store's agent broke the protocol: ", what));
  return absl::ResourceExhaustedError("a descriptor came that this process has no room for: see `ulimit -n`");
}

}  // namespace

ClientMapping::~ClientMapping() {
  if (client_ == nullptr) return;
  mapping_.Reset();
  client_->Tell({.op = Op::kDropped, .slab = slab_}).IgnoreError();
}

LeasedObject::~LeasedObject() {
  // Of a spilled object there is no lease. A worker that was fenced, or whose agent has gone, has none to give back.
  if (client_ == nullptr || entry_.state == ObjectState::kSpilled) return;
  client_->Tell({.op = Op::kRelease, .key = entry_.key}).IgnoreError();
}

bool LeasedObject::StillValid() const {
  return entry_.state == ObjectState::kSpilled || client_->table_.StillValid(entry_.key);
}

NewObject::~NewObject() {
  if (client_ != nullptr) client_->Tell({.op = Op::kAbandon, .key = entry_.key}).IgnoreError();
}

absl::StatusOr<ObjectKey> NewObject::Seal(std::uint32_t crc32c) && {
  CAIRN_RETURN_IF_ERROR(client_->Call({.op = Op::kSeal, .crc32c = crc32c, .key = entry_.key}).status());
  mapping_.reset();
  client_.reset();
  return entry_.key;
}

absl::StatusOr<std::shared_ptr<StoreClient>> StoreClient::Connect(const std::filesystem::path& directory) {
  std::shared_ptr<StoreClient> client(new StoreClient());
  CAIRN_ASSIGN_OR_RETURN(client->socket_, ConnectToPackets(directory));
  CAIRN_ASSIGN_OR_RETURN(const Answered hello, client->Call({.op = Op::kHello}));
  if (!hello.fd) return NoDescriptor(hello.fd_lost, "hello without the table");
  CAIRN_ASSIGN_OR_RETURN(client->table_, TableView::Open(hello.fd.get()));
  client->epoch_ = hello.reply.epoch;
  client->lease_time_ = absl::Milliseconds(hello.reply.lease_ms);
  return client;
}

absl::StatusOr<LeasedObject> StoreClient::Get(const ObjectKey& key) {
  CAIRN_ASSIGN_OR_RETURN(const Answered answered, Call({.op = Op::kGet, .key = key}));
  const ObjectEntry& entry = answered.reply.entry;
  if (entry.state == ObjectState::kSpilled) {
    if (!answered.fd) return NoDescriptor(answered.fd_lost, "a spilled object without its file");
    CAIRN_RETURN_IF_ERROR(CheckFileBytes(answered.fd.get(), key, entry.bytes));
    CAIRN_ASSIGN_OR_RETURN(Mapping file, Mapping::Map(answered.fd.get(), entry.bytes, Mapping::Access::kRead));
    return LeasedObject(shared_from_this(), entry, std::make_shared<ClientMapping>(std::move(file), SlabRef()));
  }
  auto slab = MapSlab(answered, Mapping::Access::kRead);
  if (slab.ok()) return LeasedObject(shared_from_this(), entry, *std::move(slab));
  Tell({.op = Op::kRelease, .key = key}).IgnoreError();
  return slab.status();
}

absl::StatusOr<LeasedObject> StoreClient::GetAhead(const ObjectKey& key) {
  CAIRN_RETURN_IF_ERROR(ServeAgent());  // It may want that very slab.
  CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, table_.Find(key));
  const auto mapped = slabs_.find(entry.slab.index);
  const bool here = mapped != slabs_.end() && mapped->second != nullptr && mapped->second->slab() == entry.slab;
  if (!here || entry.state != ObjectState::kSealed) return Get(key);
  CAIRN_RETURN_IF_ERROR(Tell({.op = Op::kGet, .key = key}));
  return LeasedObject(shared_from_this(), entry, mapped->second);
}

absl::StatusOr<NewObject> StoreClient::Create(std::uint64_t bytes, absl::Duration patience) {
  CAIRN_ASSIGN_OR_RETURN(const Answered answered, Call({.op = Op::kCreate, .bytes = bytes}, patience));
  const ObjectEntry& entry = answered.reply.entry;
  auto mapping = MapSlab(answered, Mapping::Access::kReadWrite);
  if (mapping.ok()) return NewObject(shared_from_this(), entry, *std::move(mapping));
  Tell({.op = Op::kAbandon, .key = entry.key}).IgnoreError();
  return mapping.status();
}

absl::Status StoreClient::Renew() { return Call({.op = Op::kRenew}).status(); }

// Of a slab to write all pages are there, or the error is now and not a signal when they are touched. That may take
// longer than a lease.
absl::StatusOr<Mapping> StoreClient::MapWhole(int fd, std::uint64_t bytes, Mapping::Access access) const {
  CAIRN_ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(fd, bytes, access));
  if (access == Mapping::Access::kRead) return mapping;
  for (std::uint64_t first = 0; first < bytes; first += kPieceBytes) {
    const std::uint64_t piece = std::min(kPieceBytes, bytes - first);
    CAIRN_RETURN_IF_ERROR(AllocatePages(fd, first, piece));
    mapping.Prefault(access, first, piece);
    CAIRN_RETURN_IF_ERROR(Tell({.op = Op::kRenew}));
  }
  return mapping;
}

absl::StatusOr<std::shared_ptr<ClientMapping>> StoreClient::MapSlab(const Answered& answered, Mapping::Access access) {
  const ObjectEntry& entry = answered.reply.entry;
  std::shared_ptr<ClientMapping>& slab = slabs_[entry.slab.index];
  if (slab != nullptr && slab->slab() == entry.slab) return slab;
  absl::StatusOr<Mapping> mapping = NoDescriptor(answered.fd_lost, "a slab without its descriptor");
  if (answered.fd) mapping = MapWhole(answered.fd.get(), SlabBytes(entry.bytes), access);
  if (mapping.ok()) return slab = std::make_shared<ClientMapping>(*std::move(mapping), entry.slab);
  Tell({.op = Op::kDropped, .slab = entry.slab}).IgnoreError();
  return mapping.status();
}

absl::Status StoreClient::LetGo(SlabRef ref) {
  const auto it = slabs_.find(ref.index);
  if (it == slabs_.end() || it->second == nullptr || it->second->slab() != ref) {
    return Tell({.op = Op::kDropped, .slab = ref});
  }
  it->second->TellWhenGone(this);
  slabs_.erase(it);
  return absl::OkStatus();
}

absl::Status StoreClient::ServeAgent() {
  while (Readable(socket_.get(), absl::ZeroDuration())) CAIRN_RETURN_IF_ERROR(Await(0).status());
  return absl::OkStatus();
}

absl::Status StoreClient::Tell(Request request) const { return SendPacket(socket_.get(), PacketOf(request)); }

absl::StatusOr<StoreClient::Answered> StoreClient::Call(Request request, absl::Duration patience) {
  request.number = next_number_++;
  if (next_number_ == 0) next_number_ = 1;
  if (const absl::Status told = Tell(request); !told.ok()) return LastWord(told);
  // Who waits for long holds things meanwhile, and shows that it is alive.
  const bool greeted = epoch_ != kAgentEpoch;
  const absl::Duration sign = greeted ? std::max(lease_time_ / 3, absl::Milliseconds(1)) : absl::InfiniteDuration();
  const SteadyClock clock;
  absl::Time leave = clock.Now() + patience;
  for (bool there = ReadableSoon(socket_.get()); true; there = false) {
    const absl::Duration left = std::max(absl::ZeroDuration(), leave - clock.Now());
    if (!there && !Readable(socket_.get(), std::min(sign, left))) {
      const bool leaves = clock.Now() >= leave;
      if (leaves) leave = absl::InfiniteFuture();  // Once; the answer comes all the same.
      CAIRN_RETURN_IF_ERROR(Tell({.op = leaves ? Op::kLeave : Op::kRenew}));
      continue;
    }
    CAIRN_ASSIGN_OR_RETURN(std::optional<Answered> answered, Await(request.number));
    if (!answered) continue;
    CAIRN_RETURN_IF_ERROR(answered->reply.status());
    return *std::move(answered);
  }
}

// An agent that refuses a worker says why, and does not wait for what it has to say.
absl::Status StoreClient::LastWord(absl::Status otherwise) {
  const absl::Status last = ServeAgent();
  return last.ok() || absl::IsUnavailable(last) ? otherwise : last;
}

// Takes one packet. None: it was not the answer to that request.
absl::StatusOr<std::optional<StoreClient::Answered>> StoreClient::Await(std::uint32_t number) {
  CAIRN_ASSIGN_OR_RETURN(Packet packet, ReceivePacket(socket_.get(), sizeof(Reply)));
  if (packet.bytes.empty()) return absl::UnavailableError("the store's agent has gone, or closed the connection");
  CAIRN_ASSIGN_OR_RETURN(const Reply reply, ParseReply(packet.bytes));
  if (reply.op == Op::kRetired) {
    CAIRN_RETURN_IF_ERROR(LetGo(reply.entry.slab));
    return std::nullopt;
  }
  if (reply.number == number && number != 0) return Answered{reply, std::move(packet.fd), packet.fd_lost};
  // Said before the connection is closed.
  if (reply.number == 0 && reply.op == Op::kHello) return reply.status();
  return std::nullopt;
}

}  // namespace cairn
