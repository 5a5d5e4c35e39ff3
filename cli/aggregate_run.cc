// The task itself: from opened inputs to an output in its place.
#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "aggregators/base_names.h"
#include "aggregators/module_sum.h"
#include "aggregators/threads.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "cli/aggregate.h"
#include "cli/aggregate_inputs.h"
#include "cli/aggregate_memory.h"
#include "cli/aggregate_output.h"
#include "cli/aggregate_summary.h"
#include "cli/exhaustion.h"
#include "cli/progress_bar.h"
#include "cli/ranks_file.h"
#include "cli/staged_output.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kEnding[] = ".safetensors";
constexpr char kReport[] = "report.json";  // While it is staged.

// Whether to go on.
absl::Status CheckGuards() {
  CAIRN_RETURN_IF_ERROR(LostPagesGuard::Check());
  return InterruptGuard::Check();
}

// One run, from opened inputs to files in a directory that is not yet in its place.
class Run {
 public:
  Run(const AggregateRequest& request, const AggregateInputs& inputs, const fs::path& directory)
      : request_(request), inputs_(inputs) {
    settings_ = {directory, request.dtype, request.threads, [this](double part) { bar_.Show(part); }};
  }

  absl::StatusOr<CombineReport> Combine() {
    CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Pipeline::Create({.combine = inputs_.combine,
                                                                .rule = request_.rule,
                                                                .guards = request_.guards,
                                                                .publish = request_.publish,
                                                                .device = request_.device,
                                                                .dtype = OutputType(),
                                                                .measure_error = !request_.report.empty(),
                                                                .gram = request_.gram,
                                                                .rule_modules = request_.rule_modules,
                                                                .threads = request_.threads,
                                                                .after_read = [this] { return AfterRead(); }}));
    CAIRN_ASSIGN_OR_RETURN(memory_, AggregateMemory::Open(request_, inputs_.clients()));
    pipeline.Remember(memory_.memory());
    for (const AggregateInput& input : inputs_.list) {
      CAIRN_RETURN_IF_ERROR(pipeline.Add({input.client, input.examples, &input.stored.adapter, ""}));
    }
    CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, pipeline.Plan());
    CAIRN_RETURN_IF_ERROR(CheckForm(pipeline.publish(), plan));
    CAIRN_ASSIGN_OR_RETURN(output_, Open(pipeline, plan));
    steps_ = plan.spec.modules.size() + plan.spec.tensors.size();
    form_ = pipeline.publish().kind;
    CAIRN_ASSIGN_OR_RETURN(CombineReport report, std::move(pipeline).Run(Sink()));
    CAIRN_RETURN_IF_ERROR(output_->Finish(report));
    return report;
  }

  // What is right, and yet worth a word.
  std::string note() const {
    if (wide_ == 0) return recipient_note_;
    return absl::StrCat("note: the rank of ", wide_, wide_ == 1 ? " module is" : " modules is",
                        " higher than its weight can have (", absl::CHexEscape(first_wide_.spec.name), ": ",
                        first_wide_.rank, ", full rank is ", FullRank(first_wide_.spec),
                        "); --publish energy=1 says the same with less\n");
  }

 private:
  // None: of merged weights each has its own, unless one is asked for.
  std::optional<DType> OutputType() const {
    const bool merged = request_.publish && request_.publish->kind == PublishForm::Kind::kMerged;
    return request_.dtype || merged ? request_.dtype : inputs_.widest();
  }

  absl::Status CheckForm(const PublishForm& form, const PipelinePlan& plan) const {
    if (plan.spec.modules.empty() && form.kind != PublishForm::Kind::kStack) {
      return absl::InvalidArgumentError(absl::StrCat("publish ", ToString(form),
                                                     " is for LoRA: these inputs have "
                                                     "tensors only, which have no rank and no base weight"));
    }
    const bool file = absl::EndsWith(request_.out.native(), kEnding);
    if (file == inputs_.bare_files) return absl::OkStatus();
    return absl::InvalidArgumentError(inputs_.bare_files ? absl::StrCat("--out: bare files give a file: expected a "
                                                                        "name that ends in ",
                                                                        kEnding)
                                                         : absl::StrCat("--out: expected the name of a folder, not of "
                                                                        "a ",
                                                                        kEnding, " file"));
  }

  absl::StatusOr<std::unique_ptr<AggregateOutput>> Open(Pipeline& pipeline, const PipelinePlan& plan) {
    const PublishForm& form = pipeline.publish();
    if (form.kind == PublishForm::Kind::kMerged) {
      CAIRN_ASSIGN_OR_RETURN(base_, OpenBaseModel(request_.base));
      return MergedOutput(inputs_, plan, settings_, base_);
    }
    if (form.kind != PublishForm::Kind::kRanks) {
      return AdapterOutput(inputs_, plan, settings_, request_.out.filename());
    }
    CAIRN_ASSIGN_OR_RETURN(const Recipients recipients, ReadRanks(form.ranks_file));
    recipient_note_ = RecipientNote(recipients, inputs_.clients());
    std::int64_t highest = 1;
    for (const auto& [client, recipient] : recipients) highest = std::max(highest, recipient.rank);
    pipeline.set_ranks_max(highest);
    return RecipientsOutput(inputs_, plan, settings_, recipients, pipeline.aggregator().exact());
  }

  ResultSink Sink() {
    return {[this](const CombinedModule& module) {
              NoteRank(module);
              return Step(output_->Module(module));
            },
            [this](const CombinedTensor& tensor) { return Step(output_->Tensor(tensor)); }};
  }

  void NoteRank(const CombinedModule& module) {
    if (form_ != PublishForm::Kind::kStack || module.rank <= FullRank(module.spec)) return;
    if (wide_++ == 0) first_wide_ = {.spec = module.spec, .rank = module.rank};
  }

  // Mapped inputs must not pile up in memory: what the next module needs comes back from the page cache.
  absl::Status Step(const absl::Status& status) {
    const absl::Status go_on = AfterRead();
    ++done_;
    if (form_ != PublishForm::Kind::kMerged) bar_.Show(static_cast<double>(done_) / static_cast<double>(steps_));
    CAIRN_RETURN_IF_ERROR(status);
    return go_on;
  }

  absl::Status AfterRead() const {
    inputs_.DropPages();
    memory_.DropPages();
    return CheckGuards();
  }

  const AggregateRequest& request_;
  const AggregateInputs& inputs_;
  AggregateMemory memory_;
  OutputSettings settings_;
  TensorFiles base_;
  std::unique_ptr<AggregateOutput> output_;
  ProgressBar bar_{"combining"};
  std::size_t steps_ = 1, done_ = 0;
  PublishForm::Kind form_ = PublishForm::Kind::kStack;
  std::string recipient_note_;
  std::size_t wide_ = 0;
  CombinedModule first_wide_;  // The first of them; without factors.
};

