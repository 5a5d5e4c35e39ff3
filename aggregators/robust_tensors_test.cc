// Rules on tensors: by themselves, and beside LoRA factors, where some clients may lack them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/casts.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aggregators/pipeline.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"x.q", 6, 5, {}}};

class RobustTensors : public ::testing::Test {
 protected:
  // A client with a bias of two equal values, beside factors or alone; none: it lacks it.
  void Add(std::optional<float> bias, bool factors = true, bool absolute = true) {
    Adapter& adapter = adapters_.emplace_back();
    if (factors) {
      updates_.push_back(MakeUpdate(adapters_.size(), kModules, 2, 2));
      adapter = updates_.back().adapter();
    } else {
      adapter.config.kind = AdapterKind::kAveraged;
    }
    if (!bias) return;
    const std::vector<float>& values = values_.emplace_back(std::vector<float>{*bias, *bias});
    adapter.tensors.push_back(
        {{.name = "bias", .shape = {2}, .data = {reinterpret_cast<const char*>(values.data()), 2 * sizeof(float)}},
         1,
         absolute});
  }

  // The published bias; empty: there is none.
  absl::StatusOr<std::vector<double>> Run(const std::string& rule, const std::vector<std::string>& guards = {},
                                          const Adapter* reference = nullptr) {
    const bool factors = !adapters_.front().modules.empty();
    auto pipeline = Pipeline::Create({.combine = factors ? "stack" : "dense_mean", .rule = rule, .guards = guards});
    if (!pipeline.ok()) return pipeline.status();
    std::size_t i = 0;
    for (const Adapter& adapter : adapters_) {
      const absl::Status added = pipeline->Add({absl::StrCat("client-", i++), 1, &adapter, ""});
      if (!added.ok()) return added;
    }
    pipeline->Remember({.reference = reference});
    if (const auto plan = pipeline->Plan(); !plan.ok()) return plan.status();
    std::vector<double> bias;
    const auto report = std::move(*pipeline).Run({[](const CombinedModule&) { return absl::OkStatus(); },
                                                  [&](const CombinedTensor& tensor) {
                                                    bias = ReadAllDouble(*tensor.values);
                                                    return absl::OkStatus();
                                                  }});
    if (!report.ok()) return report.status();
    return bias;
  }

  std::list<Adapter> adapters_;
  std::list<InMemoryUpdate> updates_;
  std::list<std::vector<float>> values_;
};

TEST_F(RobustTensors, BiasesBesideFactorsAreAveragedWithTheRulesShares) {
  for (const float bias : {1.0F, 2.0F, 3.0F, 4.0F}) Add(bias);
  EXPECT_THAT(*Run("mda:f=0"), ElementsAre(2.5, 2.5));
}

TEST_F(RobustTensors, WeightsThatAreNoSharesNeedSomethingToMeasureFrom) {
  for (const float bias : {1.0F, 2.0F, 3.0F, 4.0F}) Add(bias);
  const absl::Status status = Run("flag").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("tensor \"bias\" of client client-0 is a value, not a change"));
  Add(1.0F);
  const Adapter reference = adapters_.back();
  adapters_.pop_back();
  EXPECT_TRUE(Run("flag", {}, &reference).ok());
}

TEST_F(RobustTensors, TensorsByThemselvesAreWhatTheRuleGives) {
  for (const float bias : {1.0F, 2.0F, 6.0F}) Add(bias, false);
  EXPECT_THAT(*Run("median"), ElementsAre(2, 2));
  EXPECT_THAT(*Run("mda:f=1"), ElementsAre(1.5, 1.5));
  // Clipped to length 1: what is left is no average.
  EXPECT_NEAR((*Run("examples", {"clip:c=1"}))[0], std::sqrt(0.5), 1e-7);
}

TEST_F(RobustTensors, WhoLacksATensorDoesNotVoteOnIt) {
  for (const float bias : {1.0F, 2.0F, 3.0F, 4.0F}) Add(bias);
  Add(std::nullopt);
  EXPECT_THAT(*Run("median"), ElementsAre(2.5, 2.5));
  EXPECT_THAT(*Run("trimmed_mean:f=1"), ElementsAre(2.5, 2.5));
  EXPECT_THAT(*Run("median", {"bucketing:s=5"}), ElementsAre(2.5, 2.5));
}

TEST_F(RobustTensors, ATensorThatFewHaveIsLeftOut) {
  Add(1.0F);
  for (int i = 0; i < 3; ++i) Add(std::nullopt);
  EXPECT_THAT(*Run("median"), ElementsAre());
}

TEST_F(RobustTensors, ADeltaIsZeroForThoseWhoLackIt) {
  for (const float bias : {1.0F, 2.0F, 3.0F}) Add(bias, true, false);
  for (int i = 0; i < 4; ++i) Add(std::nullopt);
  EXPECT_THAT(*Run("median"), ElementsAre(0, 0));
}

// Values of whole numbers, as they lie in a file: of one type, from an odd address on.
class StoredTensor {
 public:
  StoredTensor(DType dtype, std::size_t client) : dtype_(dtype) {
    for (std::size_t i = 0; i < kElements; ++i) values_.push_back(static_cast<float>((7 * i + 13 * client) % 31) - 15);
    bytes_.assign(1, ' ');
    for (const float value : values_) {
      const auto bits = absl::bit_cast<std::uint32_t>(value);
      const std::uint32_t stored = dtype == DType::kBF16 ? bits >> 16 : bits;
      bytes_.append(reinterpret_cast<const char*>(&stored), SizeOf(dtype));
    }
  }

  DenseTensor tensor() const {
    return {{.name = "w", .dtype = dtype_, .shape = {kElements}, .data = absl::string_view(bytes_).substr(1)}};
  }
  float at(std::size_t i) const { return values_[i]; }

  static constexpr std::int64_t kElements = 100'000;  // Several blocks.

 private:
  DType dtype_;
  std::vector<float> values_;
  std::string bytes_;
};

TEST_F(RobustTensors, AreReadAsTheyLieInTheirFiles) {
  std::list<StoredTensor> stored;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF32}) {
    stored.emplace_back(dtype, stored.size());
    adapters_.emplace_back().config.kind = AdapterKind::kAveraged;
    adapters_.back().tensors.push_back(stored.back().tensor());
  }
  const auto out = Run("median");
  ASSERT_TRUE(out.ok()) << out.status();
  ASSERT_EQ(out->size(), StoredTensor::kElements);
  for (std::size_t i = 0; i < out->size(); ++i) {
    std::vector<float> values;
    for (const StoredTensor& tensor : stored) values.push_back(tensor.at(i));
    std::sort(values.begin(), values.end());
    ASSERT_EQ((*out)[i], values[1]) << i;
  }
}

}  // namespace
}  // namespace cairn
