#include "server/tree/shard_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace cairn::tree {
namespace {

using ::testing::HasSubstr;

absl::Status Check(const std::string& file) {
  v1::ShardTask task;
  task.set_file("/data/published/f/.shard-a1-0");
  v1::ShardMade made;
  made.set_file(file);
  return CheckFile(task, made);
}

TEST(CheckFileTest, TakesTheFileThatTheWorkerWasToWriteOrNone) {
  EXPECT_TRUE(Check("/data/published/f/.shard-a1-0").ok());
  EXPECT_TRUE(Check("").ok());
}

TEST(CheckFileTest, RefusesEveryOther) {
  for (const std::string file : {"/data/published/f/.shard-a1-1", "/data/cairn.sqlite", ".shard-a1-0",
                                 "/data/published/f/../f/.shard-a1-0", "/data/published/f/.shard-a1-0/", "/"}) {
    const absl::Status refused = Check(file);
    EXPECT_TRUE(absl::IsPermissionDenied(refused)) << file << ": " << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("it handed over the file \"" + file + "\""));
  }
}

// Of a task that is no shard's.
TEST(CheckFileTest, RefusesAnyWhereThereWasNoneToWrite) {
  v1::ShardMade made;
  made.set_file("/data/cairn.sqlite");
  EXPECT_TRUE(absl::IsPermissionDenied(CheckFile({}, made)));
}

const PublishJob kJob{.federation = "fed", .method = {.guards = {"finite"}, .rule = "krum:f=1", .combine = "svd"}};

ShardPart Part() {
  ShardPart part;
  part.spec.modules = {{"x.conv", 18, 6, {.kind = Layer::Kind::kConv2d, .height = 3, .width = 3, .groups = 2}},
                       {"x.q", 16, 15, {}}};
  part.spec.tensors = {{"bias", {2, 3}}};
  part.bounds = {4, 7};
  part.file = "/data/part";
  part.report.clients = {{.id = "a", .examples = 3, .weight = 0.75, .accepted = true, .distance = 2.5},
                         {.id = "b", .examples = 1, .weight = 0, .accepted = false, .reason = "far", .cosine = -1}};
  part.report.modules = {{"x.conv", 4, 4, 0.5}, {"x.q", 8, 7}};
  part.report.relative_error = 0.25;
  part.report.publish = "rank=7";
  part.report.coordinate_wise = true;
  return part;
}

TEST(ShardMessages, CarryAllOfAPart) {
  const ShardPart part = Part();
  const absl::StatusOr<ShardPart> come = PartOf(MadeOf(part), kJob);
  ASSERT_TRUE(come.ok()) << come.status();
  EXPECT_EQ(come->spec.modules, part.spec.modules);
  EXPECT_EQ(come->spec.tensors, part.spec.tensors);
  EXPECT_EQ(come->bounds, part.bounds);
  EXPECT_EQ(come->file, part.file);
  EXPECT_EQ(come->report.combine, "svd");
  EXPECT_EQ(come->report.rule, "krum:f=1");
  CombineReport report = part.report;  // As text: what is not known is null there.
  report.combine = kJob.method.combine;
  report.rule = kJob.method.rule;
  report.guards = kJob.method.guards;
  EXPECT_EQ(ToJson(come->report), ToJson(report));
}

TEST(ShardMessages, APartMayHaveNoModules) {
  const absl::StatusOr<ShardPart> come = PartOf(MadeOf({}), kJob);
  ASSERT_TRUE(come.ok()) << come.status();
  EXPECT_TRUE(come->spec.modules.empty());
  EXPECT_TRUE(come->file.empty());
}

absl::Status Told(const std::function<void(v1::ShardMade&)>& change) {
  v1::ShardMade made = MadeOf(Part());
  change(made);
  return PartOf(made, kJob).status();
}

// Of a process that errs. A kernel that does not divide d_in has a factor with fewer numbers than rows of d_in take;
// one of 2^64 numbers has none, and would be divided by.
TEST(ShardMessages, RefuseSizesThatCannotBe) {
  const auto conv = [](const std::string& layer, std::int64_t d_in, std::int64_t d_out) {
    return Told([&](v1::ShardMade& made) {
      v1::PlannedModule& module = *made.mutable_planned_modules(0);
      module.set_layer(layer);
      module.set_d_in(d_in);
      module.set_d_out(d_out);
    });
  };
  EXPECT_TRUE(conv("conv2d 3x3 groups 2", 18, 6).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(conv("conv2d 3x3 groups 2", 10, 6)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("conv2d 3x3 groups 2", 18, 5)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("conv2d 4294967296x4294967296", 18, 6)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("conv3d 3x3x3", 27, 6)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("linear", 0, 6)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("linear", 18, -1)));
  EXPECT_TRUE(absl::IsInvalidArgument(conv("linear", INT64_MAX, 6)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Told([](v1::ShardMade& made) { made.mutable_planned_tensors(0)->add_shape(INT64_MAX / 2); })));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Told([](v1::ShardMade& made) { made.mutable_planned_modules()->SwapElements(0, 1); })));
}

}  // namespace
}  // namespace cairn::tree
