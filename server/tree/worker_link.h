// The dispatcher's end of a connection to a worker: one task at a time.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/store/shared/process_id.h"

namespace cairn::tree {

class WorkerLink {
 public:
  ~WorkerLink();
  // UNAVAILABLE, NOT_FOUND: the other end has gone. PERMISSION_DENIED: it is another user's.
  struct Limits {
    absl::Duration silence;  // A worker at work speaks more often.
    absl::Duration stuck;    // And gets something done more often (progress_watch.h).
  };
  static absl::StatusOr<std::unique_ptr<WorkerLink>> Open(UniqueFd socket, const Limits& limits);

  // Once, first of all. FAILED_PRECONDITION: it speaks another version. Else as Call.
  absl::Status Greet();
  // Waits for the reply. UNAVAILABLE: the worker has gone, or Cut was called. DEADLINE_EXCEEDED: it is stopped, or
  // hangs. Either way it is of no use any more.
  // `reduce` makes what finds the answer to a question that the worker has meanwhile. That runs on a thread of its own,
  // and may take its time: the worker is listened to all along. It must come to an end when the worker is lost.
  using FindAnswer = std::function<v1::WorkerTask()>;
  using AnswerReduce = std::function<FindAnswer(const v1::WorkerReduce&)>;
  absl::StatusOr<v1::WorkerReply> Call(const v1::WorkerTask& task, const AnswerReduce& reduce);
  // From any thread: ends Call, and the worker.
  void Cut();
  // Whether the worker has gone while it had nothing to do.
  bool Gone() const;

  const ProcessId& process() const { return process_; }

 private:
  WorkerLink(UniqueFd socket, ProcessId process, const Limits& limits)
      : socket_(std::move(socket)), process_(process), limits_(limits) {}
  UniqueFd socket_;
  ProcessId process_;
  const Limits limits_;
  std::thread reducing_;
};

}  // namespace cairn::tree
