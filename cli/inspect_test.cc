#include "cli/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/test_directory.h"
#include "cli/exit_code.h"
#include "cli/tensor_norm.h"

namespace cairn {
namespace {

using testing::HasSubstr;

TensorView View(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return {.shape = std::move(shape),
          .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
}

TEST(NormOf, IsTheRootOfTheSumOfSquares) {
  const std::vector<float> values(100'000, 0.5f);
  EXPECT_DOUBLE_EQ(NormOf(View(values, {1000, 100})), std::sqrt(25'000.0));
}

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

std::string FileOf(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  for (const Tensor& tensor : tensors) {
    views.push_back(View(tensor.values, tensor.shape));
    views.back().name = tensor.name;
  }
  return *SerializeSafetensors(views);
}

// Two modules: "q" of rank 1 with A = [3, 4] and B = [b], "x.q" of rank 2 with B = 0.
std::vector<Tensor> TwoModules(float b) {
  return {{LoraAName("q"), {1, 2}, {3, 4}},
          {LoraBName("q"), {1, 1}, {b}},
          {LoraAName("x.q"), {2, 10}, std::vector<float>(20, 1)},
          {LoraBName("x.q"), {20, 2}, std::vector<float>(40, 0)}};
}

void Write(const std::filesystem::path& directory, const PeftConfig& config, const std::vector<Tensor>& tensors) {
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterConfigFile, SerializePeftConfig(config)).ok());
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterModelFile, FileOf(tensors)).ok());
}

PeftConfig ConfigOfTwoModules() {
  PeftConfig config = UnitScaleConfig({.base_model = "org/base"}, {{"q", 1}, {"x.q", 2}});
  config.alpha = 2;
  return config;
}

void WriteAdapter(const std::filesystem::path& directory, float b) {
  Write(directory, ConfigOfTwoModules(), TwoModules(b));
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

TEST(InspectAdapter, ShowsLayersAndOtherTensors) {
  TestDirectory directory;
  PeftConfig config = ConfigOfTwoModules();
  config.modules_to_save = {"head"};
  std::vector<Tensor> tensors = TwoModules(2);
  tensors.push_back({"base_model.model.e.lora_embedding_A", {1, 3}, {1, 0, 0}});
  tensors.push_back({"base_model.model.e.lora_embedding_B", {1, 1}, {7}});
  tensors.push_back({"base_model.model.head.weight", {2, 1}, {3, 4}});
  Write(directory.path(), config, tensors);
  const auto report = InspectAdapter(directory.path());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(*report, testing::StartsWith("module      layer  d_out x d_in  rank  scale  dtype  ||BA||_F\n"
                                           "e       embedding         1 x 3     1      2    F32         7\n"
                                           "q          linear         1 x 2     1      2    F32        10\n"
                                           "x.q        linear       20 x 10     2      1    F32         0\n"
                                           "\n"
                                           "tensor                        shape  dtype  norm\n"
                                           "base_model.model.head.weight  2 x 1    F32     5\n"
                                           "\n"
                                           "3 modules, 1 tensor, 69 parameters, "));
}

TEST(InspectAdapter, ShowsOtherKindsAndBareFiles) {
  TestDirectory directory;
  const PeftConfig loha = *ParsePeftConfig(R"({"peft_type": "LOHA", "base_model_name_or_path": "org/base"})");
  Write(directory.path(), loha, {{"w1_a", {2}, {3, std::numeric_limits<float>::infinity()}}});
  EXPECT_THAT(
      *InspectAdapter(directory.path()),
      testing::AllOf(HasSubstr("\nLOHA, 1 tensor, 2 parameters, "), HasSubstr("note: the mean of such adapters"),
                     HasSubstr("peft_type: \"LOHA\" is an elementwise product"),
                     HasSubstr("warning: tensor \"w1_a\": expected finite values, got inf at index 1\n")));

  const std::string mask = "ab";
  ASSERT_TRUE(
      WriteFileAtomically(directory / "x.safetensors", *SerializeSafetensors({{"mask", DType::kBool, {2}, mask}}))
          .ok());
  EXPECT_THAT(*InspectAdapter(directory / "x.safetensors"), testing::StartsWith("tensor  shape  dtype  norm\n"
                                                                                "mask        2   BOOL     -\n"
                                                                                "\n"
                                                                                "1 tensor, 2 parameters, "));
}

class InspectCommand : public testing::Test {
 protected:
  InspectCommand() { AddInspect(app_); }
  int CodeOf(const std::string& path) {
    try {
      app_.parse("inspect " + path);
    } catch (const CLI::RuntimeError& error) {
      return error.get_exit_code();
    }
    return 0;
  }
  CLI::App app_{"cairn"};
};

TEST_F(InspectCommand, PrintsTheReport) {
  TestDirectory directory;
  WriteAdapter(directory.path(), 2);
  testing::internal::CaptureStdout();
  app_.parse(absl::StrCat("inspect ", directory.path().native()));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("2 modules"));
}

TEST_F(InspectCommand, FailsWithACodeAndAMessage) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(CodeOf("/nonexistent"), kExitFiles);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "cairn inspect: open /nonexistent: No such file or directory\n");
}

TEST_F(InspectCommand, ABrokenFileIsNoFileError) {
  TestDirectory directory;
  ASSERT_TRUE(WriteFileAtomically(directory / "x.safetensors", "short").ok());
  EXPECT_EQ(CodeOf((directory / "x.safetensors").native()), kExitRefused);
}

TEST_F(InspectCommand, HelpTeachesWithAnExample) {
  EXPECT_THAT(app_.get_subcommand("inspect")->help(), HasSubstr("cairn inspect out/adapter"));
  EXPECT_THROW(app_.parse("inspect"), CLI::RequiredError);
}

}  // namespace
}  // namespace cairn
