#include "cli/aggregate_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

AggregateFlags Flags() {
  AggregateFlags flags;
  flags.inputs = {"a", "b"};
  flags.out = "out";
  return flags;
}

TEST(AggregateFlags, HaveDefaults) {
  const auto request = ParseAggregateFlags(Flags());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->examples, ElementsAre(1, 1));
  EXPECT_EQ(request->combine, "");
  EXPECT_EQ(request->rule, "examples");
  EXPECT_FALSE(request->publish.has_value());
  EXPECT_FALSE(request->dtype.has_value());
  EXPECT_GE(request->threads, 1);
}

TEST(AggregateFlags, AreUnderstood) {
  AggregateFlags flags = Flags();
  flags.examples = "1200,80";
  flags.publish = "merged";
  flags.base = "model.safetensors";
  flags.dtype = "bf16";
  flags.threads = 3;
  const auto request = ParseAggregateFlags(flags);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->examples, ElementsAre(1200, 80));
  EXPECT_EQ(request->publish->kind, PublishForm::Kind::kMerged);
  EXPECT_EQ(request->dtype, DType::kBF16);
  EXPECT_EQ(request->threads, 3);
}

TEST(AggregateFlags, AReportMayLieBesideTheOutput) {
  AggregateFlags flags = Flags();
  for (const char* report : {"out.json", "r/out", "../out/r.json"}) {
    flags.report = report;
    EXPECT_TRUE(ParseAggregateFlags(flags).ok()) << report;
  }
}

TEST(AggregateFlags, DenseMeanByNameReadsPlainTensors) {
  AggregateFlags flags = Flags();
  EXPECT_FALSE(ParseAggregateFlags(flags)->plain_tensors());
  flags.combine = "dense_mean";
  EXPECT_TRUE(ParseAggregateFlags(flags)->plain_tensors());
  flags.combine = "stack";
  EXPECT_FALSE(ParseAggregateFlags(flags)->plain_tensors());
}

struct Wrong {
  std::string name;
  void (*edit)(AggregateFlags& flags);
  std::string says;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class WrongFlags : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongFlags, AreRefused) {
  AggregateFlags flags = Flags();
  GetParam().edit(flags);
  const auto request = ParseAggregateFlags(flags);
  ASSERT_FALSE(request.ok());
  EXPECT_THAT(std::string(request.status().message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Every, WrongFlags,
    ::testing::Values(
        Wrong{"no_input", [](AggregateFlags& f) { f.inputs.clear(); }, "expected one input or more"},
        Wrong{"count", [](AggregateFlags& f) { f.examples = "1,2,3"; }, "--examples: expected 2 numbers, one for each"},
        Wrong{"negative", [](AggregateFlags& f) { f.examples = "1,-2"; }, "got \"-2\""},
        Wrong{"fraction", [](AggregateFlags& f) { f.examples = "1,2.5"; }, "got \"2.5\""},
        Wrong{"zero", [](AggregateFlags& f) { f.examples = "1,0"; }, "expected counts above 0"},
        Wrong{"all_zero", [](AggregateFlags& f) { f.examples = "0,0"; }, "the total weight is zero"},
        Wrong{"combine", [](AggregateFlags& f) { f.combine = "magic"; },
              "--combine: no combine rule is called \"magic\""},
        Wrong{"option", [](AggregateFlags& f) { f.combine = "stack:speed=2"; }, "speed"},
        Wrong{"rule", [](AggregateFlags& f) { f.rule = "magic"; }, "--rule: "},
        Wrong{"bound", [](AggregateFlags& f) { f.rule = "krum:f=1"; },
              "--rule: rule krum with f = 1 needs at least 5 clients (n >= 2f + 3), got 2"},
        Wrong{"last", [](AggregateFlags& f) { f.last = "before"; }, "--last: rule examples does not look at"},
        Wrong{"history", [](AggregateFlags& f) { f.history = "h"; }, "--history: rule examples does not look at"},
        Wrong{"rule_module", [](AggregateFlags& f) { f.rule = "median", f.rule_modules = {"q"}; }, "--rule-module: "},
        Wrong{"relative_to", [](AggregateFlags& f) { f.relative_to = "g"; }, "--relative-to: rule examples does not"},
        Wrong{"guard", [](AggregateFlags& f) { f.guards = {"magic"}; }, "--guard: "},
        Wrong{"publish", [](AggregateFlags& f) { f.publish = "paper"; }, "--publish: expected stack, merged, rank=N"},
        Wrong{"rank_0", [](AggregateFlags& f) { f.publish = "rank=0"; }, "--publish: expected a rank from 1"},
        Wrong{"no_base", [](AggregateFlags& f) { f.publish = "merged"; }, "--publish merged: needs --base"},
        Wrong{"base", [](AggregateFlags& f) { f.base = "model.safetensors"; }, "--base: is for --publish merged"},
        Wrong{"device", [](AggregateFlags& f) { f.device = "tpu"; },
              "--device: expected cpu, or cuda:N of this machine, got \"tpu\""},
        Wrong{"device_number", [](AggregateFlags& f) { f.device = "cuda:x"; }, "got \"cuda:x\""},
        Wrong{"report_is_out", [](AggregateFlags& f) { f.report = "./out"; },
              "--report: expected a file outside of --out"},
        Wrong{"report_in_out", [](AggregateFlags& f) { f.report = "out/deep/r.json"; }, "got out/deep/r.json"},
        Wrong{"dtype", [](AggregateFlags& f) { f.dtype = "int8"; }, "--dtype: expected f64, f32, bf16 or f16"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cairn
