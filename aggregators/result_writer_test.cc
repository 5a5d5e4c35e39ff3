#include "aggregators/result_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "adapter/safetensors.h"
#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

const AdapterSpec kSpec = {"", {{"x.q", 600, 500, {}}, {"x.v", 3, 4, {}}}, {{"x.bias", {5}}, {"x.steps", {2}}}};

std::vector<float> Counting(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.F);
  return values;
}

CombinedModule ModuleOfRank(const ModuleSpec& spec, std::int64_t rank) {
  return {.spec = spec,
          .rank = rank,
          .a = ValuesOf(Counting(rank * spec.d_in), rank, spec.d_in),
          .b = ValuesOf(Counting(spec.d_out * rank), spec.d_out, rank)};
}

class ResultWriterTest : public ::testing::Test {
 protected:
  absl::StatusOr<ResultWriter::Written> Write(const std::vector<std::int64_t>& ranks, WriteOptions options = {}) {
    auto writer = ResultWriter::Create(file_, kSpec, {1000, 1000}, options);
    if (!writer.ok()) return writer.status();
    const ResultSink sink = writer->sink();
    for (std::size_t m = 0; m < ranks.size(); ++m) {
      if (absl::Status s = sink.module(ModuleOfRank(kSpec.modules[m], ranks[m])); !s.ok()) return s;
    }
    if (absl::Status s = sink.tensor({kSpec.tensors[0], ValuesOf(Counting(5), 5, 1), {}}); !s.ok()) return s;
    const std::string steps(16, '\1');
    if (absl::Status s = sink.tensor({kSpec.tensors[1], nullptr, {"x.steps", DType::kI64, {2}, steps}}); !s.ok()) {
      return s;
    }
    return std::move(*writer).Finish();
  }
  std::string Bytes() { return ReadFile(file_, 1 << 30).value_or("(no file)"); }

  const TestDirectory directory_;
  const std::filesystem::path file_ = directory_ / "adapter_model.safetensors";
};

TEST_F(ResultWriterTest, WritesWhatParses) {
  const auto written = Write({7, 2});
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->bytes, std::filesystem::file_size(file_));
  EXPECT_THAT(written->ranks, ::testing::ElementsAre(std::pair("x.q", 7), std::pair("x.v", 2)));
  const std::string bytes = Bytes();
  const auto parsed = ParseSafetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->tensors.size(), 6u);
  EXPECT_EQ(parsed->tensors[0].name, "base_model.model.x.q.lora_A.weight");
  EXPECT_EQ(parsed->tensors[0].shape, (std::vector<std::int64_t>{7, 600}));
  std::vector<float> b(500 * 7);
  ToFloat(DType::kF32, parsed->tensors[1].data.data(), b.size(), b.data());
  EXPECT_EQ(b, Counting(500 * 7));
  EXPECT_EQ(parsed->tensors[5].dtype, DType::kI64);
  EXPECT_EQ(parsed->tensors[5].data, std::string(16, '\1'));
}

TEST_F(ResultWriterTest, BytesDoNotDependOnThreads) {
  ASSERT_TRUE(Write({700, 2}, {.dtype = DType::kBF16, .threads = 1}).ok());
  const std::string one = Bytes();
  ASSERT_TRUE(Write({700, 2}, {.dtype = DType::kBF16, .threads = 4}).ok());
  EXPECT_EQ(one, Bytes());
  EXPECT_TRUE(ParseSafetensors(one).ok());
}

TEST_F(ResultWriterTest, LeavesOutModulesOfRank0) {
  const auto written = Write({0, 2});
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_THAT(written->ranks, ::testing::ElementsAre(std::pair("x.v", 2)));
  EXPECT_EQ(ParseSafetensors(Bytes())->tensors.size(), 4u);
}

TEST_F(ResultWriterTest, RefusesWhatTheTypeDoesNotHold) {
  const auto written = Write({200, 2}, {.dtype = DType::kF16});  // Counts beyond 65504.
  EXPECT_EQ(written.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(written.status().message()), ::testing::HasSubstr("overflows F16"));
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(ResultWriterTest, AFileThatWasGivenUpIsGone) {
  { ASSERT_TRUE(ResultWriter::Create(file_, kSpec, {1, 1}, {}).ok()); }
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(ResultWriterTest, AnyTypesFitTheReservedHeader) {
  AdapterSpec spec;
  for (int i = 0; i < 50; ++i) spec.tensors.push_back({"t" + std::to_string(100 + i), {97}});
  auto writer = ResultWriter::Create(file_, spec, {}, {.dtype = DType::kF64});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::string bytes(97, '\0');
  for (int i = 0; i < 50; ++i) {
    const bool is_float = i < 10;
    CombinedTensor tensor{spec.tensors[i], is_float ? ValuesOf(Counting(97), 97, 1) : nullptr, {}};
    if (!is_float) tensor.same = {spec.tensors[i].name, DType::kF8E4M3, {97}, bytes};
    ASSERT_TRUE(writer->Tensor(tensor).ok());
  }
  const auto written = std::move(*writer).Finish();
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(ParseSafetensors(Bytes())->tensors.size(), 50u);
}

}  // namespace
}  // namespace cairn
