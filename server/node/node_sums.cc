#include "server/node/node_sums.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "base/status_text.h"
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

Turns& NodeSums::TurnsOf(const std::string& federation) {
  std::lock_guard lock(mutex_);
  return summing_[federation];
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::SumOf(const PublishJob& job, const Errand& errand) {
  if (workers_ != nullptr) {
    auto total = [&] {
      const Errand::AwaitsOthers waits(errand);  // Their dispatcher sees whether they get on.
      return workers_->Sum(job);
    }();
    if (total.ok() || absl::IsCancelled(total.status())) return total;
    spdlog::warn("{}: round {}: the gateway adds up the updates itself: {}", job.federation, job.version,
                 StatusText(total.status()));
  }
  return here_.Sum(job);
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::SumCaught(const v1::UpdateList& order,
                                                                const std::shared_ptr<const Errand>& errand) {
  CAIRN_ASSIGN_OR_RETURN(const auto turn, TurnsOf(order.federation()).Await(errand));
  try {
    CAIRN_ASSIGN_OR_RETURN(PublishJob job, JobOf(order));
    std::vector<absl::Status> found;
    for (Contribution& contribution : job.contributions) found.push_back(FindPayload(node_, *store_, contribution));
    CAIRN_RETURN_IF_ERROR(BlameTogether(found));
    job.data_dir = data_dir_;
    return SumOf(job, *errand);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to add up the updates");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("adding up the updates: ", error.what()));
  }
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodeSums::Sum(const v1::UpdateList& order,
                                                          const std::shared_ptr<const Errand>& errand) {
  CAIRN_FAILPOINT("node.before_sum").IgnoreError();
  auto total = SumCaught(order, errand);
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
  // Not under a sum that is being made: nobody may want it any more, but it is used. The next round forgets both.
  const auto turn = TurnsOf(federation).TryTake();
  if (turn != nullptr) workers_->Forget(federation, round);
}

}  // namespace cairn
