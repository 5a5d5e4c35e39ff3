#include "server/root/coordinator.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "server/root/published_files.h"
#include "server/root/summer.h"

namespace cairn {
namespace {

constexpr char kDatabaseFile[] = "cairn.sqlite";
constexpr absl::Duration kRetryInterval = absl::Seconds(1);  // Of what could not be put on record.
constexpr absl::Duration kLongestSleep = absl::Seconds(60);  // Bounds the effect of a clock that jumps.

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, Store* store, Metrics* metrics, const Clock* clock)
    : options_(std::move(options)), clock_(clock) {
  host_.store = store;
  host_.metrics = metrics;
  host_.clock = clock;
  host_.data_dir = options_.data_dir;
  host_.durable = options_.durable;
  if (options_.nodes != nullptr) nodes_summer_.emplace(options_.summer, options_.nodes, store);
  host_.summer = nodes_summer_ ? &*nodes_summer_ : options_.summer;
  host_.sharder = options_.sharder;
  host_.nodes = options_.nodes;
  if (options_.nodes != nullptr) host_.places = &placer_.emplace(metrics).places();
  host_.AfterCommit = [this](std::function<void()> action) { after_commit_.push_back(std::move(action)); };
  host_.Announce = [this](const Notice& notice) { Announce(notice); };
  host_.StartPublishing = [this](PublishJob job) { StartPublishing(std::move(job)); };
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Open(CoordinatorOptions options, Store* store,
                                                               Metrics* metrics, const Clock* clock) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(std::move(options), store, metrics, clock));
  CAIRN_ASSIGN_OR_RETURN(coordinator->database_,
                         Database::Open(coordinator->options_.data_dir / kDatabaseFile,
                                        coordinator->options_.durable ? Database::Sync::kFull : Database::Sync::kOff));
  CAIRN_ASSIGN_OR_RETURN(coordinator->identity_, coordinator->database_->Identity());
  coordinator->host_.database = coordinator->database_.get();
  coordinator->publisher_ = std::make_unique<Publisher>(
      store, coordinator->options_.nodes, metrics,
      [self = coordinator.get()](const PublishJob& job, absl::StatusOr<Publication> publication) {
        self->PublishingEnded(job.federation, {job.version, job.updates, std::move(publication)});
      });
  for (const FederationOptions& federation : coordinator->options_.federations) {
    CAIRN_ASSIGN_OR_RETURN(const auto digests, coordinator->database_->LoadAdapterDigests(federation.name));
    RemoveOtherAdapters(coordinator->options_.data_dir, federation.name, digests);
  }
  CAIRN_RETURN_IF_ERROR(coordinator->LoadFederations());
  // Later it may come to be that none is there: then each is tried again by itself.
  if (coordinator->federations_.empty() && !coordinator->failed_.empty()) {
    return coordinator->failed_.begin()->second.why;
  }
  // Loading may take long, and nobody can attend before.
  coordinator->host_.away_from = clock->Now() + kNodesReturnMax;
  for (const auto& [name, federation] : coordinator->federations_) federation->AwaitNodes();
  coordinator->thread_ = std::thread([self = coordinator.get()] { self->Loop(); });
  return coordinator;
}

