#include "server/root/nodes_summer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/status_macros.h"
#include "base/status_text.h"
#include "base/worker_pool.h"
#include "server/root/gather.h"
#include "server/root/sum_file.h"

namespace cairn {
namespace {

constexpr std::size_t kNodesAtOnce = 64;  // A thread for each, which waits for it.

// The job of each node, "" being here.
std::map<std::string, PublishJob> PartsOf(const PublishJob& job) {
  PublishJob none = job;
  none.contributions.clear();
  std::map<std::string, PublishJob> parts;
  for (const Contribution& contribution : job.contributions) {
    const std::string& node = contribution.payload != nullptr ? std::string() : contribution.receipt.node;
    parts.try_emplace(node, none).first->second.contributions.push_back(contribution);
  }
  return parts;
}

absl::Status CheckContributors(const PublishJob& part, const PartialView& view) {
  std::vector<Contributor> asked;
  for (const Contribution& contribution : part.contributions) {
    asked.push_back({contribution.receipt.client, contribution.receipt.sha256, contribution.receipt.examples});
  }
  std::sort(asked.begin(), asked.end(), [](const auto& a, const auto& b) { return a.client < b.client; });
  if (view.combine() == part.method.combine && view.contributors() == asked) return absl::OkStatus();
  return absl::DataLossError("its sum is one of other updates");
}

// Whether the node's answer is the round's, and asking for the updates instead would not help.
bool IsFinal(const absl::Status& status) {
  return status.ok() || BlamedClient(status).has_value() || absl::IsUnavailable(status);
}

template <typename Work>
auto Caught(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to add up the updates of this round");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("adding up the updates of this round: ", error.what()));
  }
}

absl::StatusOr<std::unique_ptr<RoundTotal>> Merged(const PublishJob& job,
                                                   std::vector<std::unique_ptr<RoundTotal>> totals) {
  if (totals.size() == 1) return std::move(totals.front());
  CAIRN_ASSIGN_OR_RETURN(PartialSum sum,
                         PartialSum::Create(job.method.combine, FilePlanes(SumDirectory(job.data_dir))));
  for (std::unique_ptr<RoundTotal>& total : totals) {
    CAIRN_RETURN_IF_ERROR(sum.Merge(total->view()));
    total.reset();
  }
  return std::make_unique<HeldTotal>(std::move(sum));
}

}  // namespace

void NodesSummer::Contributed(const std::string& federation, std::uint64_t round, const Method& method,
                              const Contribution& contribution) {
  if (local_ != nullptr) local_->Contributed(federation, round, method, contribution);
}

void NodesSummer::Stop() {
  here_.Stop();
  if (local_ != nullptr) local_->Stop();
}

void NodesSummer::Forget(const std::string& federation, std::uint64_t round) {
  if (local_ != nullptr) local_->Forget(federation, round);
}

NodesSummer::Total NodesSummer::SumHere(const PublishJob& part) {
  if (local_ != nullptr) {
    Total total = local_->Sum(part);
    if (total.ok() || absl::IsCancelled(total.status())) return total;
    spdlog::warn("{}: version {}: the server adds up its own updates itself: {}", part.federation, part.version,
                 StatusText(total.status()));
  }
  return here_.Sum(part);
}

NodesSummer::Total NodesSummer::SumOfNode(const std::string& node, PublishJob& part) {
  Total total = nodes_->Sum(node, part);
  absl::Status status = total.status();
  if (status.ok()) status = CheckContributors(part, (*total)->view());
  if (status.ok()) return total;
  if (IsFinal(status)) return status;
  spdlog::warn("{}: version {}: no sum from node {}, whose updates ({}) are fetched: {}", part.federation, part.version,
               node, part.contributions.size(), StatusText(status));
  CAIRN_RETURN_IF_ERROR(Gather(part, store_, nodes_));
  total = here_.Sum(part);
  part.contributions.clear();  // Memory, for what comes from other nodes.
  return total;
}

NodesSummer::Total NodesSummer::SumPart(const std::string& node, PublishJob& part) {
  return Caught([&] { return node.empty() ? SumHere(part) : SumOfNode(node, part); });
}

absl::StatusOr<std::unique_ptr<RoundTotal>> NodesSummer::Sum(const PublishJob& job) {
  std::map<std::string, PublishJob> parts = PartsOf(job);
  if (parts.size() == 1 && parts.begin()->first.empty()) {
    return local_ != nullptr ? local_->Sum(job) : absl::UnimplementedError("there is nobody else to add up updates");
  }
  std::vector<Total> made(parts.size());
  {
    WorkerPool pool(static_cast<int>(std::min(kNodesAtOnce, parts.size())));
    auto total = made.begin();
    for (auto& [node, part] : parts) {
      pool.Run([this, &node = node, &part = part, &total = *total++] { total = SumPart(node, part); });
    }
  }
  std::vector<absl::Status> found;
  for (const Total& total : made) found.push_back(total.status());
  CAIRN_RETURN_IF_ERROR(BlameTogether(found));
  std::vector<std::unique_ptr<RoundTotal>> totals;
  for (Total& total : made) totals.push_back(*std::move(total));
  return Merged(job, std::move(totals));
}

}  // namespace cairn
