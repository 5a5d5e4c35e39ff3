#include "tests/faults/oracle.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/root/publish.h"
#include "server/root/published_files.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

class BytesBlob final : public Blob {
 public:
  explicit BytesBlob(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::string_view bytes() const override { return bytes_; }

 private:
  std::string bytes_;
};

absl::Status Violation(const std::string& what) { return absl::InternalError(what); }

// Clients are named by their number.
std::optional<std::size_t> IndexOf(const std::string& client) {
  for (std::size_t i = 0; i < kClients; ++i) {
    if (SmallClient(i) == client) return i;
  }
  return std::nullopt;
}

// What one round has on record.
struct Record {
  std::size_t federation = 0;
  std::uint64_t round = 0;
  std::vector<ReceiptRow> receipts;
  std::vector<OutcomeRow> counted, lost;  // Outcomes of the receipts, and of what was lost with a node.
};

bool HasReceipt(const Record& record, const std::string& client) {
  return std::any_of(record.receipts.begin(), record.receipts.end(),
                     [&](const ReceiptRow& receipt) { return receipt.client == client; });
}

absl::StatusOr<Record> Load(Database& database, std::size_t federation, std::uint64_t round) {
  const std::string name = kSmallFederations[federation].name;
  Record record{federation, round, {}, {}, {}};
  CAIRN_ASSIGN_OR_RETURN(record.receipts, database.LoadReceipts(name, round));
  CAIRN_ASSIGN_OR_RETURN(const auto outcomes, database.LoadOutcomes(name, round));
  for (const OutcomeRow& outcome : outcomes) {
    (HasReceipt(record, outcome.client) ? record.counted : record.lost).push_back(outcome);
  }
  return record;
}

// Which of its updates a client has a receipt of.
absl::StatusOr<int> VariantOf(const Record& record, const ReceiptRow& receipt) {
  const std::optional<std::size_t> client = IndexOf(receipt.client);
  if (!client) return Violation(absl::StrCat("a receipt of a stranger: ", receipt.client));
  for (const int variant : {0, 1}) {
    const auto sent = SmallUpdate(record.federation, *client, record.round, variant);
    if (receipt.sha256 != Sha256Hex(sent.safetensors)) continue;
    if (receipt.examples == ExamplesOf(*client, record.round)) return variant;
  }
  return Violation(absl::StrCat(receipt.client, ": the receipt is of another update"));
}

absl::Status CheckLost(const Record& record) {
  for (const OutcomeRow& lost : record.lost) {
    const bool said = absl::StartsWith(lost.reason, "not counted: node ") && absl::EndsWith(lost.reason, " was lost");
    if (!kSmallFederations[record.federation].loses_nodes() || !said || lost.accepted || lost.weight != 0) {
      return Violation(absl::StrCat("an outcome without a receipt: ", lost.client, ": ", lost.reason));
    }
  }
  return absl::OkStatus();
}

bool IsLost(const Record& record, const std::string& client) {
  return std::any_of(record.lost.begin(), record.lost.end(),
                     [&](const OutcomeRow& outcome) { return outcome.client == client; });
}

// Each has a receipt of exactly these bytes, unless it was lost, and said so; others may have been sent since.
absl::Status CheckKept(const Record& record, const std::map<std::string, int>& variants,
                       const Acknowledged& acknowledged, const Told& told_of_loss) {
  const bool loses = kSmallFederations[record.federation].loses_nodes();
  for (const auto& [index, variant] : acknowledged) {
    const std::string client = SmallClient(index);
    const auto receipt = variants.find(client);
    if (receipt != variants.end() && (loses || receipt->second == variant)) continue;
    if (IsLost(record, client) || told_of_loss(client)) continue;
    return Violation(absl::StrCat(client, ": its acknowledged update is lost"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, int>> CheckReceipts(const Record& record) {
  std::map<std::string, int> variants;
  for (const ReceiptRow& receipt : record.receipts) {
    CAIRN_ASSIGN_OR_RETURN(const int variant, VariantOf(record, receipt));
    if (!variants.emplace(receipt.client, variant).second) {
      return Violation(absl::StrCat(receipt.client, " has two receipts"));
    }
  }
  if (variants.size() >= kSmallFederations[record.federation].min) return variants;
  return Violation(absl::StrCat("published with ", variants.size(), " updates"));
}

absl::Status CheckOutcomes(const std::vector<OutcomeRow>& expected, const std::vector<OutcomeRow>& got) {
  const auto same = [](const OutcomeRow& a, const OutcomeRow& b) {
    return a.client == b.client && a.accepted == b.accepted && a.weight == b.weight && a.reason == b.reason;
  };
  if (std::equal(expected.begin(), expected.end(), got.begin(), got.end(), same)) return absl::OkStatus();
  return Violation("the outcomes are not those of the receipts");
}

absl::StatusOr<std::string> DigestOf(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, limits::kGiB));
  return Sha256Hex(bytes);
}

}  // namespace

absl::Status Oracle::CheckVersion(std::size_t federation, const VersionRow& expected, const VersionRow& got) const {
  const auto differs = [](const AdapterFile& a, const AdapterFile& b) {
    return a.sha256 != b.sha256 || a.bytes != b.bytes || a.config != b.config;
  };
  if (differs(expected.whole, got.whole)) {
    return Violation(absl::StrCat("expected ", expected.whole.sha256, ", published ", got.whole.sha256));
  }
  if (expected.delta.has_value() != got.delta.has_value() || (got.delta && differs(*expected.delta, *got.delta))) {
    return Violation("the delta differs");
  }
  const std::string name = kSmallFederations[federation].name;
  const fs::path published = VersionDirectory(data_dir_, name, got.version);
  CAIRN_ASSIGN_OR_RETURN(const std::string on_disk, DigestOf(published / kAdapterModelFile));
  if (on_disk != expected.whole.sha256) return Violation(absl::StrCat("the file on disk is ", on_disk));
  CAIRN_ASSIGN_OR_RETURN(const std::string config, ReadFile(published / kAdapterConfigFile, limits::kMiB));
  if (config != expected.whole.config) return Violation("the published adapter_config.json differs");
  return absl::OkStatus();
}

absl::StatusOr<Checked> Oracle::Check(std::size_t federation, std::uint64_t round, const Acknowledged& acknowledged,
                                      const Told& told_of_loss) {
  const SmallFederation& small = kSmallFederations[federation];
  CAIRN_ASSIGN_OR_RETURN(const auto database, Database::Open(data_dir_ / "cairn.sqlite", Database::Sync::kFull));
  CAIRN_ASSIGN_OR_RETURN(const Record record, Load(*database, federation, round));
  CAIRN_ASSIGN_OR_RETURN(const auto variants, CheckReceipts(record));
  CAIRN_RETURN_IF_ERROR(CheckLost(record));
  CAIRN_RETURN_IF_ERROR(CheckKept(record, variants, acknowledged, told_of_loss));
  CAIRN_ASSIGN_OR_RETURN(const std::optional<VersionRow> version, database->LoadVersion(small.name, round));
  if (!version) return Violation("the version has no row");

  PublishJob job{small.name, Method{.rule = small.rule, .combine = small.combine}, round, "", {}, {}, directory_};
  for (const ReceiptRow& receipt : record.receipts) {
    auto update = SmallUpdate(federation, *IndexOf(receipt.client), round, variants.at(receipt.client));
    job.contributions.push_back({receipt, std::make_shared<BytesBlob>(std::move(update.safetensors))});
  }
  job.previous = previous_[federation];
  CAIRN_ASSIGN_OR_RETURN(Publication expected, Publish(job));
  previous_[federation] = std::move(expected.version);
  CAIRN_RETURN_IF_ERROR(CheckVersion(federation, *previous_[federation], *version));
  CAIRN_RETURN_IF_ERROR(CheckOutcomes(expected.outcomes, record.counted));
  RemoveOld(federation, round);
  return Checked{record.receipts.size(), record.lost.size(), version->whole.sha256};
}

// Thousands of versions would fill the disk. Nobody asks for these any more, on either side.
void Oracle::RemoveOld(std::size_t federation, std::uint64_t round) const {
  if (round < 3) return;
  const std::string name = kSmallFederations[federation].name;
  for (const fs::path& root : {directory_, data_dir_}) {
    std::error_code ignored;
    const fs::path version = VersionDirectory(root, name, round - 2);
    const auto whole = DigestOf(version / kAdapterModelFile);
    if (whole.ok()) fs::remove(AdapterPath(root, name, *whole), ignored);
    fs::remove_all(version, ignored);
  }
}

}  // namespace cairn::faults
