#include "tests/faults/oracle.h"

#include <memory>
#include <utility>
#include <vector>

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

absl::Status CheckOutcomes(const std::vector<OutcomeRow>& outcomes, const std::vector<ReceiptRow>& receipts) {
  std::multiset<std::string> counted, sent;
  for (const OutcomeRow& outcome : outcomes) counted.insert(outcome.client);
  for (const ReceiptRow& receipt : receipts) sent.insert(receipt.client);
  return counted == sent ? absl::OkStatus() : Violation("the outcomes are not those of the receipts");
}

absl::StatusOr<VersionRow> ExpectedVersion(PublishJob job) {
  CAIRN_ASSIGN_OR_RETURN(Publication publication, Publish(job));
  return std::move(publication.version);
}

absl::StatusOr<std::string> DigestOf(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, limits::kGiB));
  return Sha256Hex(bytes);
}

}  // namespace

absl::Status Oracle::CheckReceipts(std::size_t federation, std::uint64_t round, const std::vector<ReceiptRow>& receipts,
                                   const std::set<std::string>& acknowledged) const {
  std::set<std::string> there;
  for (const ReceiptRow& receipt : receipts) {
    if (!there.insert(receipt.client).second) return Violation(absl::StrCat(receipt.client, " has two receipts"));
    const std::optional<std::size_t> client = IndexOf(receipt.client);
    if (!client) return Violation(absl::StrCat("a receipt of a stranger: ", receipt.client));
    const auto sent = SmallUpdate(federation, *client, round);
    if (receipt.sha256 != Sha256Hex(sent.safetensors) || receipt.examples != ExamplesOf(*client, round)) {
      return Violation(absl::StrCat(receipt.client, ": the receipt is of another update"));
    }
  }
  if (receipts.size() < kTarget) return Violation(absl::StrCat("published with ", receipts.size(), " updates"));
  for (const std::string& client : acknowledged) {
    if (there.count(client) == 0) return Violation(absl::StrCat(client, ": its acknowledged update is lost"));
  }
  return absl::OkStatus();
}

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

absl::StatusOr<Checked> Oracle::Check(std::size_t federation, std::uint64_t round,
                                      const std::set<std::string>& acknowledged) {
  const std::string name = kSmallFederations[federation].name;
  CAIRN_ASSIGN_OR_RETURN(const auto database, Database::Open(data_dir_ / "cairn.sqlite", Database::Sync::kFull));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ReceiptRow> receipts, database->LoadReceipts(name, round));
  CAIRN_RETURN_IF_ERROR(CheckReceipts(federation, round, receipts, acknowledged));
  CAIRN_ASSIGN_OR_RETURN(const auto outcomes, database->LoadOutcomes(name, round));
  CAIRN_RETURN_IF_ERROR(CheckOutcomes(outcomes, receipts));
  CAIRN_ASSIGN_OR_RETURN(const std::optional<VersionRow> version, database->LoadVersion(name, round));
  if (!version) return Violation("the version has no row");

  PublishJob job{name, Method{.combine = kSmallFederations[federation].combine}, round, "", {}, {}, directory_};
  for (const ReceiptRow& receipt : receipts) {
    auto update = SmallUpdate(federation, *IndexOf(receipt.client), round);
    job.contributions.push_back({receipt, std::make_shared<BytesBlob>(std::move(update.safetensors))});
  }
  job.previous = previous_[federation];
  CAIRN_ASSIGN_OR_RETURN(previous_[federation], ExpectedVersion(std::move(job)));
  CAIRN_RETURN_IF_ERROR(CheckVersion(federation, *previous_[federation], *version));
  RemoveOld(federation, round);
  return Checked{receipts.size(), version->whole.sha256};
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
