#include "server/node/node_sums.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "server/node/update_list.h"

namespace cairn {
namespace {

ReceiptRow ReceiptOf(const v1::ContributeRequest& request) {
  ReceiptRow receipt;
  receipt.federation = request.federation();
  receipt.round = request.round();
  receipt.client = request.client();
  receipt.sha256 = request.sha256();
  receipt.bytes = request.payload_bytes();
  receipt.examples = request.examples();
  receipt.adapter_config = request.adapter_config();
  return receipt;
}

}  // namespace

void NodeSums::Know(const std::string& federation, const Admission& admission) {
  std::lock_guard lock(mutex_);
  if (admission.sums_up) {
    combine_[federation] = admission.combine;
  } else {
    combine_.erase(federation);
  }
}

void NodeSums::Contributed(const v1::ContributeRequest& request) {
  if (workers_ == nullptr) return;
  Method method;
  {
    std::lock_guard lock(mutex_);
    const auto combine = combine_.find(request.federation());
    if (combine == combine_.end()) return;
    method.combine = combine->second;
  }
  auto blob = store_->Find(request.federation(), UpdateName(request.client(), request.sha256()));
  if (!blob.ok()) return;
  workers_->Contributed(request.federation(), request.round(), method, {ReceiptOf(request), *std::move(blob)});
}

std::shared_ptr<std::mutex> NodeSums::LockOf(const std::string& federation) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<std::mutex>& summing = summing_[federation];
  if (summing == nullptr) summing = std::make_shared<std::mutex>();
  return summing;
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::SumOf(const PublishJob& job) {
  if (workers_ != nullptr) {
    auto total = workers_->Sum(job);
    if (total.ok() || absl::IsCancelled(total.status())) return total;
    spdlog::warn("{}: round {}: the gateway adds up the updates itself: {}", job.federation, job.version,
                 total.status().ToString());
  }
  return here_.Sum(job);
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::SumCaught(const v1::UpdateList& order) {
  const std::shared_ptr<std::mutex> summing = LockOf(order.federation());
  const std::lock_guard lock(*summing);
  try {
    CAIRN_ASSIGN_OR_RETURN(PublishJob job, JobOf(order));
    for (Contribution& contribution : job.contributions) {
      CAIRN_RETURN_IF_ERROR(FindPayload(node_, *store_, contribution));
    }
    job.data_dir = data_dir_;
    return SumOf(job);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to add up the updates");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("adding up the updates: ", error.what()));
  }
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::Sum(const v1::UpdateList& order) {
  CAIRN_FAILPOINT("node.before_sum").IgnoreError();
  auto total = SumCaught(order);
  CAIRN_FAILPOINT("node.after_sum").IgnoreError();
  // To the root these mean that the node is away, which it is when it stops.
  if (absl::IsUnavailable(total.status())) return absl::AbortedError(total.status().message());
  if (absl::IsCancelled(total.status())) return absl::UnavailableError(total.status().message());
  return total;
}

void NodeSums::Stop() {
  here_.Stop();
  if (workers_ != nullptr) workers_->Stop();
}

void NodeSums::Forget(const std::string& federation, std::uint64_t round) {
  if (workers_ == nullptr) return;
  const std::shared_ptr<std::mutex> summing = LockOf(federation);
  // Not under a sum that is being made: nobody may want it any more, but it is used. The next round forgets both.
  const std::unique_lock lock(*summing, std::try_to_lock);
  if (lock.owns_lock()) workers_->Forget(federation, round);
}

}  // namespace cairn
