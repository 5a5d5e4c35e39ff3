#include "server/root/publisher.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "base/status_text.h"
#include "server/root/gather.h"
#include "server/root/shards.h"

namespace cairn {
namespace {

// Whether bringing the updates here would change nothing: one must go, or one cannot be had, or the server stops.
// Anything else may be wrong with a node alone.
bool IsFinal(const absl::Status& status) {
  return status.ok() || absl::IsCancelled(status) || absl::IsUnavailable(status) || BlamedClient(status).has_value();
}

// What the nodes make of it together, if that is the end of the matter.
std::optional<absl::StatusOr<Publication>> PublishWithNodes(const PublishJob& job, Nodes* nodes) {
  // Who adds up, with nodes, has each of them add up its own, and brings here what cannot be had otherwise.
  const bool adds_up = job.summer != nullptr && nodes != nullptr;
  if (!adds_up && (job.sharder == nullptr || !job.sharder->reaches_nodes())) return std::nullopt;
  absl::StatusOr<Publication> publication = Publish(job);
  const absl::Status& status = publication.status();
  // The job itself holds memory, which is let go of when everything is fetched.
  if (adds_up ? !IsNoRoom(status) : IsFinal(status)) return publication;
  const bool never = absl::IsUnimplemented(status);  // Of this method, or of these nodes.
  spdlog::log(never ? spdlog::level::info : spdlog::level::warn,
              "{}: version {}: the updates are fetched from their nodes: {}", job.federation, job.version,
              never ? std::string(status.message()) : StatusText(status));
  return std::nullopt;
}

absl::StatusOr<Publication> PublishAnywhere(PublishJob& job, Store* store, Nodes* nodes) {
  if (!AtNodes(job)) return Publish(job);
  if (auto publication = PublishWithNodes(job, nodes)) return *std::move(publication);
  // Everything is found anew: what was lost of a mapping in the first attempt stays zeros there, and would not parse.
  CAIRN_RETURN_IF_ERROR(Gather(job, store, nodes));
  return Publish(job);
}

// A combined module may be larger than any of its parts, and than memory.
absl::StatusOr<Publication> PublishCaught(PublishJob& job, Store* store, Nodes* nodes) {
  try {
    return PublishAnywhere(job, store, nodes);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to combine the updates of this round");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("combining the updates of this round: ", error.what()));
  }
}

}  // namespace

Publisher::Publisher(Store* store, Nodes* nodes, Metrics* metrics, Done done)
    : store_(store), nodes_(nodes), metrics_(metrics), done_(std::move(done)) {
  thread_ = std::thread([this] { Loop(); });
}

void Publisher::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Publisher::Start(PublishJob job) {
  job.metrics = metrics_;
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  wake_.notify_one();  // With the lock: once it is released, the work may lead to the destruction of this object.
}

void Publisher::Loop() {
  while (true) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    PublishJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    CAIRN_FAILPOINT("publisher.before_start").IgnoreError();
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<Publication> publication = PublishCaught(job, store_, nodes_);
    if (absl::IsCancelled(publication.status())) {
      lock.lock();
      if (stopping_) return;
      publication = absl::UnavailableError(publication.status().message());  // Somebody else's.
      lock.unlock();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    metrics_->ObserveStep(job.federation, Metrics::Step::kPublish, seconds.count());
    metrics_->ObserveAggregation(job.federation, job.method.combine, seconds.count());
    CAIRN_FAILPOINT("publisher.before_record").IgnoreError();
    done_(job, std::move(publication));
  }
}

}  // namespace cairn
