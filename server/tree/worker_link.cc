#include "server/tree/worker_link.h"

#include <poll.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "server/store/shared/packet_socket.h"
#include "server/tree/progress_watch.h"
#include "server/tree/unix_stream.h"
#include "server/tree/worker.h"

namespace cairn::tree {

absl::StatusOr<std::unique_ptr<WorkerLink>> WorkerLink::Open(UniqueFd socket, const Limits& limits) {
  CAIRN_ASSIGN_OR_RETURN(const ProcessId process, PeerOf(socket.get()));
  // One that is stopped does not read either.
  const timeval longest = absl::ToTimeval(limits.silence);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
  return std::unique_ptr<WorkerLink>(new WorkerLink(std::move(socket), process, limits));
}

absl::Status WorkerLink::Greet() {
  v1::WorkerMessage message;
  CAIRN_RETURN_IF_ERROR(ReceiveMessage(socket_.get(), limits_.silence, message));
  if (message.hello().protocol() == kTreeProtocol) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("worker ", process_.pid, ": expected protocol ", kTreeProtocol,
                                                    ", got ", message.hello().protocol(),
                                                    ": start workers of the server's own release"));
}

absl::StatusOr<v1::WorkerReply> WorkerLink::Call(const v1::WorkerTask& task, const AnswerReduce& reduce) {
  CAIRN_RETURN_IF_ERROR(SendMessage(socket_.get(), task));
  const SteadyClock clock;
  ProgressWatch watch(limits_.stuck, clock.Now());
  while (true) {
    v1::WorkerMessage message;
    CAIRN_RETURN_IF_ERROR(ReceiveMessage(socket_.get(), limits_.silence, message));
    if (message.has_alive()) CAIRN_RETURN_IF_ERROR(watch.Hear(message.alive(), clock.Now()));
    if (message.has_reply()) return std::move(*message.mutable_reply());
    if (!message.has_reduce()) continue;
    if (reducing_.joinable()) reducing_.join();
    reducing_ = std::thread([socket = socket_.get(), find = reduce(message.reduce())] {
      if (!SendMessage(socket, find()).ok()) ::shutdown(socket, SHUT_RDWR);  // It would wait for it for ever.
    });
  }
}

WorkerLink::~WorkerLink() {
  if (reducing_.joinable()) reducing_.join();
}

void WorkerLink::Cut() { ::shutdown(socket_.get(), SHUT_RDWR); }

bool WorkerLink::Gone() const {
  pollfd waiting{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0;
}

}  // namespace cairn::tree
