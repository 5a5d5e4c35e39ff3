#include "server/root/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "adapter/directory.h"
#include "adapter/lora.h"
#include "adapter/peft_config.h"
#include "aggregators/aggregator.h"
#include "aggregators/registry.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "server/root/concatenate.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

using Shapes = std::vector<AdapterWriter::Shape>;

std::string ConfigFor(const Shapes& shapes, const std::string& base_model, const std::string& task_type) {
  std::vector<std::pair<std::string, std::int64_t>> ranks;
  for (const AdapterWriter::Shape& shape : shapes) ranks.emplace_back(shape.module, shape.rank);
  return SerializePeftConfig(UnitScaleConfig(ranks, base_model, task_type));
}

// Writes a content-addressed adapter; `fill` appends its modules.
absl::StatusOr<AdapterFile> WriteAdapter(const PublishJob& job, const Shapes& shapes, const std::string& task_type,
                                         const std::function<absl::Status(AdapterWriter&)>& fill) {
  const fs::path temporary = AdapterPath(job.data_dir, job.federation, "writing");
  CAIRN_RETURN_IF_ERROR(MakeDirectories(temporary.parent_path()));
  CAIRN_ASSIGN_OR_RETURN(AdapterWriter writer, AdapterWriter::Create(temporary, shapes));
  CAIRN_RETURN_IF_ERROR(fill(writer));
  AdapterFile file;
  CAIRN_ASSIGN_OR_RETURN(file.sha256, std::move(writer).Finish());
  file.config = ConfigFor(shapes, job.base_model, task_type);
  std::error_code error;
  file.bytes = fs::file_size(temporary, error);
  if (error) return ErrnoStatus(error.value(), "size of", temporary);
  const fs::path path = AdapterPath(job.data_dir, job.federation, file.sha256);
  if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "rename", temporary);
  CAIRN_RETURN_IF_ERROR(SyncDirectory(path.parent_path()));
  return file;
}

// The round's updates, parsed, in a rule.
struct Round {
  std::vector<Adapter> adapters;
  std::unique_ptr<Aggregator> rule;
};

absl::StatusOr<Round> Gather(const PublishJob& job) {
  Round round;
  CAIRN_ASSIGN_OR_RETURN(round.rule, MakeAggregator(job.rule));
  round.adapters.reserve(job.contributions.size());  // The rule keeps pointers to them.
  for (const Contribution& contribution : job.contributions) {
    CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParsePeftConfig(contribution.receipt.adapter_config));
    CAIRN_ASSIGN_OR_RETURN(Adapter adapter, ParseAdapter(contribution.payload->bytes(), config));
    round.adapters.push_back(std::move(adapter));
    CAIRN_RETURN_IF_ERROR(round.rule->Accumulate(
        {contribution.receipt.client, static_cast<double>(contribution.receipt.examples), &round.adapters.back()}));
    contribution.payload->DropPages();
  }
  return round;
}

absl::StatusOr<AdapterFile> Combine(const PublishJob& job, Round round) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<CombinedShape> combined, round.rule->Shapes());
  Shapes shapes;
  for (const CombinedShape& shape : combined) shapes.push_back({shape.name, shape.d_in, shape.d_out, shape.rank});
  return WriteAdapter(job, shapes, round.adapters.front().config.task_type, [&](AdapterWriter& writer) {
    return std::move(*round.rule).Report([&](const CombinedModule& module) {
      // Mapped inputs must not pile up in memory: what the next module needs comes back from the page cache.
      for (const Contribution& contribution : job.contributions) contribution.payload->DropPages();
      return writer.Append(module.a, module.b);
    });
  });
}

absl::StatusOr<AdapterFile> Extend(const PublishJob& job, const AdapterFile& delta) {
  auto open = [&](const AdapterFile& file) {
    return OpenAdapter(AdapterPath(job.data_dir, job.federation, file.sha256), file.config);
  };
  CAIRN_ASSIGN_OR_RETURN(StoredAdapter before, open(*job.previous));
  CAIRN_ASSIGN_OR_RETURN(StoredAdapter change, open(delta));
  CAIRN_ASSIGN_OR_RETURN(Shapes shapes, ConcatenatedShapes(before.adapter, change.adapter));
  return WriteAdapter(job, shapes, change.adapter.config.task_type,
                      [&](AdapterWriter& writer) { return Concatenate(before, change, writer); });
}

// A directory that any PEFT program can open. The tensors are a hard link to the content-addressed file.
absl::Status WriteVersionDirectory(const PublishJob& job, const AdapterFile& whole) {
  const fs::path directory = VersionDirectory(job.data_dir, job.federation, job.version);
  const fs::path temporary = directory.string() + ".writing";
  std::error_code error;
  fs::remove_all(temporary, error);
  CAIRN_RETURN_IF_ERROR(MakeDirectories(temporary));
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(temporary / kAdapterConfigFile, whole.config));
  const fs::path model = AdapterPath(job.data_dir, job.federation, whole.sha256);
  if (link(model.c_str(), (temporary / kAdapterModelFile).c_str()) != 0) return ErrnoStatus(errno, "link", model);
  CAIRN_RETURN_IF_ERROR(SyncDirectory(temporary));
  // An earlier attempt of the same version, with the same bytes, may be there already: exchange them, never leave a
  // gap.
  const unsigned exchange = fs::exists(directory, error) ? RENAME_EXCHANGE : 0;
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, directory.c_str(), exchange) != 0) {
    return ErrnoStatus(errno, "rename", temporary);
  }
  fs::remove_all(temporary, error);
  return SyncDirectory(directory.parent_path());
}

}  // namespace

fs::path AdapterPath(const fs::path& data_dir, const std::string& federation, const std::string& sha256) {
  return data_dir / "adapters" / federation / (sha256 + ".safetensors");
}

fs::path VersionDirectory(const fs::path& data_dir, const std::string& federation, std::uint64_t version) {
  return data_dir / "published" / federation / absl::StrFormat("v%05d", version);
}

absl::StatusOr<VersionRow> Publish(const PublishJob& job) {
  CAIRN_ASSIGN_OR_RETURN(Round round, Gather(job));
  const bool merges = round.rule->round_start() == RoundStart::kMerge;
  CAIRN_ASSIGN_OR_RETURN(AdapterFile combined, Combine(job, std::move(round)));
  VersionRow row;
  row.federation = job.federation;
  row.version = job.version;
  if (merges) row.delta = combined;
  row.whole = combined;
  if (merges && job.previous) {
    CAIRN_ASSIGN_OR_RETURN(row.whole, Extend(job, combined));
  }
  CAIRN_RETURN_IF_ERROR(WriteVersionDirectory(job, row.whole));
  return row;
}

absl::Status PointLatestAt(const fs::path& data_dir, const std::string& federation, std::uint64_t version) {
  const fs::path directory = VersionDirectory(data_dir, federation, version);
  const fs::path temporary = directory.parent_path() / "latest.writing";
  const fs::path latest = directory.parent_path() / "latest";
  unlink(temporary.c_str());
  if (symlink(directory.filename().c_str(), temporary.c_str()) != 0) return ErrnoStatus(errno, "symlink", temporary);
  if (rename(temporary.c_str(), latest.c_str()) != 0) return ErrnoStatus(errno, "rename", temporary);
  return SyncDirectory(latest.parent_path());
}

}  // namespace cairn