Coordinator::~Coordinator() {
  if (!thread_.joinable()) return;
  if (host_.summer != nullptr) host_.summer->Stop();      // The publisher may wait for workers, and they for nothing.
  if (options_.nodes != nullptr) options_.nodes->Stop();  // Nor for room, which its own job may take.
  // Its last result is queued and carried out. What is still queued may start jobs: they are ignored.
  publisher_->Stop();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Coordinator::RunAfterCommit() {
  ++host_.transaction;
  for (auto& action : std::exchange(after_commit_, {})) action();
}

Federation* Coordinator::Find(const std::string& name) {
  auto it = federations_.find(name);
  return it == federations_.end() ? nullptr : it->second.get();
}

absl::Status Coordinator::NoFederation(const std::string& name) const {
  const std::string known = absl::StrJoin(options_.federations, ", ", [](std::string* out, const FederationOptions& f) {
    absl::StrAppend(out, "\"", f.name, "\"");
  });
  return absl::NotFoundError(absl::StrCat("no federation \"", name, "\" here; this server runs ", known));
}

// A federation that is loaded again asks once more for what is in hand. A second job would start when the version of
// the first is on record, whose files it must not touch any more. When other updates are wanted now, the federation
// asks again once it has heard of the first.
void Coordinator::StartPublishing(PublishJob job) {
  if (in_hand_.insert(job.federation).second) publisher_->Start(std::move(job));
}

void Coordinator::PublishingEnded(const std::string& federation, Result result) {
  auto shared = std::make_shared<const Result>(std::move(result));
  RunStatus(
      federation,
      [this, shared](Federation& f) {
        // Before what the result leads to, which may be the next job, and not if the transaction is forgotten.
        host_.AfterCommit([this, name = f.name()] { in_hand_.erase(name); });
        const absl::Status ended = f.PublishingEnded(shared->version, shared->updates, shared->publication);
        database_->Refuse(ended);  // It is told again.
        return absl::OkStatus();
      },
      [this, federation, shared](const absl::Status& told) {
        if (!told.ok()) untold_.push_back({federation, *shared, clock_->Now() + kRetryInterval});
      });
}

void Coordinator::RetryUntold() {
  const absl::Time now = clock_->Now();
  for (Untold& untold : std::exchange(untold_, {})) {
    if (now < untold.retry_at) {
      untold_.push_back(std::move(untold));
    } else {
      PublishingEnded(untold.federation, std::move(untold.result));
    }
  }
}

template <typename T>
void Coordinator::Run(std::string name, std::function<absl::StatusOr<T>(Federation&)> body, Done<T> done) {
  Enqueue([this, name = std::move(name), body = std::move(body),
           done = std::move(done)](const absl::Status& begun) -> Reply {
    auto attempt = [&]() -> absl::StatusOr<T> {
      CAIRN_RETURN_IF_ERROR(begun);
      Federation* federation = FindOrLoad(name);
      return federation == nullptr ? Failure(name) : body(*federation);
    };
    // An error, too, may rest on what was not committed.
    return [result = attempt(), done](const absl::Status& committed) mutable {
      done(committed.ok() ? std::move(result) : absl::StatusOr<T>(committed));
    };
  });
}

void Coordinator::RunStatus(std::string federation, std::function<absl::Status(Federation&)> body,
                            std::function<void(absl::Status)> done) {
  Run<bool>(
      std::move(federation),
      [body = std::move(body)](Federation& f) -> absl::StatusOr<bool> {
        CAIRN_RETURN_IF_ERROR(body(f));
        return true;
      },
      [done = std::move(done)](const absl::StatusOr<bool>& result) { done(result.status()); });
}

void Coordinator::Join(const std::string& federation, const std::string& client, std::optional<AdapterSpec> spec,
                       Done<JoinResult> done) {
  Run<JoinResult>(
      federation,
      [client, spec = std::move(spec)](Federation& f) -> absl::StatusOr<JoinResult> {
        CAIRN_RETURN_IF_ERROR(f.Join(client, spec));
        return JoinResult{f.spec(), f.snapshot()};
      },
      std::move(done));
}

void Coordinator::Leave(const std::string& federation, const std::string& client,
                        std::function<void(absl::Status)> done) {
  RunStatus(
      federation, [client](Federation& f) { return f.Leave(client); }, std::move(done));
}

void Coordinator::Place(const PlaceQuery& query, Done<std::string> done) {
  if (!placer_) return done("");
  RunStatus(
      query.federation, [query](Federation& f) { return f.CheckJoined(query.client); },
      [this, query, done = std::move(done)](const absl::Status& joined) {
        if (!joined.ok()) return done(joined);
        placer_->Ask(query, clock_->Now(), done);
      });
}

void Coordinator::CheckUpload(const UploadKey& key, Done<Admission> done) {
  Run<Admission>(
      key.federation,
      [key](Federation& f) -> absl::StatusOr<Admission> {
        CAIRN_ASSIGN_OR_RETURN(auto receipt, f.CheckUpload(key));
        return Admission{std::move(receipt), f.spec(), f.combine(), f.sums_up()};
      },
      std::move(done));
}

void Coordinator::Progress(const UploadKey& key, std::uint64_t received) {
  RunStatus(
      key.federation,
      [key, received](Federation& f) {
        f.Progress(key, received);
        return absl::OkStatus();
      },
      [](const absl::Status&) {});
}

void Coordinator::UploadEnded(const UploadKey& key, const absl::Status& refusal) {
  RunStatus(
      key.federation,
      [key, refusal](Federation& f) {
        f.UploadEnded(key, refusal);
        return absl::OkStatus();
      },
      [](const absl::Status&) {});
}

void Coordinator::Contribute(SealedUpdate update, Done<ReceiptRow> done) {
  const std::string federation = update.key.federation;
  Run<ReceiptRow>(
      federation, [update = std::move(update)](Federation& f) { return f.Contribute(update); }, std::move(done));
}

void Coordinator::KeptBy(const std::string& node, const std::string& federation, Done<Kept> done) {
  Run<Kept>(
      federation, [node](Federation& f) { return f.KeptBy(node); }, std::move(done));
}

void Coordinator::UpdatesLost(const std::string& node, const std::string& federation, std::uint64_t round,
                              std::set<std::string> names, std::function<void(absl::Status)> done) {
  RunStatus(
      federation, [node, round, names = std::move(names)](Federation& f) { return f.UpdatesLost(node, round, names); },
      std::move(done));
}

void Coordinator::FindVersion(const std::string& federation, std::uint64_t version, bool delta,
                              Done<VersionFile> done) {
  Run<VersionFile>(
      federation,
      [this, version, delta](Federation& f) -> absl::StatusOr<VersionFile> {
        const std::uint64_t wanted = version != 0 ? version : f.version();
        if (wanted == 0) return absl::NotFoundError(absl::StrCat("nothing of \"", f.name(), "\" is published yet"));
        CAIRN_ASSIGN_OR_RETURN(auto row, database_->LoadVersion(f.name(), wanted));
        if (!row)
          return absl::NotFoundError(absl::StrCat("version ", wanted, " of \"", f.name(), "\" is not published"));
        if (delta && !row->delta) {
          return absl::FailedPreconditionError(absl::StrCat("\"", f.name(),
                                                            "\" starts rounds from the whole adapter (combine ",
                                                            f.combine(), "); its versions have no delta"));
        }
        const AdapterFile& file = delta ? *row->delta : row->whole;
        return VersionFile{wanted, file, AdapterPath(options_.data_dir, f.name(), file.sha256)};
      },
      std::move(done));
}

void Coordinator::Snapshots(const std::string& federation, Done<std::vector<std::shared_ptr<const Snapshot>>> done) {
  Enqueue([this, federation, done = std::move(done)](const absl::Status&) -> Reply {
    return [this, federation, done](const absl::Status&) {
      if (!health_.ok()) return done(absl::UnavailableError(health_.message()));
      std::vector<std::shared_ptr<const Snapshot>> snapshots;
      for (const auto& [name, f] : federations_) {
        if (federation.empty() || federation == name) snapshots.push_back(f->snapshot());
      }
      for (const FederationOptions& options : options_.federations) {
        const auto failed = failed_.find(options.name);
        if (failed == failed_.end() || !(federation.empty() || federation == options.name)) continue;
        snapshots.push_back(FailedSnapshot(options, failed->second.why));
      }
      if (snapshots.empty()) return done(NoFederation(federation));
      done(std::move(snapshots));
    };
  });
}

void Coordinator::Subscribe(const std::string& federation, Listener listener, Done<Subscription> done) {
  Enqueue([this, federation, listener = std::move(listener), done = std::move(done)](const absl::Status&) -> Reply {
    return [this, federation, listener, done](const absl::Status&) {
      if (!health_.ok()) return done(absl::UnavailableError(health_.message()));
      Federation* f = Find(federation);
      if (f == nullptr) return done(Failure(federation));
      Subscription subscription;
      {
        std::lock_guard lock(listeners_mutex_);
        subscription = next_subscription_++;
        listener(Notice{Notice::Kind::kSnapshot, f->snapshot(), "", "", clock_->Now()});
        listeners_.emplace(subscription, std::make_pair(federation, listener));
      }
      done(subscription);
    };
  });
}

void Coordinator::Unsubscribe(Subscription subscription) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.erase(subscription);
}

