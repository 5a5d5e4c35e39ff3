#include "server/tree/tree.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/tree/sealed_planes.h"
#include "server/tree/shard_messages.h"
#include "server/tree/task_status.h"
#include "server/tree/update_place.h"

namespace cairn::tree {
namespace {

constexpr absl::Duration kAcceptAgain = absl::Milliseconds(200);  // After the system had no descriptor for a worker.

// Planes that are mapped while the total is read.
class SharedTotal final : public RoundTotal {
 public:
  SharedTotal(PartialView view, std::vector<ReadableObject> planes)
      : planes_(std::move(planes)), view_(std::move(view)) {}
  const PartialView& view() const override { return view_; }

 private:
  std::vector<ReadableObject> planes_;
  PartialView view_;
};

UpdateId IdOf(const ReceiptRow& receipt) {
  return {receipt.client, receipt.sha256, absl::StrCat(receipt.examples, " ", Sha256Hex(receipt.adapter_config))};
}

// Whether a sum is that of the job's updates: what is published does not rest on the dispatcher's books alone.
absl::Status CheckTotal(const PartialView& total, const PublishJob& job) {
  std::map<std::string, const ReceiptRow*> receipts;
  for (const Contribution& contribution : job.contributions) {
    receipts.emplace(contribution.receipt.client, &contribution.receipt);
  }
  bool same = total.combine() == job.method.combine && total.contributors().size() == receipts.size();
  for (const Contributor& who : total.contributors()) {
    const auto found = receipts.find(who.client);
    same = same && found != receipts.end() && found->second->sha256 == who.sha256 &&
           found->second->examples == who.examples;
  }
  return same ? absl::OkStatus() : absl::InternalError("the workers' sum is not that of the round's updates");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tree>> Tree::Start(SharedStore* store, TreeOptions options) {
  RemoveGroups(options.directory);  // Of a process that died.
  CAIRN_ASSIGN_OR_RETURN(StreamListener listener, StreamListener::Open(options.directory));
  return std::unique_ptr<Tree>(new Tree(store, std::move(options), std::move(listener)));
}

Tree::Tree(SharedStore* store, TreeOptions options, StreamListener listener)
    : store_(store), options_(std::move(options)), listener_(std::move(listener)), thread_([this] { Listen(); }) {}

Tree::~Tree() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Worker& worker : workers_) worker.link->Cut();
  }
  changed_.notify_all();
  listener_.Close();
  thread_.join();
  for (Worker& worker : workers_) worker.thread.join();
  for (auto& [key, round] : rounds_) round.over = true;
  for (const ObjectKey& key : TakeUseless()) store_->Remove(key).IgnoreError();
}

void Tree::Listen() {
  while (true) {
    absl::StatusOr<UniqueFd> socket = listener_.Accept();
    if (absl::IsCancelled(socket.status())) return;
    JoinEnded();
    auto link =
        socket.ok() ? WorkerLink::Open(*std::move(socket), {options_.silence, options_.stuck}) : socket.status();
    if (!link.ok()) {
      spdlog::warn("workers: {}", link.status().ToString());
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, absl::ToChronoMilliseconds(kAcceptAgain), [this] { return stopping_; })) return;
      continue;
    }
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (workers_.size() >= limits::kWorkersMax) {
      spdlog::warn("workers: more than {} connections: one is closed", limits::kWorkersMax);
      continue;
    }
    Worker& worker = workers_.emplace_back();
    worker.id = ++last_number_;
    worker.link = *std::move(link);
    worker.thread = std::thread([this, &worker] { Drive(worker); });
  }
}

void Tree::JoinEnded() {
  std::list<Worker> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto worker = workers_.begin(); worker != workers_.end();) {
      const auto here = worker++;
      if (here->ended) ended.splice(ended.end(), workers_, here);
    }
  }
  for (Worker& worker : ended) worker.thread.join();
}

