#include "server/root/publish.h"

#include <spdlog/spdlog.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "adapter/lora.h"
#include "adapter/peft_config.h"
#include "aggregators/module_sum.h"
#include "aggregators/pipeline.h"
#include "aggregators/result_config.h"
#include "aggregators/result_writer.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/status_text.h"
#include "server/root/checkpoint.h"
#include "server/root/published_files.h"
#include "server/root/round_pipeline.h"
#include "server/root/shards.h"
#include "server/root/summer.h"
#include "server/root/update.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReasonBytesMax = 256;             // Of an outcome: a status reply has many.
constexpr std::size_t kDigestPiece = 16 * limits::kMiB;  // How much of a mapping stays resident.

absl::StatusOr<std::string> DigestOf(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  Sha256 sha;
  for (absl::string_view rest = file.bytes(); !rest.empty(); rest.remove_prefix(std::min(kDigestPiece, rest.size()))) {
    sha.Update(rest.substr(0, kDigestPiece));
    file.DropPages();
  }
  return ToHex(sha.Finish());
}

// Cut where a character begins: messages carry UTF-8 alone.
std::string ShortReason(const std::string& reason) {
  std::size_t bytes = std::min(reason.size(), kReasonBytesMax);
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(reason[at]) & 0xC0) == 0x80; };
  while (bytes > 0 && bytes < reason.size() && continues(bytes)) --bytes;
  return reason.substr(0, bytes);
}

}  // namespace

bool AtNodes(const PublishJob& job) {
  return std::any_of(job.contributions.begin(), job.contributions.end(),
                     [](const Contribution& contribution) { return contribution.payload == nullptr; });
}

namespace {

// One publication. What is read stays mapped until it ends.
class Publishing {
 public:
  explicit Publishing(const PublishJob& job) : job_(job), round_(job) {}

  absl::StatusOr<Publication> Run();
  absl::Status Lost() const { return round_.Lost(); }
  void Tell() const;  // To the log and the metrics, what Run did.

 private:
  absl::Status SumElsewhere();
  absl::StatusOr<std::optional<JoinedShards>> CombineElsewhere();
  absl::StatusOr<AdapterFile> Combine(VersionRow& row);
  absl::StatusOr<CombineReport> ReportTotal(const ResultSink& sink);
  std::vector<OutcomeRow> Outcomes() const;
  absl::StatusOr<AdapterFile> Extend(const AdapterFile& change);
  absl::StatusOr<bool> IsWhole(const Adapter* before, const Adapter& change) const;
  absl::StatusOr<AdapterFile> KeepCheckpoint(Checkpoint checkpoint, const MappedAdapter* before,
                                             const MappedAdapter& change);
  absl::StatusOr<AdapterFile> Keep(ResultWriter writer, absl::Span<const PeftConfig* const> inputs);
  absl::StatusOr<MappedAdapter> MapPublished(const AdapterFile& file) const;
  absl::Status TooLarge(std::uint64_t bytes) const;
  absl::Status CheckSize(const AdapterSpec& spec, absl::Span<const std::int64_t> ranks) const;
  fs::path temporary() const { return AdapterPath(job_.data_dir, job_.federation, "writing"); }
  const PublishJob& job_;
  RoundPipeline round_;
  std::unique_ptr<RoundTotal> total_;  // Null: the pipeline combines.
  CombineReport report_;
};

absl::Status Publishing::TooLarge(std::uint64_t bytes) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "version ", job_.version, " would have ", bytes, " bytes, more than the ", job_.bytes_max,
      " that a client can receive: publish with `rank=N`, or merge the latest version into the base model and start a "
      "new federation"));
}

