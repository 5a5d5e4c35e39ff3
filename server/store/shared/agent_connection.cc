#include "server/store/shared/agent_connection.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/store/shared/packet_socket.h"

namespace cairn {
namespace {

constexpr int kPacketsAtATime = 16;  // Then it is the others' turn.

Reply ReplyTo(const Request& request) { return {.op = request.op, .number = request.number}; }

}  // namespace

AgentConnection::~AgentConnection() {
  EndReceiving(socket_.get());
  if (epoch_ != kAgentEpoch) store_->CloseSession(epoch_);
}

bool AgentConnection::Serve() {
  for (int i = 0; i < kPacketsAtATime; ++i) {
    const auto packet = ReceivePacket(socket_.get(), sizeof(Request));
    if (absl::IsUnavailable(packet.status())) return true;  // That was all.
    if (!packet.ok() || packet->bytes.empty()) return false;
    const auto request = ParseRequest(packet->bytes);
    if (!request.ok()) {
      Answer({}, request.status());
      return false;
    }
    if (!Handle(*request)) return false;
  }
  return true;
}

bool AgentConnection::Handle(const Request& request) {
  if (request.op == Op::kHello) return Hello(request);
  if (epoch_ == kAgentEpoch) {
    Answer(request, absl::FailedPreconditionError("expected hello as the first request"));
    return false;
  }
  // Nobody who waits asks for these, and what it waits for stays as it was lent.
  if (creating_ && (request.op == Op::kGet || request.op == Op::kSeal || request.op == Op::kAbandon)) {
    Answer(request, absl::FailedPreconditionError("this connection waits for an object: expected nothing but signs of "
                                                  "life, and what it lets go of"));
    return false;
  }
  switch (request.op) {
    case Op::kGet:
      return Get(request);
    case Op::kCreate:
      return Create(request);
    case Op::kRelease:
      return Answer(request, store_->Release(epoch_, request.key));
    case Op::kSeal:
      return Answer(request, store_->Seal(epoch_, request.key, request.crc32c));
    case Op::kAbandon:
      return Answer(request, store_->Abandon(epoch_, request.key));
    case Op::kLeave:
      return Leave();
    case Op::kRenew:
      return Answer(request, store_->Renew(epoch_));
    case Op::kDropped:
      store_->Dropped(epoch_, request.slab);
      told_ = false;
      return TellRetired();
    default:
      return false;  // ParseRequest lets none of these through.
  }
}

bool AgentConnection::Hello(const Request& request) {
  if (epoch_ != kAgentEpoch) {
    Answer(request, absl::FailedPreconditionError("this connection said hello before"));
    return false;
  }
  epoch_ = store_->OpenSession(process_);
  Reply reply = ReplyTo(request);
  reply.epoch = epoch_;
  reply.lease_ms = static_cast<std::uint64_t>(absl::ToInt64Milliseconds(store_->options().lease_time));
  return Send(reply, store_->table_fd()).ok();
}

bool AgentConnection::Get(const Request& request) {
  const auto lent = store_->GetFor(epoch_, request.key);
  if (request.number == 0 && lent.ok() && lent->fd < 0) return true;  // It reads already.
  return lent.ok() ? Answer(request, lent->entry, lent->fd) : Answer(request, lent.status());
}

bool AgentConnection::Create(const Request& request) {
  if (creating_) {  // What waits here stays bounded.
    Answer(request, absl::FailedPreconditionError("this connection waits for an object already"));
    return false;
  }
  creating_ = true;
  create_ = request;
  // It may take long, and end on any thread; this connection may be gone by then.
  auto created = [mailbox = mailbox_, self = weak_from_this(), request](absl::StatusOr<SharedStore::Lent> lent) {
    auto shared = std::make_shared<absl::StatusOr<SharedStore::Lent>>(std::move(lent));
    mailbox->Post([self, request, shared] {
      const auto connection = self.lock();
      if (connection && !connection->Created(request, *shared)) {
        ::shutdown(connection->fd(), SHUT_RDWR);  // The loop sees its end, and closes it.
      }
    });
  };
  ticket_ = store_->CreateFor(epoch_, request.bytes, std::move(created));
  return true;
}

bool AgentConnection::Leave() {
  if (!creating_ || !store_->Cancel(ticket_)) return true;  // It has its answer, or that is on its way.
  creating_ = false;
  const ByteBudget& budget = store_->budget();
  return Answer(create_, absl::ResourceExhaustedError(absl::StrCat(
                             "no room for an object of ", create_.bytes, " bytes for as long as the worker waited: ",
                             budget.used(), " of ", budget.capacity(), " bytes of shared memory are in use")));
}

bool AgentConnection::Created(const Request& request, const absl::StatusOr<SharedStore::Lent>& lent) {
  creating_ = false;
  if (!lent.ok()) return Answer(request, lent.status());
  // Time has passed. If the session was fenced, the object has gone. If not, it is fenced on this thread only.
  const absl::Status alive = store_->Renew(epoch_);
  return alive.ok() ? Answer(request, lent->entry, lent->fd) : Answer(request, alive);
}

void AgentConnection::TellLate() {
  Answer({}, absl::DeadlineExceededError(
                 absl::StrCat("expected hello within ", absl::FormatDuration(store_->options().lease_time))));
}

bool AgentConnection::TellRetired() {
  if (told_) return true;
  const auto slab = store_->RetiredOf(epoch_);
  if (!slab) return true;
  told_ = true;
  Reply reply{.op = Op::kRetired};
  reply.entry.slab = *slab;
  return Send(reply).ok();
}

bool AgentConnection::Answer(const Request& request, const absl::Status& status) {
  if (request.number == 0 && request.op != Op::kHello) return true;
  Reply reply = ReplyTo(request);
  reply.set_status(status);
  return Send(reply).ok();
}

bool AgentConnection::Answer(const Request& request, const ObjectEntry& entry, int fd) {
  Reply reply = ReplyTo(request);
  reply.entry = entry;
  const absl::Status sent = Send(reply, fd);
  if (!absl::IsResourceExhausted(sent)) return sent.ok();
  // Others' fault: this worker keeps its connection, and has neither the object nor the slab.
  if (entry.state != ObjectState::kSpilled) store_->Dropped(epoch_, entry.slab);
  if (request.op == Op::kCreate) store_->Abandon(epoch_, entry.key).IgnoreError();
  if (entry.state == ObjectState::kSealed) store_->Release(epoch_, entry.key).IgnoreError();
  return Answer(request, sent);
}

absl::Status AgentConnection::Send(Reply reply, int fd) {
  reply.has_fd = fd >= 0 ? 1 : 0;
  return SendPacket(socket_.get(), PacketOf(reply), fd);
}

}  // namespace cairn