void Tree::Drive(Worker& worker) {
  const absl::Status ended = Work(worker);
  worker.link->Cut();
  options_.on_lost(worker.link->process());
  std::vector<ObjectKey> useless;
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && !sums_end_) spdlog::warn("worker {} is lost: {}", worker.link->process().pid, ended.ToString());
    Lose(worker.id);
    worker.ended = true;
    sweep_ = true;
    worker.greeted = false;
    useless = TakeUseless();
  }
  changed_.notify_all();
  for (const ObjectKey& key : useless) store_->Remove(key).IgnoreError();
}

absl::Status Tree::Work(Worker& worker) {
  CAIRN_RETURN_IF_ERROR(worker.link->Greet());
  std::unique_lock lock(mutex_);
  worker.greeted = true;
  spdlog::info("worker {} is there", worker.link->process().pid);
  changed_.notify_all();
  while (true) {
    std::optional<Job> job;
    changed_.wait(lock,
                  [&] { return stopping_ || worker.link->Gone() || sweep_ || (job = NextFor(worker.id)).has_value(); });
    if (stopping_) return absl::CancelledError("stopping");
    if (sweep_ && !job) {
      RemoveUseless(lock);
      continue;
    }
    if (!job) return absl::UnavailableError("it ended");
    ObserveBegin(*job);
    lock.unlock();
    CAIRN_FAILPOINT("tree.before_task").IgnoreError();
    const absl::StatusOr<v1::WorkerReply> reply =
        worker.link->Call(job->task, [this](const v1::WorkerReduce& reduce) { return ReduceFurther(reduce); });
    CAIRN_FAILPOINT("tree.after_reply").IgnoreError();
    lock.lock();
    // A message that is too large is no fault of the worker.
    if (!reply.ok() && !absl::IsResourceExhausted(reply.status())) return reply.status();
    if (reply.ok()) CAIRN_RETURN_IF_ERROR(CheckSealed(worker, reply->sealed()));
    if (reply.ok()) CAIRN_RETURN_IF_ERROR(CheckFile(job->task.shard(), reply->made()));
    if (reply.ok()) ObserveEnd(*job, reply->seconds());
    Apply(worker.id, *job, reply.ok() ? *reply : Failure(*job, reply.status()));
    changed_.notify_all();
    RemoveUseless(lock);
  }
}

// What it hands over is read and removed here.
absl::Status Tree::CheckSealed(const Worker& worker, const v1::SealedPartial& sealed) const {
  if (sealed.planes().empty()) return absl::OkStatus();
  return CheckPlanes(sealed, worker.link->process(), KnownPlanes(),
                     [this](const ObjectKey& key) { return store_->Find(key); });
}

// The reply to a task that was not given.
v1::WorkerReply Tree::Failure(const Job& job, const absl::Status& why) {
  v1::WorkerReply reply;
  SetStatus(why, *reply.mutable_status());
  for (int i = 0; i < job.task.fold().updates_size(); ++i) SetStatus(why, *reply.add_updates());
  return reply;
}

std::optional<Tree::Job> Tree::NextFor(WorkerId worker) {
  if (sharding_ != nullptr) {
    auto task = sharding_->tasks.extract(worker);
    if (!task.empty()) return Job{{}, std::nullopt, std::move(task.mapped())};
  }
  const LeafRoom room = Room();
  for (const bool closed : {true, false}) {  // The publisher waits for those that are.
    for (auto& [key, round] : rounds_) {
      if (round.over && round.sum.Holds(worker)) return JobOf(key, round, Drop{});
      if (round.over || round.sum.closed() != closed) continue;
      if (auto action = round.sum.Next(worker, LeavesMaxOf(round, room))) return JobOf(key, round, *std::move(action));
    }
  }
  return std::nullopt;
}