void Coordinator::Announce(const Notice& notice) {
  std::lock_guard lock(listeners_mutex_);
  for (const auto& [subscription, entry] : listeners_) {
    if (entry.first == notice.snapshot->federation) entry.second(notice);
  }
}

void Coordinator::Enqueue(Task task) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(task));
  wake_.notify_one();  // With the lock: once it is released, the work may lead to the destruction of this object.
}

absl::Time Coordinator::NextAlarm() const {
  absl::Time alarm = clock_->Now() + kLongestSleep;
  for (const auto& [name, federation] : federations_) alarm = std::min(alarm, federation->next_alarm());
  for (const Untold& untold : untold_) alarm = std::min(alarm, untold.retry_at);
  if (!left_untold_.empty()) alarm = clock_->Now();
  if (placer_) alarm = std::min(alarm, placer_->next_alarm());
  return std::max(alarm, not_before_);
}

void Coordinator::Loop() {
  while (true) {
    RetryUntold();
    std::vector<Task> batch;
    {
      std::unique_lock lock(mutex_);
      const absl::Duration sleep = std::max(NextAlarm() - clock_->Now(), absl::ZeroDuration());
      wake_.wait_for(lock, absl::ToChronoNanoseconds(sleep), [this] { return stopping_ || !queue_.empty(); });
      if (stopping_ && queue_.empty()) return;
      batch.swap(queue_);
    }
    batch.push_back([this](const absl::Status& begun) -> Reply {
      if (begun.ok()) TellWhoLeft();
      if (begun.ok()) TickDue();
      return [](const absl::Status&) {};
    });
    RunBatch(std::move(batch));
    if (placer_) placer_->Run(clock_->Now());
  }
}

