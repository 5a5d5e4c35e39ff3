#include "aggregators/assembled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "aggregators/result_writer.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

const ModuleSpec kQ = {"x.q", 6, 5, {}}, kV = {"x.v", 4, 8, {}},
                 kConv = {"x.conv", 8, 6, {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2}};
const TensorSpec kBias = {"bias", {2, 2}}, kSteps = {"steps", {1}};
const AdapterSpec kAll = {"", {kConv, kQ, kV}, {kBias, kSteps}};
constexpr std::int64_t kStep = 7;

class AssembledTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              absl::StrCat("assembled-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static CombinedModule Module(const ModuleSpec& spec, float value) {
    const std::int64_t rank = 2 * spec.layer.groups, per_group = rank / spec.layer.groups;
    std::vector<float> a(rank * spec.d_in, value), b(spec.d_out * per_group, -value);
    a[1] = -0.0F;
    b[2] = 1e-42F;
    return {.spec = spec, .rank = rank, .a = ValuesOf(a, rank, spec.d_in), .b = ValuesOf(b, spec.d_out, per_group)};
  }
  static void Give(const AdapterSpec& spec, const ResultSink& sink) {
    for (const ModuleSpec& module : spec.modules) {
      ASSERT_TRUE(sink.module(Module(module, static_cast<float>(module.d_in) / 3)).ok());
    }
    for (const TensorSpec& tensor : spec.tensors) {
      CombinedTensor combined{.spec = tensor};
      if (tensor == kBias) combined.values = ValuesOf(std::vector<float>{1, -0.0F, 3, 0.1F}, 4, 1);
      if (tensor == kSteps) {
        combined.same = {.name = "steps",
                         .dtype = DType::kI64,
                         .shape = {1},
                         .data = {reinterpret_cast<const char*>(&kStep), sizeof(kStep)}};
      }
      ASSERT_TRUE(sink.tensor(combined).ok());
    }
  }
  ResultWriter Writer(const std::string& name, const AdapterSpec& spec) const {
    return *ResultWriter::Create(folder_ / name, spec, std::vector<std::int64_t>(spec.modules.size(), 4), {});
  }
  TensorFiles Written(const std::string& name, const AdapterSpec& spec) const {
    ResultWriter writer = Writer(name, spec);
    Give(spec, writer.sink());
    EXPECT_TRUE(std::move(writer).Finish().ok());
    return *TensorFiles::Open(folder_ / name, kAdapterStem);
  }
  std::string Bytes(const std::string& name) const {
    std::ostringstream bytes;
    bytes << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return bytes.str();
  }
  std::string Refused(const AdapterSpec& spec, std::vector<TensorFiles> parts) const {
    const ResultSink none{[](const CombinedModule&) { return absl::OkStatus(); }};
    const absl::Status status = Assemble(spec, parts, none);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

  fs::path folder_;
};

TEST_F(AssembledTest, IsTheFileThatOneWouldHaveWritten) {
  Written("whole", kAll);
  std::vector<TensorFiles> parts;
  parts.push_back(Written("1", {"", {kV}, {kBias}}));
  parts.push_back(Written("2", {"", {}, {}}));
  parts.push_back(Written("3", {"", {kConv, kQ}, {kSteps}}));
  ResultWriter writer = Writer("assembled", kAll);
  ASSERT_TRUE(Assemble(kAll, parts, writer.sink()).ok());
  ASSERT_TRUE(std::move(writer).Finish().ok());
  EXPECT_EQ(Bytes("assembled"), Bytes("whole"));
}

TEST_F(AssembledTest, RefusesPartsThatDoNotFit) {
  const auto parts = [&](const AdapterSpec& one, const AdapterSpec& other) {
    std::vector<TensorFiles> files;
    files.push_back(Written("1", one));
    files.push_back(Written("2", other));
    return files;
  };
  EXPECT_THAT(Refused(kAll, parts({"", {kQ}, {}}, {"", {kQ, kV}, {}})),
              HasSubstr("x.q.lora_A.weight\" is in two parts"));
  EXPECT_THAT(Refused({"", {kQ}, {}}, parts({"", {kQ}, {}}, {"", {}, {kBias}})), HasSubstr("\"bias\" is not of the"));
  const ModuleSpec wider = {"x.q", 7, 5, {}};
  EXPECT_THAT(Refused({"", {wider}, {}}, parts({"", {kQ}, {}}, {"", {}, {}})),
              HasSubstr("is [2, 6] of F32, expected floating-point numbers of shape [2, 7]"));
  EXPECT_THAT(Refused({"", {}, {{"steps", {3}}}}, parts({"", {}, {kSteps}}, {"", {}, {}})),
              HasSubstr("is [1] of I64, expected numbers of shape [3]"));
  const TensorSpec alone = {LoraAName("x.q"), {2, 2}};
  std::vector<TensorFiles> files;
  ResultWriter writer = Writer("3", {"", {}, {alone}});
  ASSERT_TRUE(writer.Tensor({.spec = alone, .values = ValuesOf(std::vector<float>(4), 4, 1)}).ok());
  ASSERT_TRUE(std::move(writer).Finish().ok());
  files.push_back(*TensorFiles::Open(folder_ / "3", kAdapterStem));
  EXPECT_THAT(Refused(kAll, std::move(files)), HasSubstr("has no partner"));
}

}  // namespace
}  // namespace cairn
