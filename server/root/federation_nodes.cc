// What a federation does about updates that lie at nodes.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/root/federation.h"
#include "server/root/gather.h"
#include "server/root/summer.h"

namespace cairn {
namespace {

struct ByText {
  bool operator()(const std::shared_ptr<const std::string>& x, const std::shared_ptr<const std::string>& y) const {
    return *x < *y;
  }
};

}  // namespace

absl::Status Federation::NodeArrived(const std::string& node) {
  reported_lost_.erase(node);  // Its disk may be back; it says anew, on each connection, what is not there.
  if (state_.away.count(node) != 0) Tell(Notice::Kind::kProgress);  // It waits for something else now.
  return Apply(round::NodeBack{node});
}

absl::Status Federation::NodeLeft(const std::string& node) {
  CAIRN_RETURN_IF_ERROR(Apply(round::NodeLost{node}));
  if (state_.away.count(node) == 0) return absl::OkStatus();
  spdlog::warn("{}: round {}: node {} is away with updates", name(), state_.round, node);
  Tell(Notice::Kind::kProgress);
  return absl::OkStatus();
}

void Federation::AwaitNodes() {
  for (auto& [node, since] : state_.away) since = std::max(since, host_.away_from);
}

absl::StatusOr<Kept> Federation::KeptBy(const std::string& node) const {
  Kept kept{InRound() ? state_.round : state_.round + 1, {}};
  if (!InRound()) return kept;
  CAIRN_ASSIGN_OR_RETURN(const auto receipts, host_.database->LoadReceipts(name(), state_.round));
  for (const ReceiptRow& receipt : receipts) {
    if (receipt.node == node) kept.names.push_back(NameOf(receipt));
  }
  return kept;
}

absl::Status Federation::UpdatesLost(const std::string& node, std::uint64_t round, const std::set<std::string>& names) {
  if (round != state_.round) return absl::OkStatus();
  reported_lost_[node] = names;
  // It may have read them before they were lost; then nothing is.
  if (state_.in_hand()) return absl::OkStatus();
  return Whole(ForgetReported().status());
}

// Whose clients they are. The nodes may let go of theirs.
absl::StatusOr<std::vector<std::string>> Federation::TakeOver(std::vector<ReceiptRow>& receipts) {
  std::vector<std::string> clients;
  if (!host_.durable) return clients;
  for (ReceiptRow& receipt : receipts) {
    if (receipt.node.empty()) continue;
    const auto copy = host_.store->Find(name(), NameOf(receipt));
    if (!copy.ok() || (*copy)->bytes().size() != receipt.bytes) continue;
    CAIRN_RETURN_IF_ERROR(host_.database->DeleteNodeUpdate(name(), receipt.round, receipt.client));
    receipt.node.clear();
    clients.push_back(receipt.client);
  }
  if (!clients.empty() && host_.nodes != nullptr) host_.AfterCommit([this] { host_.nodes->Remind(name()); });
  return clients;
}

absl::Status Federation::TakeOverFetched() {
  CAIRN_ASSIGN_OR_RETURN(auto receipts, host_.database->LoadReceipts(name(), state_.round));
  CAIRN_ASSIGN_OR_RETURN(auto clients, TakeOver(receipts));
  return clients.empty() ? absl::OkStatus() : Apply(round::Fetched{std::move(clients)});
}

absl::StatusOr<bool> Federation::ForgetReported() {
  const auto reported = std::exchange(reported_lost_, {});
  if (reported.empty()) return false;
  round::UpdatesLost lost;
  CAIRN_ASSIGN_OR_RETURN(const auto receipts, host_.database->LoadReceipts(name(), state_.round));
  for (const ReceiptRow& receipt : receipts) {
    const auto node = reported.find(receipt.node);
    const std::string update = NameOf(receipt);
    if (node == reported.end() || node->second.count(update) == 0) continue;
    if (host_.store->Find(name(), update).ok()) continue;  // An attempt has fetched it, into memory.
    const auto gone = absl::NotFoundError("it is not there any more");
    CAIRN_RETURN_IF_ERROR(Drop(receipt, LostUpdate(receipt.node, receipt.client, gone), "node_lost"));
    lost.clients.push_back(receipt.client);
  }
  if (lost.clients.empty()) return false;
  CAIRN_RETURN_IF_ERROR(Apply(lost));
  if (state_.phase == round::Phase::kOpen) CAIRN_RETURN_IF_ERROR(RehearseAgain());
  return true;
}

// The receipts go; the rows of node_updates stay, for the outcomes of the round.
absl::Status Federation::GiveUp(const round::NodeGivenUp& lost) {
  spdlog::error("{}: round {}: node {} is given up with its updates ({})", name(), state_.round, lost.node,
                lost.clients.size());
  for (const std::string& client : lost.clients) {
    CAIRN_ASSIGN_OR_RETURN(const auto receipt, host_.database->LoadReceipt(name(), state_.round, client));
    if (!receipt) continue;
    CAIRN_RETURN_IF_ERROR(host_.database->DeleteReceipt(name(), state_.round, client));
    RemoveUnneeded(client, receipt->sha256);  // The copy that an attempt may have fetched.
    host_.AfterCommit([this] { host_.metrics->UpdateRejected(name(), "node_lost"); });
    Tell(Notice::Kind::kRejected, client, absl::StrCat("lost after its receipt with node ", lost.node));
  }
  return state_.phase == round::Phase::kOpen ? RehearseAgain() : absl::OkStatus();
}

// With the receipts that are left.
absl::Status Federation::RehearseAgain() {
  CAIRN_RETURN_IF_ERROR(StartRehearsal());
  CAIRN_ASSIGN_OR_RETURN(const auto receipts, host_.database->LoadReceipts(name(), state_.round));
  for (const ReceiptRow& receipt : receipts) CAIRN_RETURN_IF_ERROR(RestoreRehearsal(receipt));
  return absl::OkStatus();
}

absl::Status Federation::RestoreRehearsal(const ReceiptRow& receipt) {
  if (receipt.node.empty()) return rehearsal_.Restore(*host_.store, receipt);
  CAIRN_ASSIGN_OR_RETURN(const auto row, host_.database->LoadNodeUpdate(name(), receipt.round, receipt.client));
  if (!row) return absl::DataLossError("database: the header of an update at a node is gone");
  CAIRN_ASSIGN_OR_RETURN(auto shape, rehearsal_.Describe(row->header, receipt.bytes, receipt.adapter_config));
  return rehearsal_.Add(receipt.client, receipt.examples, std::move(shape), row->frozen);
}

absl::Status Federation::CheckThere(const SealedUpdate& update) const {
  if (!update.node.empty()) {
    const auto away = absl::UnavailableError(absl::StrCat("node ", update.node, " does not attend; try again"));
    if (host_.present.count(update.node) == 0) return away;
    // It may have come with another directory since it was asked who attends.
    CAIRN_ASSIGN_OR_RETURN(const std::string directory, host_.database->DirectoryOf(update.node));
    return directory == update.directory ? absl::OkStatus() : away;
  }
  if (host_.store->Find(name(), UpdateName(update.key.client, update.key.sha256)).ok()) return absl::OkStatus();
  // What was not acknowledged is let go of when the federation is loaded again.
  return absl::UnavailableError("the update is not stored any more; send it again");
}

// Without their bytes, which stay where they are.
absl::Status Federation::DescribeAtNodes(PublishJob& job) const {
  std::set<std::shared_ptr<const std::string>, ByText> headers;  // Most clients have the same.
  for (Contribution& contribution : job.contributions) {
    if (contribution.payload != nullptr) continue;
    const ReceiptRow& receipt = contribution.receipt;
    CAIRN_ASSIGN_OR_RETURN(auto row, host_.database->LoadNodeUpdate(name(), receipt.round, receipt.client));
    if (!row) return absl::DataLossError("database: the header of an update at a node is gone");
    contribution.header = *headers.insert(std::make_shared<const std::string>(std::move(row->header))).first;
    contribution.frozen = std::move(row->frozen);
  }
  return absl::OkStatus();
}

absl::Status Federation::AddLost(std::vector<OutcomeRow>& outcomes) const {
  CAIRN_ASSIGN_OR_RETURN(const auto lost, host_.database->LoadLostUpdates(name(), state_.round));
  for (const NodeUpdateRow& row : lost) {
    outcomes.push_back({row.client, 0, {}, {}, false, absl::StrCat("not counted: node ", row.node, " was lost")});
  }
  std::sort(outcomes.begin(), outcomes.end(), [](const auto& a, const auto& b) { return a.client < b.client; });
  return absl::OkStatus();
}

// To those who add up updates while others still come in.
void Federation::Hand(const ReceiptRow& receipt) {
  if (!sums_up_) return;
  auto blob = host_.store->Find(name(), NameOf(receipt));
  if (blob.ok()) host_.summer->Contributed(name(), receipt.round, options_.method, {receipt, *std::move(blob)});
}

}  // namespace cairn