Tree::Job Tree::JobOf(const RoundKey& key, Round& round, Action action) {
  Job job{key, std::move(action), {}};
  job.task.set_sum(round.number);
  if (const Fold* fold = std::get_if<Fold>(&*job.action)) {
    job.task.mutable_fold()->set_combine(round.combine);
    for (const UpdateId& update : fold->updates) {
      const Place& known = round.places.at(update);
      v1::UpdatePlace& place = *job.task.mutable_fold()->add_updates() = known.place;
      place.set_adapter_config(known.adapter_config.text());
    }
  } else if (const Merge* merge = std::get_if<Merge>(&*job.action)) {
    *job.task.mutable_merge() = round.partials.at(merge->partial);
  } else if (std::holds_alternative<Seal>(*job.action)) {
    job.task.mutable_seal();
  } else {
    job.task.mutable_drop();
  }
  return job;
}

void Tree::ObserveBegin(const Job& job) {
  const Fold* const fold = job.action ? std::get_if<Fold>(&*job.action) : nullptr;
  if (fold == nullptr || options_.metrics == nullptr) return;
  std::map<UpdateId, absl::Time>& queued = rounds_.at(job.round).queued;
  const absl::Time now = absl::Now();
  for (const UpdateId& update : fold->updates) {
    const auto entry = queued.extract(update);
    if (entry.empty()) continue;  // Not for the first time.
    options_.metrics->ObserveStep(job.round.first, Metrics::Step::kQueue, absl::ToDoubleSeconds(now - entry.mapped()));
  }
}

void Tree::ObserveEnd(const Job& job, double seconds) {
  if (!job.action || options_.metrics == nullptr) return;
  if (const Fold* const fold = std::get_if<Fold>(&*job.action)) {
    const double each = seconds / static_cast<double>(fold->updates.size());
    for (std::size_t i = 0; i < fold->updates.size(); ++i) {
      options_.metrics->ObserveStep(job.round.first, Metrics::Step::kFold, each);
    }
  } else if (std::holds_alternative<Merge>(*job.action)) {
    options_.metrics->ObserveStep(job.round.first, Metrics::Step::kMerge, seconds);
  }
}

void Tree::Apply(WorkerId worker, const Job& job, const v1::WorkerReply& reply) {
  const absl::Status status = StatusOf(reply.status());
  if (!job.action) {
    if (sharding_ == nullptr) return;
    sharding_->made.emplace(worker, status.ok() ? absl::StatusOr<v1::ShardMade>(reply.made()) : status);
    if (!status.ok()) sharding_->lost = true;  // The others may wait for it to join their group.
    return;
  }
  Round& round = rounds_.at(job.round);
  Measure(round, worker, reply);
  if (std::holds_alternative<Drop>(*job.action)) {
    round.sum.Dropped(worker);
  } else if (std::holds_alternative<Fold>(*job.action)) {
    std::vector<absl::Status> results;
    for (const v1::TaskStatus& result : reply.updates()) results.push_back(StatusOf(result));
    round.sum.Folded(worker, results);
    if (reply.lost()) round.sum.Lost(worker);
  } else if (!status.ok()) {
    spdlog::warn("{}: round {}: a worker failed: {}", job.round.first, job.round.second, status.ToString());
    const std::vector<ObjectKey> sealed = KeysOf(reply.sealed());  // Of a seal that went half way.
    useless_.insert(useless_.end(), sealed.begin(), sealed.end());
    round.sum.Failed(worker, status);
  } else if (std::holds_alternative<Merge>(*job.action)) {
    round.sum.Merged(worker);
  } else {
    const PartialId partial = ++last_number_;
    round.partials[partial] = reply.sealed();
    round.sum.Sealed(worker, partial);
  }
  Conclude(round);
}

Tree::Round& Tree::RoundOf(const RoundKey& key, const Method& method) {
  const auto [entry, made] = rounds_.try_emplace(key);
  Round& round = entry->second;
  if (made) {
    round.number = ++last_number_;
    round.combine = method.combine;
  }
  return round;
}

// Its id, of which there is one text from now on.
UpdateId Tree::Know(Round& round, const Contribution& contribution) {
  round.bytes_max = std::max(round.bytes_max, contribution.receipt.bytes);
  const auto entry = round.places.try_emplace(IdOf(contribution.receipt)).first;
  entry->second = {PlaceOf(contribution), round.adapter_configs.Of(contribution.receipt.adapter_config)};
  return entry->first;
}

