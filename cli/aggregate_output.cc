#include "cli/aggregate_output.h"

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "aggregators/merge_base.h"
#include "aggregators/recompressed.h"
#include "aggregators/result_config.h"
#include "aggregators/result_writer.h"
#include "base/files.h"
#include "base/open_files.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<ResultWriter> NewWriter(const fs::path& file, const AggregateInputs& inputs, const PipelinePlan& plan,
                                       const OutputSettings& settings) {
  return ResultWriter::Create(file, plan.spec, plan.ranks,
                              {.dtype = settings.dtype.value_or(inputs.widest()),
                               .threads = settings.threads,
                               .after_tensor = [&inputs] { inputs.DropPages(); }});
}

absl::Status MakeDirectory(const fs::path& path) {
  return ::mkdir(path.c_str(), 0777) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "create directory", path);
}

class OneAdapter final : public AggregateOutput {
 public:
  OneAdapter(const AggregateInputs& inputs, const OutputSettings& settings, ResultWriter writer)
      : inputs_(inputs), directory_(settings.directory), writer_(std::move(writer)) {}

  absl::Status Module(const CombinedModule& module) override { return writer_.Module(module); }
  absl::Status Tensor(const CombinedTensor& tensor) override { return writer_.Tensor(tensor); }
  absl::Status Finish(CombineReport& report) override {
    CAIRN_ASSIGN_OR_RETURN(const ResultWriter::Written written, std::move(writer_).Finish());
    report.bytes = written.bytes;
    if (inputs_.bare_files) return absl::OkStatus();
    const PeftConfig config = inputs_.lora() ? ResultConfig(written.ranks, inputs_.configs()) : inputs_.first_config();
    return WriteFileAtomically(directory_ / kAdapterConfigFile,
                               config.json.empty() ? SerializePeftConfig(config) : config.json);
  }

 private:
  const AggregateInputs& inputs_;
  const fs::path directory_;
  ResultWriter writer_;
};

class OneForEachRecipient final : public AggregateOutput {
 public:
  struct Recipient {
    std::string id;
    RecipientRank rank;
    ResultWriter writer;
    Deviation deviation;
  };
  OneForEachRecipient(const AggregateInputs& inputs, const fs::path& directory, std::vector<Recipient> recipients,
                      bool exact)
      : inputs_(inputs), directory_(directory), recipients_(std::move(recipients)), exact_(exact) {}

  absl::Status Module(const CombinedModule& module) override {
    for (Recipient& recipient : recipients_) {
      const CombinedModule cut = RecipientOf(module, recipient.rank);
      recipient.deviation.error_squared += cut.deviation ? cut.deviation->error_squared : 0;
      recipient.deviation.norm_squared += cut.deviation ? cut.deviation->norm_squared : 0;
      CAIRN_RETURN_IF_ERROR(recipient.writer.Module(cut));
    }
    return absl::OkStatus();
  }
  absl::Status Tensor(const CombinedTensor& tensor) override {
    for (Recipient& recipient : recipients_) CAIRN_RETURN_IF_ERROR(recipient.writer.Tensor(tensor));
    return absl::OkStatus();
  }
  absl::Status Finish(CombineReport& report) override {
    for (Recipient& recipient : recipients_) {
      CAIRN_ASSIGN_OR_RETURN(const ResultWriter::Written written, std::move(recipient.writer).Finish());
      report.bytes += written.bytes;
      const PeftConfig config = RecipientConfig(written.ranks, inputs_.configs(), recipient.rank);
      CAIRN_RETURN_IF_ERROR(
          WriteFileAtomically(directory_ / recipient.id / kAdapterConfigFile, SerializePeftConfig(config)));
      report.recipients.push_back({recipient.id, recipient.rank.rank});
      if (exact_) report.recipients.back().relative_error = recipient.deviation.relative();
    }
    return absl::OkStatus();
  }

 private:
  const AggregateInputs& inputs_;
  const fs::path directory_;
  std::vector<Recipient> recipients_;
  const bool exact_;
};

class Merged final : public AggregateOutput {
 public:
  explicit Merged(BaseMerge merge) : merge_(std::move(merge)) {}

  absl::Status Module(const CombinedModule& module) override { return merge_.Module(module); }
  absl::Status Tensor(const CombinedTensor& tensor) override { return merge_.Tensor(tensor); }
  absl::Status Finish(CombineReport& report) override {
    CAIRN_ASSIGN_OR_RETURN(report.bytes, std::move(merge_).Finish());
    return absl::OkStatus();
  }

 private:
  BaseMerge merge_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AggregateOutput>> AdapterOutput(const AggregateInputs& inputs, const PipelinePlan& plan,
                                                               const OutputSettings& settings,
                                                               const std::string& file_name) {
  const fs::path file = settings.directory / (inputs.bare_files ? file_name : kAdapterModelFile);
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, NewWriter(file, inputs, plan, settings));
  return std::make_unique<OneAdapter>(inputs, settings, std::move(writer));
}

absl::StatusOr<std::unique_ptr<AggregateOutput>> RecipientsOutput(
    const AggregateInputs& inputs, const PipelinePlan& plan, const OutputSettings& settings,
    const std::map<std::string, RecipientRank>& recipients, bool exact) {
  CAIRN_RETURN_IF_ERROR(AllowOpenFiles(recipients.size()));
  std::vector<OneForEachRecipient::Recipient> writers;
  for (const auto& [id, rank] : recipients) {
    const fs::path folder = settings.directory / id;
    CAIRN_RETURN_IF_ERROR(MakeDirectory(folder));
    CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, NewWriter(folder / kAdapterModelFile, inputs, plan, settings));
    writers.push_back({id, rank, std::move(writer), {}});
  }
  return std::make_unique<OneForEachRecipient>(inputs, settings.directory, std::move(writers), exact);
}

absl::StatusOr<std::unique_ptr<AggregateOutput>> MergedOutput(const AggregateInputs& inputs, const PipelinePlan& plan,
                                                              const OutputSettings& settings, const TensorFiles& base) {
  const bool fan_in_fan_out = inputs.first_config().fan_in_fan_out;
  for (const PeftConfig* config : inputs.configs()) {
    if (config->fan_in_fan_out == fan_in_fan_out) continue;
    return absl::InvalidArgumentError(
        "the inputs differ in fan_in_fan_out, so how to add to a square weight is not known");
  }
  CAIRN_ASSIGN_OR_RETURN(BaseMerge merge, BaseMerge::Create(base, plan.spec, settings.directory,
                                                            {.dtype = settings.dtype,
                                                             .inputs = inputs.widest(),
                                                             .fan_in_fan_out = fan_in_fan_out,
                                                             .threads = settings.threads,
                                                             .progress = settings.progress}));
  return std::make_unique<Merged>(std::move(merge));
}

}  // namespace cairn
