#include "server/tree/worker.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/tree/life_signs.h"
#include "server/tree/node_objects.h"
#include "server/tree/shard_task.h"
#include "server/tree/task_status.h"
#include "server/tree/unix_stream.h"
#include "server/tree/worker_sum.h"

namespace cairn::tree {
namespace {

class Worker {
 public:
  Worker(std::shared_ptr<NodeObjects> objects, UniqueFd socket)
      : objects_(std::move(objects)), socket_(std::move(socket)), life_(objects_.get(), socket_.get()) {}

  absl::Status Run() {
    v1::WorkerMessage hello;
    hello.mutable_hello()->set_protocol(kTreeProtocol);
    CAIRN_RETURN_IF_ERROR(life_.Send(hello));
    while (true) {
      CAIRN_ASSIGN_OR_RETURN(const bool task, AwaitTask());
      CAIRN_RETURN_IF_ERROR(life_.lost());
      if (task) CAIRN_RETURN_IF_ERROR(Serve());
    }
  }

 private:
  // False: the store's agent wanted something, or had nothing more to say.
  absl::StatusOr<bool> AwaitTask() {
    std::array<pollfd, 3> waiting{pollfd{socket_.get(), POLLIN, 0}, pollfd{objects_->fd(), POLLIN, 0},
                                  pollfd{life_.lost_fd(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
      return absl::UnavailableError(absl::StrCat("poll: ", strerror(errno)));
    }
    if (waiting[1].revents != 0) CAIRN_RETURN_IF_ERROR(objects_->ServeAgent());
    return waiting[0].revents != 0;
  }

  absl::Status Serve() {
    v1::WorkerTask task;
    CAIRN_RETURN_IF_ERROR(ReceiveMessage(socket_.get(), absl::InfiniteDuration(), task));
    v1::WorkerMessage message;
    life_.Begin(task.has_shard() ? LifeSigns::Work::kComputing : LifeSigns::Work::kPieces);
    const absl::Time start = absl::Now();
    *message.mutable_reply() = Do(task);
    message.mutable_reply()->set_seconds(absl::ToDoubleSeconds(absl::Now() - start));
    life_.End(/*holds=*/!sums_.empty());
    CAIRN_RETURN_IF_ERROR(life_.lost());
    return life_.Send(message);
  }

  v1::WorkerReply Do(const v1::WorkerTask& task) {
    v1::WorkerReply reply;
    switch (task.task_case()) {
      case v1::WorkerTask::kFold:
        CAIRN_FAILPOINT("worker.before_fold").IgnoreError();
        reply = SumOf(task).Fold(task.fold());
        CAIRN_FAILPOINT("worker.after_fold").IgnoreError();
        break;
      case v1::WorkerTask::kMerge:
        CAIRN_FAILPOINT("worker.before_merge").IgnoreError();
        reply = SumOf(task).Merge(task.merge());
        CAIRN_FAILPOINT("worker.after_merge").IgnoreError();
        break;
      case v1::WorkerTask::kSeal:
        CAIRN_FAILPOINT("worker.before_seal").IgnoreError();
        reply = SumOf(task).Seal();
        CAIRN_FAILPOINT("worker.after_seal").IgnoreError();
        reply.set_lost(true);
        break;
      case v1::WorkerTask::kDrop:
        reply.set_lost(true);
        break;
      case v1::WorkerTask::kShard:
        Combine(task.shard(), reply);
        break;
      case v1::WorkerTask::kReduced:
      case v1::WorkerTask::TASK_NOT_SET:
        SetStatus(absl::UnimplementedError("a task of a later version"), *reply.mutable_status());
    }
    if (reply.lost()) sums_.erase(task.sum());
    return reply;
  }

  WorkerSum& SumOf(const v1::WorkerTask& task) { return sums_.try_emplace(task.sum(), objects_).first->second; }

  void Combine(const v1::ShardTask& task, v1::WorkerReply& reply) {
    absl::StatusOr<v1::ShardMade> made = absl::InternalError("no result");
    try {
      made = RunShard(*objects_, task, [this](auto values, bool greatest) { return ReduceFurther(values, greatest); });
    } catch (const std::bad_alloc&) {
      made = absl::ResourceExhaustedError("the worker has not enough memory to combine its modules");
    } catch (const std::exception& error) {
      made = absl::InternalError(error.what());
    }
    SetStatus(made.status(), *reply.mutable_status());
    if (made.ok()) *reply.mutable_made() = *std::move(made);
  }

  // By way of the dispatcher, in pieces that fit into messages.
  absl::Status ReduceFurther(absl::Span<std::int64_t> values, bool greatest) {
    for (; !values.empty(); values.remove_prefix(std::min(values.size(), limits::kReducedNumbersMax))) {
      CAIRN_RETURN_IF_ERROR(ReducePiece(values.subspan(0, limits::kReducedNumbersMax), greatest));
    }
    return absl::OkStatus();
  }

  absl::Status ReducePiece(absl::Span<std::int64_t> values, bool greatest) {
    v1::WorkerMessage message;
    message.mutable_reduce()->set_greatest(greatest);
    message.mutable_reduce()->mutable_values()->Add(values.begin(), values.end());
    CAIRN_RETURN_IF_ERROR(life_.Send(message));
    v1::WorkerTask answer;
    CAIRN_RETURN_IF_ERROR(ReceiveMessage(socket_.get(), absl::InfiniteDuration(), answer));
    CAIRN_RETURN_IF_ERROR(StatusOf(answer.reduced().status()));
    const auto& reduced = answer.reduced().values();
    if (static_cast<std::size_t>(reduced.size()) != values.size()) {
      return absl::InternalError("the dispatcher has answered something else");
    }
    std::copy(reduced.begin(), reduced.end(), values.begin());
    return absl::OkStatus();
  }

  std::shared_ptr<NodeObjects> objects_;
  UniqueFd socket_;
  LifeSigns life_;
  std::map<std::uint64_t, WorkerSum> sums_;
};

}  // namespace

absl::Status RunWorker(const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(std::shared_ptr<NodeObjects> objects, NodeObjects::Connect(directory));
  CAIRN_ASSIGN_OR_RETURN(UniqueFd socket, ConnectToStream(directory));
  const absl::Status ended = Worker(std::move(objects), std::move(socket)).Run();
  return absl::IsUnavailable(ended) ? absl::OkStatus() : ended;
}

}  // namespace cairn::tree