void Tree::Contributed(const std::string& federation, std::uint64_t number, const Method& method,
                       const Contribution& contribution) {
  {
    std::lock_guard lock(mutex_);
    Round& round = RoundOf({federation, number}, method);
    const UpdateId id = Know(round, contribution);
    if (options_.metrics != nullptr) round.queued.emplace(id, absl::Now());
    round.sum.Offer(id);
  }
  changed_.notify_all();
}

absl::StatusOr<std::unique_ptr<RoundTotal>> Tree::Sum(const PublishJob& job) {
  std::unique_lock lock(mutex_);
  const RoundKey key{job.federation, job.version};
  Round& round = RoundOf(key, job.method);
  UpdateSet wanted;
  for (const Contribution& contribution : job.contributions) wanted.insert(Know(round, contribution));
  round.sum.Close(std::move(wanted));
  Conclude(round);
  changed_.notify_all();
  const auto idle = [this] {
    return std::none_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.greeted; });
  };
  // Of a round that was forgotten meanwhile nothing is left.
  const auto forgotten = [&] {
    const auto there = rounds_.find(key);
    return there == rounds_.end() || there->second.over;
  };
  const auto over = [&] {
    return stopping_ || sums_end_ || forgotten() || round.sum.finished() || !round.sum.failure().ok();
  };
  while (!over()) {
    if (!idle()) {
      changed_.wait(lock, [&] { return over() || idle(); });
    } else if (!changed_.wait_for(lock, absl::ToChronoMilliseconds(options_.patience),
                                  [&] { return over() || !idle(); })) {
      return absl::UnavailableError(absl::StrCat("no worker has come for ", absl::FormatDuration(options_.patience)));
    }
  }
  if (stopping_ || sums_end_) return absl::CancelledError("the server is stopping");
  if (forgotten()) return absl::CancelledError(absl::StrCat("round ", key.second, " is over"));
  CAIRN_RETURN_IF_ERROR(round.sum.failure());
  const v1::SealedPartial total = round.partials.at(*round.sum.finished());
  lock.unlock();
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<RoundTotal> sum, TotalOf(total));
  CAIRN_RETURN_IF_ERROR(CheckTotal(sum->view(), job));
  return sum;
}

// Without the lock: the store may have to say that a worker is late.
absl::StatusOr<std::unique_ptr<RoundTotal>> Tree::TotalOf(const v1::SealedPartial& partial) {
  std::vector<ReadableObject> objects;
  std::vector<absl::Span<const std::int64_t>> planes;
  for (const ObjectKey& key : KeysOf(partial)) {
    CAIRN_ASSIGN_OR_RETURN(ReadableObject object, store_->Get(key));
    const absl::string_view bytes = object.bytes();
    planes.emplace_back(reinterpret_cast<const std::int64_t*>(bytes.data()), bytes.size() / sizeof(std::int64_t));
    objects.push_back(std::move(object));
  }
  CAIRN_ASSIGN_OR_RETURN(PartialView view, PartialView::Parse(partial.index(), std::move(planes)));
  return std::make_unique<SharedTotal>(std::move(view), std::move(objects));
}

void Tree::Stop() {
  {
    std::lock_guard lock(mutex_);
    sums_end_ = true;
  }
  changed_.notify_all();
}

void Tree::SessionEnded() {
  {
    std::lock_guard lock(mutex_);
    sweep_ = true;
  }
  changed_.notify_all();
}

void Tree::WorkerEnded(const ProcessId& process) {
  {
    std::lock_guard lock(mutex_);
    for (Worker& worker : workers_) {
      if (worker.link->process() == process) worker.link->Cut();
    }
  }
  changed_.notify_all();
}

std::size_t Tree::workers() const {
  std::lock_guard lock(mutex_);
  return std::count_if(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.greeted; });
}

}  // namespace cairn::tree
