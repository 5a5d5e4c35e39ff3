#include "cli/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/test_directory.h"
#include "cli/lora_norm.h"

namespace cairn {
namespace {

using testing::HasSubstr;

TensorView View(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return {.shape = std::move(shape),
          .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
}

double DenseNorm(const std::vector<float>& a, const std::vector<float>& b, int d_in, int d_out, int rank) {
  double sum = 0;
  for (int i = 0; i < d_out; ++i) {
    for (int j = 0; j < d_in; ++j) {
      double entry = 0;
      for (int k = 0; k < rank; ++k) entry += double{b[i * rank + k]} * a[k * d_in + j];
      sum += entry * entry;
    }
  }
  return std::sqrt(sum);
}

TEST(FrobeniusNormOfProduct, EqualsTheDenseNorm) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const auto& [d_in, d_out, rank] : {std::tuple(1, 1, 1), {5, 3, 2}, {17, 9, 4}, {3, 2, 6}}) {
    std::vector<float> a(rank * d_in), b(d_out * rank);
    for (float& x : a) x = normal(random);
    for (float& x : b) x = normal(random);
    const LoraModule module{
        .d_in = d_in, .d_out = d_out, .rank = rank, .a = View(a, {rank, d_in}), .b = View(b, {d_out, rank})};
    const double dense = DenseNorm(a, b, d_in, d_out, rank);
    EXPECT_NEAR(FrobeniusNormOfProduct(module), dense, 1e-12 * dense);
  }
}

TEST(FrobeniusNormOfProduct, IsZeroWhereUnitsCancel) {
  const std::vector<float> a = {1, 2, 1, 2}, b = {0.1f, -0.1f};
  const LoraModule module{.d_in = 2, .d_out = 1, .rank = 2, .a = View(a, {2, 2}), .b = View(b, {1, 2})};
  EXPECT_EQ(FrobeniusNormOfProduct(module), 0);
}

// Two modules: "q" of rank 1 with A = [3, 4] and B = [b], "x.q" of rank 2 with B = 0.
void WriteAdapter(const std::filesystem::path& directory, float b) {
  auto writer = AdapterWriter::Create(directory / kAdapterModelFile, {{"q", 2, 1, 1}, {"x.q", 10, 20, 2}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->Append({3, 4}, {b}).ok());
  ASSERT_TRUE(writer->Append(std::vector<float>(20, 1), std::vector<float>(40, 0)).ok());
  ASSERT_TRUE((*std::move(writer)).Finish().ok());
  PeftConfig config = UnitScaleConfig({{"q", 1}, {"x.q", 2}}, "org/base", "");
  config.alpha = 2;
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterConfigFile, SerializePeftConfig(config)).ok());
}

TEST(InspectAdapter, PrintsAnAlignedTable) {
  TestDirectory directory;
  WriteAdapter(directory.path(), 2);
  const auto bytes = std::filesystem::file_size(directory / kAdapterModelFile);
  const auto report = InspectAdapter(directory.path());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(*report, absl::StrCat("module  d_out x d_in  rank  scale  dtype  ||BA||_F\n"
                                  "q              1 x 2     1      2    F32        10\n"
                                  "x.q          20 x 10     2      1    F32         0\n"
                                  "\n"
                                  "2 modules, 63 parameters, ",
                                  bytes,
                                  " bytes, base model org/base, ranks 1 to 2\n"
                                  "warning: module \"x.q\": changes nothing: B * A is 0\n"));
}

TEST(InspectAdapter, WarnsOfValuesThatAreNotFinite) {
  TestDirectory directory;
  WriteAdapter(directory.path(), std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(*InspectAdapter(directory.path()),
              HasSubstr("warning: module \"q\": lora_B.weight: expected finite values, got nan at index 0\n"));
}

class InspectCommand : public testing::Test {
 protected:
  InspectCommand() { AddInspect(app_); }
  CLI::App app_{"cairn"};
};

TEST_F(InspectCommand, PrintsTheReport) {
  TestDirectory directory;
  WriteAdapter(directory.path(), 2);
  testing::internal::CaptureStdout();
  app_.parse(absl::StrCat("inspect ", directory.path().native()));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("2 modules"));
}

TEST_F(InspectCommand, FailsWithCodeOneAndAMessage) {
  testing::internal::CaptureStderr();
  int code = 0;
  try {
    app_.parse("inspect /nonexistent");
  } catch (const CLI::RuntimeError& error) {
    code = error.get_exit_code();
  }
  EXPECT_EQ(code, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "cairn inspect: open /nonexistent/adapter_config.json: No such file or directory\n");
}

TEST_F(InspectCommand, HelpTeachesWithAnExample) {
  EXPECT_THAT(app_.get_subcommand("inspect")->help(), HasSubstr("cairn inspect out/adapter"));
  EXPECT_THROW(app_.parse("inspect"), CLI::RequiredError);
}

}  // namespace
}  // namespace cairn