// Of the numbers, as float32; the header is little beside them.
absl::Status Publishing::CheckSize(const AdapterSpec& spec, absl::Span<const std::int64_t> ranks) const {
  std::uint64_t elements = 0;
  for (std::size_t m = 0; m < spec.modules.size(); ++m) {
    const ModuleSpec& module = spec.modules[m];
    elements += static_cast<std::uint64_t>(ranks[m]) * (module.d_in + module.d_out / module.layer.groups);
  }
  for (const TensorSpec& tensor : spec.tensors) {
    std::uint64_t size = 1;
    for (const std::int64_t dim : tensor.shape) size *= static_cast<std::uint64_t>(dim);
    elements += size;
  }
  const std::uint64_t bytes = elements * sizeof(float);
  return bytes <= job_.bytes_max ? absl::OkStatus() : TooLarge(bytes);
}

absl::StatusOr<AdapterFile> Publishing::Combine(VersionRow& row) {
  CAIRN_RETURN_IF_ERROR(MakeDirectories(temporary().parent_path()));
  RemoveShardFiles(job_.data_dir, job_.federation);  // Of a process that died.
  CAIRN_ASSIGN_OR_RETURN(const std::optional<JoinedShards> shards, CombineElsewhere());
  if (shards) {
    if (round_.pipeline().publish().kind == PublishForm::Kind::kStack) {
      CAIRN_RETURN_IF_ERROR(CheckSize(shards->spec(), shards->ranks()));
    }
    CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(temporary(), shards->spec(), shards->ranks(), {}));
    CAIRN_ASSIGN_OR_RETURN(report_, shards->Report(writer.sink()));
    row.relative_error = report_.relative_error;
    return Keep(std::move(writer), round_.InputConfigs());
  }
  CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, round_.pipeline().Plan());
  if (round_.pipeline().publish().kind == PublishForm::Kind::kStack)
    CAIRN_RETURN_IF_ERROR(CheckSize(plan.spec, plan.ranks));
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(temporary(), plan.spec, plan.ranks, {}));
  ResultSink sink = writer.sink();
  sink.module = [&writer, this](const CombinedModule& module) {
    const absl::Status written = writer.Module(module);
    round_.DropPages();
    return written;
  };
  if (total_ != nullptr) {
    CAIRN_ASSIGN_OR_RETURN(report_, ReportTotal(sink));
    report_.clients = plan.clients;
  } else {
    CAIRN_ASSIGN_OR_RETURN(report_, std::move(round_.pipeline()).Run(sink));
  }
  row.relative_error = report_.relative_error;
  return Keep(std::move(writer), round_.InputConfigs());
}

