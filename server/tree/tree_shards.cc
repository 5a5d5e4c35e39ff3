// Rounds that the workers of a node combine together, each its own modules.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/status_text.h"
#include "server/root/published_files.h"
#include "server/tree/shard_messages.h"
#include "server/tree/shard_task.h"
#include "server/tree/task_status.h"
#include "server/tree/tree.h"

namespace cairn::tree {
namespace {

namespace fs = std::filesystem;

constexpr int kAttemptsMax = 3;                            // Each with those that are left.
constexpr absl::Duration kLossNoticed = absl::Seconds(2);  // By the other members of a lost one's group.
constexpr char kGroupPrefix[] = "group-";

// A place for the members to find each other.
class MeetingPlace {
 public:
  explicit MeetingPlace(fs::path directory) : directory_(std::move(directory)) {
    std::error_code error;
    fs::create_directories(directory_, error);
  }
  ~MeetingPlace() {
    std::error_code error;
    fs::remove_all(directory_, error);
  }
  std::string name() const { return absl::StrCat("file:", fs::absolute(directory_).native()); }

 private:
  const fs::path directory_;
};

}  // namespace

void Tree::RemoveGroups(const fs::path& directory) {
  const auto entries = ListDirectory(directory);
  if (!entries.ok()) return;
  for (const fs::path& entry : *entries) {
    std::error_code error;
    if (absl::StartsWith(entry.filename().native(), kGroupPrefix)) fs::remove_all(entry, error);
  }
}

std::vector<WorkerId> Tree::Greeted() const {
  std::vector<WorkerId> ids;
  for (const Worker& worker : workers_) {
    if (worker.greeted) ids.push_back(worker.id);
  }
  return ids;
}

absl::StatusOr<std::vector<ShardPart>> Tree::Combine(const PublishJob& job, std::shared_ptr<const Shard> share) {
  std::lock_guard one_at_a_time(sharding_mutex_);
  absl::Status last;
  // With other nodes, all of them must begin again.
  const int attempts = share == nullptr ? kAttemptsMax : 1;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    std::vector<WorkerId> members;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, absl::ToChronoMilliseconds(options_.patience),
                        [this] { return stopping_ || sums_end_ || !Greeted().empty(); });
      if (stopping_ || sums_end_) return absl::CancelledError("the server is stopping");
      members = Greeted();
    }
    if (members.empty()) return std::vector<ShardPart>();
    auto parts = CombineWith(members, job, share);
    if (parts.ok()) return parts;
    RemoveShardFiles(job.data_dir, job.federation);
    if (!absl::IsUnavailable(parts.status())) return parts;
    last = parts.status();
    if (attempt + 1 == attempts) break;
    spdlog::warn("{}: version {}: {}; once more with those that are left", job.federation, job.version,
                 StatusText(last));
  }
  return last;
}

absl::StatusOr<std::vector<ShardPart>> Tree::CombineWith(const std::vector<WorkerId>& members, const PublishJob& job,
                                                         const std::shared_ptr<const Shard>& share) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<v1::ShardTask> tasks, SplitJob(job, members.size(), share.get()));
  Sharding sharding;
  sharding.share = share;
  std::string attempt;
  // Nobody has met there before, in an earlier process of this server neither.
  attempt = absl::StrCat("a", absl::Hex(std::random_device()(), absl::kZeroPad8),
                         absl::Hex(std::random_device()(), absl::kZeroPad8));
  const MeetingPlace place(options_.directory / absl::StrCat(kGroupPrefix, attempt));
  for (std::size_t i = 0; i < members.size(); ++i) {
    tasks[i].set_attempt(attempt);
    tasks[i].set_rendezvous(place.name());
    tasks[i].set_file(fs::absolute(ShardPath(job.data_dir, job.federation, absl::StrCat(attempt, "-", i))).native());
    *sharding.tasks[members[i]].mutable_shard() = std::move(tasks[i]);
    sharding.members.insert(members[i]);
  }
  CAIRN_RETURN_IF_ERROR(RunSharding(sharding));
  std::vector<ShardPart> parts;
  absl::Status failed;
  for (const auto& [worker, made] : sharding.made) {
    if (made.ok()) {
      CAIRN_ASSIGN_OR_RETURN(ShardPart part, PartOf(*made, job));
      parts.push_back(std::move(part));
    } else if (failed.ok() || absl::IsUnavailable(failed)) {
      failed = made.status();  // What the others say is that this one left.
    }
  }
  if (!failed.ok()) return failed;
  spdlog::info("{}: version {}: combined by {}, each some of the modules", job.federation, job.version,
               members.size() == 1 ? "one worker" : absl::StrCat(members.size(), " workers"));
  return parts;
}

WorkerLink::FindAnswer Tree::ReduceFurther(const v1::WorkerReduce& reduce) {
  std::shared_ptr<const Shard> share;
  {
    std::lock_guard lock(mutex_);
    if (sharding_ != nullptr) share = sharding_->share;
  }
  return [share, reduce] {
    std::vector<std::int64_t> values(reduce.values().begin(), reduce.values().end());
    absl::Status reduced = absl::FailedPreconditionError("no other node combines this round");
    if (share != nullptr) reduced = (reduce.greatest() ? share->max : share->sum)(absl::MakeSpan(values));
    v1::WorkerTask answer;
    SetStatus(reduced, *answer.mutable_reduced()->mutable_status());
    if (reduced.ok()) answer.mutable_reduced()->mutable_values()->Add(values.begin(), values.end());
    return answer;
  };
}

absl::Status Tree::RunSharding(Sharding& sharding) {
  std::unique_lock lock(mutex_);
  const std::vector<WorkerId> there = Greeted();
  for (const WorkerId member : sharding.members) {
    if (std::find(there.begin(), there.end(), member) == there.end()) {
      return absl::UnavailableError("a worker was lost");
    }
  }
  sharding_ = &sharding;
  changed_.notify_all();
  // Those that are stopped are lost after a while, and so nobody waits for ever.
  const auto over = [&] { return sharding.made.size() == sharding.members.size(); };
  const auto ends = [&] { return over() || stopping_ || sums_end_; };
  changed_.wait(lock, [&] { return ends() || sharding.lost; });
  // The others may wait for the lost one to join their group. What they hold of other rounds is done again.
  if (!changed_.wait_for(lock, absl::ToChronoMilliseconds(kLossNoticed), ends)) {
    for (Worker& worker : workers_) {
      if (sharding.members.count(worker.id) > 0 && sharding.made.count(worker.id) == 0) worker.link->Cut();
    }
    changed_.notify_all();
    changed_.wait(lock, ends);
  }
  sharding_ = nullptr;
  return over() ? absl::OkStatus() : absl::CancelledError("the server is stopping");
}

}  // namespace cairn::tree
