// `cairn aggregate` as people run it: what it writes, read back and compared with dense sums.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors.h"
#include "aggregators/registry.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/aggregate_fixture.h"

namespace cairn::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace fs = std::filesystem;

const std::vector<ModuleSpec> kModules = {{"model.layers.0.q", 24, 20, {}}, {"model.layers.1.q", 24, 20, {}}};
// By 1200, 300 and 100 examples.
const std::map<std::string, double> kWeights = {{"c1", 0.75}, {"c2", 0.1875}, {"c3", 0.0625}};

nlohmann::json ReadJson(const fs::path& path) {
  return nlohmann::json::parse(ReadFile(path, limits::kMiB).value_or("no file"), nullptr, false);
}

class Aggregated : public AggregateFixture {
 protected:
  void SetUp() override {
    WriteClient("c1", 1, 8, kModules);
    WriteClient("c2", 2, 4, kModules);
    WriteClient("c3", 3, 2, kModules);
  }
  Outcome Run(std::vector<std::string> more) {
    std::vector<std::string> arguments = {In("c1"), In("c2") + "/", In("c3"), "--examples", "1200,300,100"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Aggregate(arguments);
  }
  void ExpectExact(const fs::path& folder, double allowed = 1e-6) {
    for (const ModuleSpec& module : kModules) {
      EXPECT_LT(RelativeDistance(Change(folder, module.name), Exact(module.name, kWeights)), allowed) << module.name;
    }
  }
};

TEST_F(Aggregated, StackIsTheExactSum) {
  const Outcome outcome = Run({"--out", In("out") + "/", "--report", In("report.json"), "--gram"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("c1          1200    0.75\n"));
  EXPECT_THAT(outcome.output, HasSubstr("the result is the exact weighted sum"));
  ExpectExact(directory_ / "out");
  const auto stored = OpenAdapterDirectory(directory_ / "out");
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->adapter.modules[0].rank, 14);
  EXPECT_EQ(stored->adapter.modules[0].scale, 1);
  const nlohmann::json report = ReadJson(directory_ / "report.json");
  EXPECT_EQ(report["clients"][1]["id"], "c2");
  EXPECT_EQ(report["modules"][0]["rank_in"], 14);
  EXPECT_EQ(report["relative_error"], 0);
  EXPECT_THAT(report["gram"], SizeIs(3));
  EXPECT_EQ(report["bytes"], fs::file_size(directory_ / "out" / kAdapterModelFile));
  EXPECT_THAT(Leftovers(), ElementsAre("out", "report.json"));
}

TEST_F(Aggregated, OneInputIsItself) {
  ASSERT_EQ(Aggregate({In("c1"), "--out", In("out")}).exit_code, 0);
  const auto exact = Exact(kModules[0].name, {{"c1", 1}});
  EXPECT_LT(RelativeDistance(Change(directory_ / "out", kModules[0].name), exact), 1e-7);
}

TEST_F(Aggregated, TheOrderOfInputsDoesNotMatter) {
  ASSERT_EQ(Aggregate({In("c1"), In("c2"), "--examples", "3,1", "--out", In("x")}).exit_code, 0);
  ASSERT_EQ(Aggregate({In("c2"), In("c1"), "--examples", "1,3", "--out", In("y"), "--threads", "1"}).exit_code, 0);
  EXPECT_EQ(*ReadFile(directory_ / "x" / kAdapterModelFile, limits::kMiB),
            *ReadFile(directory_ / "y" / kAdapterModelFile, limits::kMiB));
}

// Neither tensors nor config, whatever differs between the clients' configs.
TEST_F(Aggregated, TheOrderOfInputsChangesNoByteOfTheConfig) {
  const auto config = [](const std::string& more) {
    return absl::StrCat(R"({"peft_type": "LORA", "lora_alpha": 8, "target_modules": ["q"], )", more, "}");
  };
  WriteBytes(directory_ / "c1" / kAdapterConfigFile, config(R"("r": 8, "bias": "lora_only")"));
  WriteBytes(directory_ / "c2" / kAdapterConfigFile,
             config(R"("r": 4, "modules_to_save": ["b", "a"], "base_model_name_or_path": "base", "bias": "all")"));
  WriteBytes(directory_ / "c3" / kAdapterConfigFile,
             config(R"("r": 2, "task_type": "SEQ_CLS", "modules_to_save": ["a", "c"],
                       "base_model_name_or_path": "other")"));
  std::set<std::string> configs, tensors;
  std::vector<std::string> clients = {"c1", "c2", "c3"};
  do {
    const std::string out = absl::StrCat("out-", clients[0], clients[1], clients[2]);
    const Outcome outcome = Aggregate({In(clients[0]), In(clients[1]), In(clients[2]), "--force", "--out", In(out)});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    configs.insert(*ReadFile(directory_ / out / kAdapterConfigFile, limits::kMiB));
    tensors.insert(*ReadFile(directory_ / out / kAdapterModelFile, limits::kMiB));
  } while (std::next_permutation(clients.begin(), clients.end()));
  EXPECT_THAT(configs, ElementsAre(HasSubstr("\"base\"")));
  EXPECT_THAT(tensors, SizeIs(1));
}

TEST_F(Aggregated, RanksMayExceedTheDimensions) {
  WriteClient("wide", 4, 30, kModules);
  const Outcome outcome = Aggregate({In("wide"), In("c1"), "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto exact = Exact(kModules[1].name, {{"wide", 0.5}, {"c1", 0.5}});
  EXPECT_LT(RelativeDistance(Change(directory_ / "out", kModules[1].name), exact), 1e-6);
  EXPECT_THAT(outcome.output, HasSubstr("note: the rank of 2 modules is higher than its weight can have "
                                        "(model.layers.0.q: 38, full rank is 20)"));
  ASSERT_EQ(Aggregate({In("wide"), In("c1"), "--publish", "rank=64", "--out", In("cut")}).exit_code, 0);
  EXPECT_EQ(OpenAdapterDirectory(directory_ / "cut")->adapter.modules[0].rank, 20);
  EXPECT_LT(RelativeDistance(Change(directory_ / "cut", kModules[1].name), exact), 1e-6);
}

TEST_F(Aggregated, TypesOfTheOutput) {
  const std::map<std::string, std::pair<DType, double>> types = {{"f64", {DType::kF64, 1e-7}},
                                                                 {"f32", {DType::kF32, 1e-6}},
                                                                 {"bf16", {DType::kBF16, 0.02}},
                                                                 {"f16", {DType::kF16, 0.002}}};
  for (const auto& [name, type] : types) {
    const Outcome outcome = Run({"--dtype", name, "--out", In(name)});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_EQ(OpenAdapterDirectory(directory_ / name)->adapter.modules[0].a.dtype, type.first);
    ExpectExact(directory_ / name, type.second);
  }
}

TEST_F(Aggregated, CutModulesSayHowFarTheyAre) {
  for (const std::string form : {"rank=3", "energy=0.9", "widest"}) {
    const Outcome outcome = Run({"--publish", form, "--out", In("out-" + form), "--report", In(form + ".json")});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    const nlohmann::json report = ReadJson(directory_ / (form + ".json"));
    for (std::size_t m = 0; m < kModules.size(); ++m) {
      const double found =
          RelativeDistance(Change(directory_ / ("out-" + form), kModules[m].name), Exact(kModules[m].name, kWeights));
      EXPECT_NEAR(report["modules"][m]["relative_error"].get<double>(), found, 1e-5) << form;
      EXPECT_GT(found, 1e-3) << form;
    }
  }
}

TEST_F(Aggregated, EveryRecipientHasItsRankAndScale) {
  WriteBytes(directory_ / "ranks", "c1 8 32\nc3 2 # the smallest\n");
  const Outcome outcome = Run({"--publish", "ranks=" + In("ranks"), "--out", In("out"), "--report", In("r.json")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  ASSERT_EQ(Run({"--publish", "rank=2", "--out", In("best")}).exit_code, 0);
  const auto first = OpenAdapterDirectory(directory_ / "out" / "c1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->adapter.config.alpha, 32);
  EXPECT_EQ(first->adapter.modules[0].rank, 8);
  EXPECT_EQ(first->adapter.modules[0].scale, 4);
  const std::string& module = kModules[0].name;
  EXPECT_LT(RelativeDistance(Change(directory_ / "out" / "c3", module), Change(directory_ / "best", module)), 1e-5);
  const nlohmann::json report = ReadJson(directory_ / "r.json");
  double error = 0, norm = 0;
  for (const ModuleSpec& spec : kModules) {
    const auto exact = Exact(spec.name, kWeights);
    const double relative = RelativeDistance(Change(directory_ / "out" / "c1", spec.name), exact);
    double own = 0;
    for (const double value : exact.values) own += value * value;
    error += relative * relative * own;
    norm += own;
  }
  EXPECT_NEAR(report["recipients"][0]["relative_error"].get<double>(), std::sqrt(error / norm), 1e-5);
}

TEST_F(Aggregated, MergesIntoABase) {
  std::vector<TensorView> tensors;
  std::vector<std::string> data;
  for (const ModuleSpec& module : kModules) {
    std::vector<float> values(static_cast<std::size_t>(module.d_in * module.d_out), 0.25F);
    data.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    tensors.push_back({kModules[m].name + ".weight", DType::kF32, {20, 24}, data[m]});
  }
  WriteBytes(directory_ / "base.safetensors", SerializeSafetensors(tensors).value());
  const Outcome outcome = Run({"--publish", "merged", "--base", In("base.safetensors"), "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto merged = TensorFiles::Open(directory_ / "out", kBaseModelStem);
  ASSERT_TRUE(merged.ok()) << merged.status();
  auto expected = Exact(kModules[0].name, kWeights);
  for (double& value : expected.values) value += 0.25;
  std::vector<double> found(expected.values.size());
  ToDouble(DType::kF32, merged->tensors()[0].data.data(), found.size(), found.data());
  EXPECT_LT(RelativeDistance({20, 24, found}, expected), 1e-7);
}

// Of a process that has ended, in MiB: the largest of all so far.
double PeakOfChildren() {
  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

TEST_F(Aggregated, ABaseIsNeverInMemoryWhole) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have memory of their own for every byte";
#endif
  constexpr std::int64_t kTensors = 8, kRows = 4096, kColumns = 2048;  // 8 x 32 MiB.
  WriteClient("big", 1, 4, {{"w0", kColumns, kRows, {}}, {"w5", kColumns, kRows, {}}});
  const std::string bytes(kRows * kColumns * sizeof(float), '\0');
  std::vector<TensorView> tensors;
  for (std::int64_t t = 0; t < kTensors; ++t) {
    tensors.push_back({absl::StrCat("w", t, ".weight"), DType::kF32, {kRows, kColumns}, bytes});
  }
  WriteBytes(directory_ / "model.safetensors", SerializeSafetensors(tensors).value());
  // With a decomposition, so that libtorch is in memory as well.
  ASSERT_EQ(Aggregate({In("big"), "--publish", "rank=2", "--out", In("alone")}).exit_code, 0);
  const double alone = PeakOfChildren();
  const Outcome outcome =
      Aggregate({In("big"), "--publish", "merged", "--base", In("model.safetensors"), "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_LT(PeakOfChildren() - alone, 64);
}

class EveryCombine : public AggregateFixture, public ::testing::WithParamInterface<std::string> {};

// Clients of one rank that share A, which every rule for LoRA takes.
TEST_P(EveryCombine, WritesAnAdapterAndItsError) {
  const std::string& name = GetParam();
  const EditFactors same_a = [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 37 % 19) / 8 - 1;
  };
  for (int i = 1; i <= 3; ++i) WriteClient(absl::StrCat("c", i), i, 4, kModules, name == "ffa" ? same_a : nullptr);
  std::vector<std::string> arguments = {In("c1"), In("c2"), In("c3"), "--examples", "1200,300,100"};
  arguments.insert(arguments.end(), {"--combine", name, "--out", In("out"), "--report", In("report.json")});
  const Outcome outcome = Aggregate(arguments);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const nlohmann::json report = ReadJson(directory_ / "report.json");
  EXPECT_EQ(report["combine"], name);
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const auto exact = Exact(kModules[m].name, kWeights);
    const double found = RelativeDistance(Change(directory_ / "out", kModules[m].name), exact);
    EXPECT_NEAR(report["modules"][m]["relative_error"].get<double>(), found, 1e-5) << kModules[m].name;
    EXPECT_LT(found, 2);
  }
}

std::vector<std::string> LoraCombines() {
  std::vector<std::string> names = AggregatorNames();
  std::erase(names, "dense_mean");
  std::erase(names, "core_mean");  // Needs cores; see aggregators/combine/core_mean_test.cc.
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, EveryCombine, ::testing::ValuesIn(LoraCombines()),
                         [](const auto& info) { return info.param; });

class Tensors : public AggregateFixture {};

TEST_F(Tensors, BareFilesAreAveraged) {
  WriteTensors(directory_ / "a.safetensors", {{"mask", {1, 0}}, {"scale", {4}}});
  WriteTensors(directory_ / "b.safetensors", {{"mask", {0, 1}}, {"scale", {8}}});
  const Outcome outcome =
      Aggregate({In("a.safetensors"), In("b.safetensors"), "--examples", "3,1", "--out", In("out.safetensors")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("combine dense_mean"));
  const std::string bytes = *ReadFile(directory_ / "out.safetensors", limits::kMiB);
  const auto parsed = ParseSafetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  std::vector<float> mask(2), scale(1);
  ToFloat(DType::kF32, parsed->tensors[0].data.data(), 2, mask.data());
  ToFloat(DType::kF32, parsed->tensors[1].data.data(), 1, scale.data());
  EXPECT_THAT(mask, ElementsAre(0.75, 0.25));
  EXPECT_THAT(scale, ElementsAre(5));
  EXPECT_THAT(Leftovers(), ElementsAre("out.safetensors"));
}

TEST_F(Tensors, OtherKindsKeepTheirConfig) {
  const std::string config = "{\"peft_type\": \"IA3\", \"target_modules\": [\"k\"], \"task_type\": \"CAUSAL_LM\"}";
  for (const std::string client : {"a", "b"}) {
    WriteBytes(directory_ / client / kAdapterConfigFile, config);
    WriteTensors(directory_ / client / kAdapterModelFile, {{"base_model.model.k.ia3_l", {client == "a" ? 1.F : 3.F}}});
  }
  const Outcome outcome = Aggregate({In("a"), In("b"), "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(*ReadFile(directory_ / "out" / kAdapterConfigFile, limits::kMiB), config);
  const auto stored = OpenAdapterDirectory(directory_ / "out");
  ASSERT_TRUE(stored.ok()) << stored.status();
  float value = 0;
  ToFloat(DType::kF32, stored->adapter.tensors[0].view.data.data(), 1, &value);
  EXPECT_EQ(value, 2);
}

// The config of the first client by id, wherever it stands.
TEST_F(Tensors, TheOrderOfInputsDoesNotMatter) {
  for (const std::string client : {"a", "b"}) {
    WriteBytes(directory_ / client / kAdapterConfigFile,
               absl::StrCat("{\"peft_type\": \"IA3\", \"target_modules\": [\"k\"], \"task_type\": \"", client, "\"}"));
    WriteTensors(directory_ / client / kAdapterModelFile, {{"base_model.model.k.ia3_l", {client == "a" ? 1.F : 3.F}}});
  }
  ASSERT_EQ(Aggregate({In("a"), In("b"), "--force", "--out", In("x")}).exit_code, 0);
  ASSERT_EQ(Aggregate({In("b"), In("a"), "--force", "--out", In("y")}).exit_code, 0);
  for (const char* file : {kAdapterConfigFile, kAdapterModelFile}) {
    EXPECT_EQ(*ReadFile(directory_ / "x" / file, limits::kMiB), *ReadFile(directory_ / "y" / file, limits::kMiB));
  }
}

TEST_F(Tensors, KindsThatDoNotAddUpAreAveragedOnlyByName) {
  for (const std::string client : {"a", "b"}) {
    WriteBytes(directory_ / client / kAdapterConfigFile, "{\"peft_type\": \"LOHA\", \"r\": 4}");
    WriteTensors(directory_ / client / kAdapterModelFile, {{"base_model.model.k.hada_w1_a", {1, 2}}});
  }
  const Outcome refused = Aggregate({In("a"), In("b"), "--out", In("out")});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("LOHA adapters do not add up"));
  EXPECT_THAT(refused.output, HasSubstr("--combine dense_mean"));
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_EQ(Aggregate({In("a"), In("b"), "--combine", "dense_mean", "--out", In("out")}).exit_code, 0);
}

}  // namespace
}  // namespace cairn::testing