// What others have added up. Without it the result is the same, and takes longer.
absl::Status Publishing::SumElsewhere() {
  if (job_.summer == nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<RoundTotal>> total = job_.summer->Sum(job_);
  if (total.ok()) {
    total_ = *std::move(total);
  } else if (absl::IsCancelled(total.status()) || AtNodes(job_)) {
    return total.status();
  } else if (!absl::IsUnimplemented(total.status())) {
    spdlog::warn("{}: version {}: the server adds up the updates itself: {}", job_.federation, job_.version,
                 StatusText(total.status()));
  }
  return absl::OkStatus();
}

// What others have combined, each some of the modules. Without it the result is the same, and takes longer.
absl::StatusOr<std::optional<JoinedShards>> Publishing::CombineElsewhere() {
  if (job_.sharder == nullptr) return std::optional<JoinedShards>();
  if (AtNodes(job_) && round_.needs().history) return absl::UnimplementedError("the rule's memory is with the root");
  PublishJob asked = job_;
  if (!round_.needs().last && !job_.method.relative_to_published) asked.previous.reset();  // Nobody looks at it.
  absl::StatusOr<std::vector<ShardPart>> parts = job_.sharder->Combine(asked);
  if (parts.ok() && parts->empty()) parts = absl::UnavailableError("no worker is there");
  if (parts.ok()) {
    CAIRN_ASSIGN_OR_RETURN(JoinedShards joined, JoinedShards::Open(*std::move(parts)));
    return std::optional<JoinedShards>(std::move(joined));
  }
  if (absl::IsCancelled(parts.status()) || AtNodes(job_)) return parts.status();
  if (!absl::IsUnimplemented(parts.status())) {
    spdlog::warn("{}: version {}: the server combines the updates itself: {}", job_.federation, job_.version,
                 StatusText(parts.status()));
  }
  return std::optional<JoinedShards>();
}

absl::StatusOr<CombineReport> Publishing::ReportTotal(const ResultSink& sink) {
  CombineReport report{.combine = job_.method.combine,
                       .rule = job_.method.rule,
                       .guards = job_.method.guards,
                       .publish = ToString(round_.pipeline().publish())};
  ResultSink counted = sink;
  counted.module = [&](const CombinedModule& module) {
    report.modules.push_back({module.spec.name, module.rank_in, module.rank});
    if (round_.combine().exact()) report.modules.back().relative_error = 0;
    return sink.module(module);
  };
  CAIRN_RETURN_IF_ERROR(total_->view().Report(counted));
  if (round_.combine().exact() && !report.modules.empty()) report.relative_error = 0;
  return report;
}

// What the report says of the clients.
std::vector<OutcomeRow> Publishing::Outcomes() const {
  std::vector<OutcomeRow> outcomes;
  outcomes.reserve(report_.clients.size());
  for (const ClientReport& client : report_.clients) {
    outcomes.push_back(
        {client.id, client.weight, client.distance, client.cosine, client.accepted, ShortReason(client.reason)});
    // It has no weight because the rule holds the others against it, not because it was voted down.
    if (!round_.needs().client_counts && client.id == round_.needs().client) outcomes.back().accepted = true;
  }
  return outcomes;
}

// Gives the finished file its name, which is its digest.
absl::StatusOr<AdapterFile> Publishing::Keep(ResultWriter writer, absl::Span<const PeftConfig* const> inputs) {
  CAIRN_ASSIGN_OR_RETURN(const ResultWriter::Written written, std::move(writer).Finish());
  CAIRN_RETURN_IF_ERROR(round_.Lost());
  if (written.bytes > job_.bytes_max) {
    unlink(temporary().c_str());
    return TooLarge(written.bytes);
  }
  PeftConfig config = *inputs.front();  // Kinds without factors are published with the config they came with.
  if (config.kind == AdapterKind::kLora) config = ResultConfig(written.ranks, inputs);
  if (!job_.base_model.empty()) config.base_model = job_.base_model;
  AdapterFile file{"", written.bytes, SerializePeftConfig(config)};
  CAIRN_ASSIGN_OR_RETURN(file.sha256, DigestOf(temporary()));
  CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("publish.before_rename"));
  const fs::path path = AdapterPath(job_.data_dir, job_.federation, file.sha256);
  if (rename(temporary().c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "rename", temporary());
  CAIRN_FAILPOINT("publish.after_rename").IgnoreError();
  CAIRN_RETURN_IF_ERROR(SyncDirectory(path.parent_path()));
  return file;
}

absl::StatusOr<MappedAdapter> Publishing::MapPublished(const AdapterFile& file) const {
  return MapAdapter(AdapterPath(job_.data_dir, job_.federation, file.sha256), file.config, round_.combine());
}

// Whether `change` is the next checkpoint as it is, so that no second file is needed.
absl::StatusOr<bool> Publishing::IsWhole(const Adapter* before, const Adapter& change) const {
  const bool warm = round_.combine().round_start() == RoundStart::kWarm;
  if (before == nullptr) {
    return warm || std::all_of(change.modules.begin(), change.modules.end(), [](const LoraModule& module) {
             return module.rank <= FullRank({module.name, module.d_in, module.d_out, module.layer});
           });
  }
  const AdapterSpec now = SpecOf(change);
  CAIRN_ASSIGN_OR_RETURN(const AdapterSpec all, UnionOf({"", now.modules, now.tensors}, SpecOf(*before)));
  return warm && all.modules.size() == now.modules.size() && all.tensors.size() == now.tensors.size();
}

absl::StatusOr<AdapterFile> Publishing::Extend(const AdapterFile& change_file) {
  CAIRN_ASSIGN_OR_RETURN(const MappedAdapter change, MapPublished(change_file));
  std::optional<MappedAdapter> before;
  if (job_.previous) {
    CAIRN_ASSIGN_OR_RETURN(before, MapPublished(job_.previous->whole));
  }
  const Adapter* adapter = before ? &before->adapter : nullptr;
  // Ranks matter where the rule demands that all clients have the same: any client's.
  CAIRN_ASSIGN_OR_RETURN(Checkpoint checkpoint, NextCheckpoint(adapter, change.adapter, round_.combine().round_start(),
                                                               round_.updates().ranks()));
  CAIRN_ASSIGN_OR_RETURN(const bool whole, IsWhole(adapter, change.adapter));
  if (whole) return change_file;
  return KeepCheckpoint(std::move(checkpoint), before ? &*before : nullptr, change);
}

absl::StatusOr<AdapterFile> Publishing::KeepCheckpoint(Checkpoint checkpoint, const MappedAdapter* before,
                                                       const MappedAdapter& change) {
  CAIRN_RETURN_IF_ERROR(CheckSize(checkpoint.spec(), checkpoint.ranks()));
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, WriteCheckpoint(temporary(), std::move(checkpoint), [&] {
                           if (before != nullptr) before->file.DropPages();
                           change.file.DropPages();
                         }));
  std::vector<const PeftConfig*> inputs = {&change.adapter.config};
  if (before != nullptr) inputs.push_back(&before->adapter.config);
  return Keep(std::move(writer), inputs);
}

