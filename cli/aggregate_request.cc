#include "cli/aggregate_request.h"

#include <algorithm>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aggregators/aggregator.h"
#include "aggregators/kernels/recompress.h"
#include "aggregators/registry.h"
#include "aggregators/weighing.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

absl::Status Flag(absl::string_view flag, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", message));
}

absl::Status InFlag(absl::string_view flag, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(flag, ": ", status.message()));
}

absl::StatusOr<std::vector<double>> ParseExamples(const std::string& text, std::size_t inputs) {
  if (text.empty()) return std::vector<double>(inputs, 1);
  std::vector<double> examples;
  double sum = 0;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    std::int64_t count = 0;
    if (!absl::SimpleAtoi(part, &count) || count < 0 || static_cast<double>(count) > kExamplesMax) {
      return Flag("--examples", absl::StrCat("expected whole numbers from 1 to 2^53, got \"", part, "\""));
    }
    examples.push_back(static_cast<double>(count));
    sum += examples.back();
  }
  if (examples.size() != inputs) {
    return Flag("--examples", absl::StrCat("expected ", inputs, " numbers, one for each input, got ", examples.size()));
  }
  if (sum == 0) return Flag("--examples", "the total weight is zero: every count is 0");
  if (std::find(examples.begin(), examples.end(), 0) != examples.end()) {
    return Flag("--examples", "expected counts above 0: an input with 0 examples would not count, so leave it out");
  }
  return examples;
}

absl::StatusOr<std::optional<DType>> ParseDType(const std::string& text) {
  if (text.empty()) return std::nullopt;
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kBF16, DType::kF16}) {
    if (absl::EqualsIgnoreCase(text, NameOf(dtype))) return dtype;
  }
  return Flag("--dtype", absl::StrCat("expected f64, f32, bf16 or f16, got \"", text, "\""));
}

absl::Status CheckDevice(const std::string& device) {
  const absl::Status status = kernels::CheckDevice(device);
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat("--", status.message()));
}

fs::path Whole(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// Both are put in place at the end: neither may need the other.
absl::Status CheckReport(const fs::path& report, const fs::path& out) {
  if (report.empty()) return absl::OkStatus();
  const fs::path whole = Whole(report), output = Whole(out);
  const auto [end, ignored] = std::mismatch(output.begin(), output.end(), whole.begin(), whole.end());
  if (end != output.end()) return absl::OkStatus();
  return Flag("--report", absl::StrCat("expected a file outside of --out ", out.native(),
                                       ", which is published whole or not at all, got ", report.native()));
}

// What a rule does not look at was not meant for it.
absl::Status CheckUsed(const AggregateFlags& flags, const Weighing& weighing) {
  const Rule::Needs needs = weighing.rule().needs();
  const auto unused = [&](absl::string_view flag, absl::string_view what) {
    return Flag(flag, absl::StrCat("rule ", weighing.rule().name(), " does not look at ", what));
  };
  if (!flags.last.empty() && !needs.last) return unused("--last", "the result of the round before");
  if (!flags.history.empty() && !needs.history) return unused("--history", "earlier rounds");
  if (weighing.needs_gram()) return absl::OkStatus();
  if (!flags.rule_modules.empty()) return unused("--rule-module", "inner products, which can be those of some modules");
  if (!flags.relative_to.empty() && !weighing.rule().coordinate_wise()) return unused("--relative-to", "the updates");
  return absl::OkStatus();
}

absl::Status CheckRules(const AggregateFlags& flags) {
  if (!flags.combine.empty()) CAIRN_RETURN_IF_ERROR(InFlag("--combine", MakeAggregator(flags.combine).status()));
  CAIRN_RETURN_IF_ERROR(InFlag("--rule", MakeRule(flags.rule).status()));
  const auto weighing = Weighing::Create(flags.rule, flags.guards);
  CAIRN_RETURN_IF_ERROR(InFlag("--guard", weighing.status()));
  CAIRN_RETURN_IF_ERROR(InFlag("--rule", weighing->CheckClients(flags.inputs.size())));
  return CheckUsed(flags, *weighing);
}

absl::Status CheckBase(const AggregateFlags& flags, const std::optional<PublishForm>& publish) {
  const bool merged = publish && publish->kind == PublishForm::Kind::kMerged;
  if (merged && flags.base.empty()) return Flag("--publish merged", "needs --base, the model to merge into");
  if (!merged && !flags.base.empty()) return Flag("--base", "is for --publish merged only");
  return absl::OkStatus();
}

}  // namespace

bool AggregateRequest::plain_tensors() const { return combine.substr(0, combine.find(':')) == "dense_mean"; }

absl::StatusOr<AggregateRequest> ParseAggregateFlags(const AggregateFlags& flags) {
  AggregateRequest request;
  if (flags.inputs.empty()) return absl::InvalidArgumentError("expected one input or more, got none");
  if (flags.out.empty()) return Flag("--out", "expected a path");
  request.inputs.assign(flags.inputs.begin(), flags.inputs.end());
  CAIRN_ASSIGN_OR_RETURN(request.examples, ParseExamples(flags.examples, flags.inputs.size()));
  CAIRN_RETURN_IF_ERROR(CheckRules(flags));
  request.combine = flags.combine;
  request.rule = flags.rule;
  request.guards = flags.guards;
  request.rule_modules = flags.rule_modules;
  request.relative_to = flags.relative_to;
  request.last = flags.last;
  request.history = flags.history;
  if (!flags.publish.empty()) {
    const auto form = ParsePublishForm(flags.publish);
    if (!form.ok()) return absl::InvalidArgumentError(absl::StrCat("--", form.status().message()));
    request.publish = *form;
  }
  CAIRN_RETURN_IF_ERROR(CheckBase(flags, request.publish));
  CAIRN_RETURN_IF_ERROR(CheckReport(flags.report, flags.out));
  CAIRN_RETURN_IF_ERROR(CheckDevice(flags.device));
  CAIRN_ASSIGN_OR_RETURN(request.dtype, ParseDType(flags.dtype));
  request.base = flags.base;
  request.out = flags.out;
  request.report = flags.report;
  request.device = flags.device;
  request.threads = ThreadsOf(flags.threads);
  request.gram = flags.gram;
  request.force = flags.force;
  return request;
}

}  // namespace cairn
