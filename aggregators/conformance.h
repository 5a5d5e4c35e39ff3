// What every combine rule must do is tested in conformance*_test.cc, on every registered rule unasked. This is what
// these tests share. A new rule adds its facts to kFacts; nothing else.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/reference_rules.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn::conformance {

namespace reference = kernels::reference;
using reference::Matrix;
using testing::InMemoryUpdate;
using testing::MakeUpdate;
using testing::ReferenceOf;
using testing::ReportAll;

inline const std::vector<ModuleSpec> kModules = {{"h.0.k_proj", 12, 7}, {"h.0.q_proj", 9, 9}, {"h.1.up", 6, 17}};

// What a rule wants of its clients.
enum class Input {
  kAny,         // Different ranks and scales.
  kEqualRanks,  // Equal ranks and scales.
  kSharedA,     // The same A in all clients.
};

// What the slow twin of a rule says the combined dW is, and what else differs between rules.
struct Facts {
  Input input;
  bool product_space;  // Depends on the products B_i A_i alone, not on how a client factors them.
  Matrix (*twin)(absl::Span<const reference::Update>);
  bool groups_alone = true;  // False: how a group is combined depends on the others.
};

inline Matrix AveragedProduct(absl::Span<const reference::Update> updates) {
  const reference::Factors mean = reference::AverageFactors(updates);
  return reference::Product(mean.b, mean.a);
}

inline const std::map<std::string, Facts> kFacts = {
    {"fair", {.input = Input::kEqualRanks, .product_space = false, .twin = reference::FairProduct}},
    {"ffa", {.input = Input::kSharedA, .product_space = false, .twin = reference::DenseSum}},
    {"hetlora",
     {.input = Input::kAny, .product_space = false, .twin = reference::HetLoraProduct, .groups_alone = false}},
    {"mean", {.input = Input::kEqualRanks, .product_space = false, .twin = AveragedProduct}},
    // Of single rank units' products, which is all that the test of factoring changes.
    {"rank_cluster", {.input = Input::kAny, .product_space = true, .twin = reference::RankClusterProduct}},
    {"residual", {.input = Input::kEqualRanks, .product_space = true, .twin = reference::DenseSum}},
    {"stack", {.input = Input::kAny, .product_space = true, .twin = reference::DenseSum}},
    {"svd", {.input = Input::kAny, .product_space = true, .twin = reference::DenseSum}},
    {"zero_pad", {.input = Input::kAny, .product_space = false, .twin = AveragedProduct}},
};

// Rules of which the tests below can say nothing: their updates are no pairs of factors. Their own tests say it all.
inline const std::set<std::string> kOfOtherInput = {"core_mean", "dense_mean"};

inline std::vector<std::string> RulesOfFactors() {
  std::vector<std::string> names;
  for (const std::string& name : AggregatorNames()) {
    if (kOfOtherInput.count(name) == 0) names.push_back(name);
  }
  return names;
}

// Factors are rounded to float32 once (2^-24 relative); products sum at most 18 terms below 10.
inline constexpr double kTolerance = 1e-5;

struct Client {
  std::string name;
  double examples;
  InMemoryUpdate update;
  ClientUpdate contribution() const { return {name, examples, &update.adapter()}; }
};

inline Matrix ProductOf(const testing::ReportedModule& module) {
  const reference::Factors factors = ReferenceOf(module);
  return reference::Product(factors.b, factors.a);
}

using Modules = std::vector<testing::ReportedModule>;

inline bool SameBits(const Modules& x, const Modules& y) {
  const auto same = [](const std::vector<float>& u, const std::vector<float>& v) {
    return u.size() == v.size() && std::memcmp(u.data(), v.data(), u.size() * sizeof(float)) == 0;
  };
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [&](const auto& u, const auto& v) {
    return u.spec == v.spec && u.rank == v.rank && same(u.a, v.a) && same(u.b, v.b);
  });
}

class Conformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto found = kFacts.find(GetParam());
    ASSERT_NE(found, kFacts.end()) << "add the facts of rule " << GetParam() << " to kFacts";
    facts_ = found->second;
  }

  std::unique_ptr<Aggregator> Rule() const { return *MakeAggregator(GetParam()); }

  Modules Combine(const std::vector<Client>& clients) const {
    auto rule = Rule();
    for (const Client& client : clients) {
      const absl::Status status = rule->Accumulate(client.contribution());
      EXPECT_TRUE(status.ok()) << status;
    }
    auto result = ReportAll(std::move(*rule));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->modules : Modules();
  }

  // An update as the rule wants it. A shared A holds quarters, which every type has.
  InMemoryUpdate Make(std::uint64_t seed, const std::vector<ModuleSpec>& modules, std::int64_t rank, double alpha,
                      DType dtype = DType::kF32, const testing::EditFactors& edit = nullptr) const {
    return MakeUpdate(seed, modules, rank, alpha, dtype,
                      [&](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>& b) {
                        for (std::size_t i = 0; facts_.input == Input::kSharedA && i < a.size(); ++i) {
                          a[i] = static_cast<float>(i * 7 % 9) / 4 - 1;
                        }
                        if (edit) edit(spec, a, b);
                      });
  }

  // Five clients; ranks, scales and dtypes are mixed as far as the rule allows.
  std::vector<Client> Cohort(std::uint64_t seed) const {
    constexpr DType kDTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
    constexpr std::int64_t kRanks[] = {4, 1, 3, 8, 2};
    std::vector<Client> clients;
    for (std::uint64_t i = 0; i < 5; ++i) {
      const bool any = facts_.input == Input::kAny;
      const std::int64_t rank = any ? kRanks[(seed + i) % 5] : 1 + static_cast<std::int64_t>(seed % 4);
      const double alpha = facts_.input != Input::kEqualRanks ? 1.0 + static_cast<double>(i) : 3.0;
      clients.push_back({absl::StrCat("client-", i), 10.0 + 7.0 * static_cast<double>(i * seed % 11),
                         Make(100 * seed + i, kModules, rank, alpha, kDTypes[(seed + i) % 3])});
    }
    return clients;
  }

  // In order of kModules; clients that lack a module are left out there, and the others keep their weight.
  std::vector<Matrix> Twin(const std::vector<Client>& clients) const {
    double total = 0;
    for (const Client& client : clients) total += client.examples;
    std::vector<Matrix> products;
    for (const ModuleSpec& spec : kModules) {
      std::vector<reference::Update> updates;
      for (const Client& client : clients) {
        for (const LoraModule& module : client.update.adapter().modules) {
          if (module.name == spec.name) updates.push_back(ReferenceOf(module, client.examples / total));
        }
      }
      products.push_back(facts_.twin(updates));
    }
    return products;
  }

  void ExpectProducts(const Modules& result, const std::vector<Matrix>& expected) const {
    ASSERT_EQ(result.size(), expected.size());
    for (std::size_t m = 0; m < expected.size(); ++m) {
      EXPECT_LE(reference::MaxDifference(ProductOf(result[m]), expected[m]), kTolerance) << kModules[m].name;
    }
  }

  // `bad` is refused with `code`, and then the clients already there give what they gave without it.
  std::string ExpectRefused(const ClientUpdate& bad, absl::StatusCode code) const {
    const std::vector<Client> good = Cohort(1);
    auto rule = Rule();
    for (const Client& client : good) EXPECT_TRUE(rule->Accumulate(client.contribution()).ok());
    const absl::Status status = rule->Accumulate(bad);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(rule->clients(), good.size());
    auto after = ReportAll(std::move(*rule));
    EXPECT_TRUE(after.ok() && SameBits(after->modules, Combine(good)));
    return std::string(status.message());
  }

  // A newcomer that would be taken if nothing were wrong with it.
  InMemoryUpdate Newcomer(const testing::EditFactors& edit = nullptr) const {
    return Make(9, kModules, 2, 3, DType::kF32, edit);
  }

  Facts facts_;
};

}  // namespace cairn::conformance