// A file of more than the limit is an error like a full disk, not the end of the process.
void IgnoreFileSizeSignal() { std::signal(SIGXFSZ, SIG_IGN); }

// Puts the report and the output in place, or neither.
absl::Status Publish(StagedOutput output, const fs::path& only, std::optional<StagedOutput> report,
                     const fs::path& report_path, const CombineReport& content) {
  if (report) {
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(report->directory() / kReport, ToJson(content)));
    CAIRN_RETURN_IF_ERROR(std::move(*report).Commit(kReport));
  }
  const absl::Status committed = std::move(output).Commit(only);
  std::error_code ignored;
  if (!committed.ok() && report) fs::remove(report_path, ignored);
  return committed;
}

absl::StatusOr<std::string> AggregateInOrder(const AggregateRequest& request) {
  const absl::Time start = absl::Now();
  SetMatrixThreads(request.threads);
  std::optional<StagedOutput> staged_report;  // From the start: its folder must be there, and be writable.
  if (!request.report.empty()) {
    CAIRN_ASSIGN_OR_RETURN(StagedOutput report, StagedOutput::Create(request.report));
    staged_report.emplace(std::move(report));
  }
  CAIRN_ASSIGN_OR_RETURN(StagedOutput staged, StagedOutput::Create(request.out));
  CAIRN_ASSIGN_OR_RETURN(const AggregateInputs inputs, OpenInputs(request));
  CombineReport report;
  std::string note;
  {
    Run run(request, inputs, staged.directory());
    CAIRN_ASSIGN_OR_RETURN(report, run.Combine());
    note = run.note();
  }
  report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  CAIRN_RETURN_IF_ERROR(CheckGuards());
  CAIRN_RETURN_IF_ERROR(Publish(std::move(staged), inputs.bare_files ? request.out.filename() : fs::path(),
                                std::move(staged_report), request.report, report));
  return absl::StrCat(SummaryOf(report), note, "\n", request.out.native(), ": ", BytesText(report.bytes), " in ",
                      absl::StrFormat("%.2f s", report.seconds), "\n");
}

}  // namespace

absl::StatusOr<std::string> Aggregate(const AggregateRequest& request) {
  const InterruptGuard interrupts;
  const LostPagesGuard lost_pages;
  IgnoreFileSizeSignal();
  auto summary = CatchExhaustion([&] { return AggregateInOrder(request); });
  // The zeros in a lost page's place may have led to any other error.
  if (!summary.ok()) CAIRN_RETURN_IF_ERROR(LostPagesGuard::Check());
  return summary;
}

}  // namespace cairn