void Publishing::Tell() const {
  const auto text = [](const std::optional<double>& error) {
    return error ? absl::StrFormat("%.3g", *error) : std::string("not measured");
  };
  for (const ModuleReport& module : report_.modules) {
    spdlog::debug("{}: version {}: module {}: rank {} of {}, relative error {}", job_.federation, job_.version,
                  module.name, module.rank_out, module.rank_in, text(module.relative_error));
    if (module.relative_error && job_.metrics != nullptr) {
      job_.metrics->SetPublishedError(job_.federation, module.name, *module.relative_error);
    }
  }
  const auto worst = std::max_element(report_.modules.begin(), report_.modules.end(), [](const auto& x, const auto& y) {
    return x.relative_error.value_or(0) < y.relative_error.value_or(0);
  });
  const bool lossy = worst != report_.modules.end() && worst->relative_error.value_or(0) > 0;
  spdlog::info("{}: version {}: combine {}, rule {}, publish {}: relative error {}{}", job_.federation, job_.version,
               report_.combine, report_.rule, report_.publish, text(report_.relative_error),
               lossy ? absl::StrCat(", at most ", text(worst->relative_error), " in ", worst->name) : "");
}

absl::StatusOr<Publication> Publishing::Run() {
  CAIRN_RETURN_IF_ERROR(SumElsewhere());
  CAIRN_FAILPOINT("publish.after_sum").IgnoreError();
  CAIRN_RETURN_IF_ERROR(round_.Gather(total_ != nullptr ? CheckedAdapters::Keep::kLess : CheckedAdapters::Keep::kAll));
  VersionRow row;
  row.federation = job_.federation;
  row.version = job_.version;
  CAIRN_ASSIGN_OR_RETURN(const AdapterFile combined, Combine(row));
  if (round_.combine().round_start() != RoundStart::kWarm) row.delta = combined;
  CAIRN_ASSIGN_OR_RETURN(row.whole, Extend(combined));
  CAIRN_FAILPOINT("publish.before_directory").IgnoreError();
  CAIRN_RETURN_IF_ERROR(round_.earlier().Extend(round_.updates().adapters()));
  CAIRN_RETURN_IF_ERROR(WriteVersionDirectory(job_.data_dir, job_.federation, job_.version, row.whole));
  return Publication{std::move(row), Outcomes()};
}

}  // namespace

absl::StatusOr<Publication> Publish(const PublishJob& job) {
  Publishing publishing(job);
  absl::StatusOr<Publication> publication = publishing.Run();
  // The zeros in a lost page's place may have led to any other error.
  CAIRN_RETURN_IF_ERROR(publishing.Lost());
  if (publication.ok()) publishing.Tell();
  return publication;
}

}  // namespace cairn