void Coordinator::TickDue() {
  for (auto& [name, federation] : federations_) {
    if (clock_->Now() < federation->next_alarm()) continue;
    if (absl::Status status = federation->Tick(); !status.ok()) spdlog::error("{}: {}", name, status.ToString());
  }
}

void Coordinator::RunBatch(std::vector<Task> batch) {
  if (!health_.ok()) health_ = LoadFederations();
  const absl::Status begun = health_.ok() ? database_->Begin() : health_;
  std::vector<Reply> replies;
  for (Task& task : batch) replies.push_back(task(begun));
  absl::Status committed = begun;
  if (begun.ok()) {
    CAIRN_FAILPOINT("root.before_commit").IgnoreError();
    committed = database_->Commit();
    CAIRN_FAILPOINT("root.after_commit").IgnoreError();
    if (!committed.ok()) Reload();
  }
  if (!committed.ok()) {
    spdlog::error("{}; the last {} requests are refused", committed.ToString(), batch.size());
    committed = absl::UnavailableError(committed.message());
  }
  not_before_ = committed.ok() ? absl::InfinitePast() : clock_->Now() + kRetryInterval;
  // Before the replies: what a client does next must not meet what is still to be done for this transaction.
  RunAfterCommit();
  for (Reply& reply : replies) reply(committed);
}

// What memory says and what the disk says differ after a failed commit, and the disk is right.
void Coordinator::Reload() {
  database_->Rollback();
  health_ = LoadFederations();
  if (!health_.ok()) spdlog::error("reloading the federations failed: {}", health_.ToString());
}

}  // namespace cairn
