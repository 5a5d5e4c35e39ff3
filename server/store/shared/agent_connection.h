// One worker's connection, as the agent's thread sees it: what each request does, and what is said in reply.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "base/files.h"
#include "server/store/shared/mailbox.h"
#include "server/store/shared/message.h"
#include "server/store/shared/shared_store.h"

namespace cairn {

// For one thread.
class AgentConnection : public std::enable_shared_from_this<AgentConnection> {
 public:
  AgentConnection(SharedStore* store, std::shared_ptr<Mailbox> mailbox, UniqueFd socket, ProcessId process)
      : store_(store), mailbox_(std::move(mailbox)), socket_(std::move(socket)), process_(process) {}
  // Everything the worker held is given back.
  ~AgentConnection();

  int fd() const { return socket_.get(); }
  Epoch epoch() const { return epoch_; }  // kAgentEpoch before it said hello.

  // Answers what is there. False: it is over, because the worker has gone or broke the rules.
  bool Serve();
  // It did not say hello in time: its last word.
  void TellLate();
  // Asks the worker to let go of a retired slab, unless it has been asked for one that it has not let go of yet: what
  // waits in its socket stays bounded. False: it is over.
  bool TellRetired();

 private:
  bool Handle(const Request& request);
  bool Hello(const Request& request);
  bool Get(const Request& request);
  bool Create(const Request& request);
  bool Leave();
  bool Created(const Request& request, const absl::StatusOr<SharedStore::Lent>& lent);
  bool Answer(const Request& request, const absl::Status& status);
  bool Answer(const Request& request, const ObjectEntry& entry, int fd);
  absl::Status Send(Reply reply, int fd = -1);

  SharedStore* const store_;
  const std::shared_ptr<Mailbox> mailbox_;
  const UniqueFd socket_;
  const ProcessId process_;
  Epoch epoch_ = kAgentEpoch;
  bool creating_ = false;  // It waits for an answer to ...
  Request create_;         // ... that, and in the store's line as ...
  SharedStore::Ticket ticket_ = 0;
  bool told_ = false;  // Of a retired slab, and has not answered.
};

}  // namespace cairn
