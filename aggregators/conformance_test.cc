// What every rule must do, run on every registered rule unasked. A new rule adds its facts to kFacts; nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using reference::Matrix;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;
using testing::ReferenceOf;
using testing::ReportAll;

const std::vector<ModuleSpec> kModules = {{"h.0.k_proj", 12, 7}, {"h.0.q_proj", 9, 9}, {"h.1.up", 6, 17}};

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
};

Matrix AveragedProduct(absl::Span<const reference::Update> updates) {
  const reference::Factors mean = reference::AverageFactors(updates);
  return reference::Product(mean.b, mean.a);
}

const std::map<std::string, Facts> kFacts = {
    {"ffa", {.input = Input::kSharedA, .product_space = false, .twin = reference::DenseSum}},
    {"mean", {.input = Input::kEqualRanks, .product_space = false, .twin = AveragedProduct}},
    {"stack", {.input = Input::kAny, .product_space = true, .twin = reference::DenseSum}},
    {"zero_pad", {.input = Input::kAny, .product_space = false, .twin = AveragedProduct}},
};

// Rules of which the tests below can say nothing: their updates are no pairs of factors. Their own tests say it all.
const std::set<std::string> kOfOtherInput = {"core_mean", "dense_mean"};

std::vector<std::string> RulesOfFactors() {
  std::vector<std::string> names;
  for (const std::string& name : AggregatorNames()) {
    if (kOfOtherInput.count(name) == 0) names.push_back(name);
  }
  return names;
}

// Factors are rounded to float32 once (2^-24 relative); products sum at most 18 terms below 10.
constexpr double kTolerance = 1e-5;

struct Client {
  std::string name;
  double examples;
  InMemoryUpdate update;
  ClientUpdate contribution() const { return {name, examples, &update.adapter()}; }
};

Matrix ProductOf(const testing::ReportedModule& module) {
  const reference::Factors factors = ReferenceOf(module);
  return reference::Product(factors.b, factors.a);
}

using Modules = std::vector<testing::ReportedModule>;

bool SameBits(const Modules& x, const Modules& y) {
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

TEST_P(Conformance, AgreesWithItsSlowTwin) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::vector<Client> clients = Cohort(seed);
    ExpectProducts(Combine(clients), Twin(clients));
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST_P(Conformance, OrderOfArrivalDoesNotChangeABit) {
  std::vector<Client> clients = Cohort(3);
  const Modules expected = Combine(clients);
  const auto by_name = [](const Client& x, const Client& y) { return x.name < y.name; };
  int orders = 0;
  do {
    ASSERT_TRUE(SameBits(Combine(clients), expected)) << "order " << orders;
    ++orders;
  } while (std::next_permutation(clients.begin(), clients.end(), by_name));
  EXPECT_EQ(orders, 120);
}

TEST_P(Conformance, RanksAreAnnounced) {
  const std::vector<Client> clients = Cohort(2);
  auto rule = Rule();
  for (const Client& client : clients) ASSERT_TRUE(rule->Accumulate(client.contribution()).ok());
  const AdapterSpec spec = rule->spec();
  const std::vector<std::int64_t> ranks = rule->ranks();
  const auto result = ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(spec.modules, kModules);
  ASSERT_EQ(result->modules.size(), kModules.size());
  for (std::size_t m = 0; m < ranks.size(); ++m) {
    const testing::ReportedModule& module = result->modules[m];
    EXPECT_EQ(module.spec, kModules[m]);
    EXPECT_LE(module.rank, ranks[m]);
    EXPECT_EQ(module.a.size(), static_cast<std::size_t>(module.rank * module.spec.d_in));
    EXPECT_EQ(module.b.size(), static_cast<std::size_t>(module.spec.d_out * module.rank));
  }
}

TEST_P(Conformance, OneClientIsTheIdentity) {
  std::vector<Client> clients;
  clients.push_back({"alone", 17, Make(5, kModules, 3, 2)});
  std::vector<Matrix> own;
  for (const LoraModule& module : clients[0].update.adapter().modules) {
    own.push_back(reference::DenseSum({ReferenceOf(module, 1)}));
  }
  ExpectProducts(Combine(clients), own);
}

TEST_P(Conformance, IdenticalClientsGiveTheirOwnUpdate) {
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back({absl::StrCat("twin-", i), 3.0 + i, Make(5, kModules, 3, 2, DType::kBF16)});
  }
  std::vector<Matrix> own;
  for (const LoraModule& module : clients[0].update.adapter().modules) {
    own.push_back(reference::DenseSum({ReferenceOf(module, 1)}));
  }
  ExpectProducts(Combine(clients), own);
}

TEST_P(Conformance, ZeroUpdatesGiveZero) {
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(
        {absl::StrCat("zero-", i), 1,
         Make(i, kModules, 2, 2, DType::kF32,
              [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) { b.assign(b.size(), 0); })});
  }
  for (const auto& module : Combine(clients)) EXPECT_EQ(reference::MaxAbs(ProductOf(module)), 0);
}

TEST_P(Conformance, CollinearUpdatesAgreeWithTheTwin) {
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    const float factor = static_cast<float>(i) - 1;  // -1, 0, 1 times the same B: opposites and nothing.
    clients.push_back(
        {absl::StrCat("line-", i), 1.0 + i,
         Make(5, kModules, 2, 2, DType::kF32, [=](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
           for (float& value : b) value *= factor;
         })});
  }
  ExpectProducts(Combine(clients), Twin(clients));
}

TEST_P(Conformance, ManyRanksInOneCohortOrAClearRefusal) {
  const InMemoryUpdate wide = Make(1, kModules, 4, 4), narrow = Make(2, kModules, 2, 4);
  auto rule = Rule();
  ASSERT_TRUE(rule->Accumulate({"wide", 1, &wide.adapter()}).ok());
  const absl::Status status = rule->Accumulate({"narrow", 1, &narrow.adapter()});
  if (facts_.input == Input::kAny) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(rule->clients(), 1u);
  }
}

TEST_P(Conformance, HowAClientFactorsItsUpdateMattersOutsideProductSpaceOnly) {
  if (facts_.input == Input::kSharedA) return;  // There is one way to factor it.
  // Swap the two rank units, and move a factor of 8 from A to B: B A stays the same.
  const auto refactor = [](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>& b) {
    std::swap_ranges(a.begin(), a.begin() + spec.d_in, a.begin() + spec.d_in);
    for (std::int64_t i = 0; i < spec.d_out; ++i) std::swap(b[2 * i], b[2 * i + 1]);
    for (float& value : a) value /= 8;
    for (float& value : b) value *= 8;
  };
  std::vector<Client> plain = Cohort(1), other = Cohort(1);
  plain.push_back({"x", 20, MakeUpdate(77, kModules, 2, 3)});
  other.push_back({"x", 20, MakeUpdate(77, kModules, 2, 3, DType::kF32, refactor)});
  const Modules expected = Combine(plain), result = Combine(other);
  double difference = 0;
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    difference = std::max(difference, reference::MaxDifference(ProductOf(result.at(m)), ProductOf(expected.at(m))));
  }
  if (facts_.product_space) {
    EXPECT_FALSE(SameBits(expected, result));
    EXPECT_LE(difference, kTolerance);
  } else {
    EXPECT_GT(difference, 0.01);
  }
}

TEST_P(Conformance, RefusesNonFiniteValuesByNameAndTensor) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    const InMemoryUpdate in_a = Newcomer([&](const ModuleSpec& spec, std::vector<float>& a, std::vector<float>&) {
      if (spec.name == "h.0.q_proj") a.back() = value;
    });
    EXPECT_THAT(ExpectRefused({"newcomer", 1, &in_a.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("newcomer"), HasSubstr("h.0.q_proj"), HasSubstr("lora_A")));
    const InMemoryUpdate in_b = Newcomer([&](const ModuleSpec& spec, std::vector<float>&, std::vector<float>& b) {
      if (spec.name == "h.1.up") b.front() = value;
    });
    EXPECT_THAT(ExpectRefused({"newcomer", 1, &in_b.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("newcomer"), HasSubstr("h.1.up"), HasSubstr("lora_B")));
  }
}

TEST_P(Conformance, RefusesWeightsThatAreNotPositiveNumbers) {
  const InMemoryUpdate update = Newcomer();
  for (const double examples : {0.0, -0.0, -3.0, std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity(), 2 * kExamplesMax}) {
    EXPECT_THAT(ExpectRefused({"newcomer", examples, &update.adapter()}, absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("client newcomer: weight"), HasSubstr(absl::StrCat("got ", examples))));
  }
}

TEST_P(Conformance, RefusesASecondContribution) {
  const InMemoryUpdate update = Newcomer();
  EXPECT_THAT(ExpectRefused({"client-3", 1, &update.adapter()}, absl::StatusCode::kAlreadyExists),
              HasSubstr("client-3"));
}

TEST_P(Conformance, RefusesAModuleOfOtherDimensions) {
  std::vector<ModuleSpec> reshaped = kModules;
  reshaped[1].d_out += 1;
  const InMemoryUpdate update = Make(9, reshaped, 2, 3);
  EXPECT_THAT(ExpectRefused({"newcomer", 1, &update.adapter()}, absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("newcomer"), HasSubstr("h.0.q_proj")));
}

// Its share is zero there, and the others' weights stay as they are.
TEST_P(Conformance, AClientMayLackModules) {
  std::vector<Client> clients = Cohort(1);
  clients.push_back({"first-only", 30, Make(77, {kModules[0]}, 2, 3)});
  clients.push_back({"last-only", 5, Make(78, {kModules[2]}, 2, 3)});
  ExpectProducts(Combine(clients), Twin(clients));
}

TEST_P(Conformance, AModuleOfOneClientOnlyIsItsShare) {
  std::vector<Client> clients;
  clients.push_back({"a", 1, Make(1, {kModules[0]}, 2, 3)});
  clients.push_back({"b", 3, Make(2, {kModules[1], kModules[2]}, 2, 3)});
  ExpectProducts(Combine(clients), Twin(clients));
}

// Each group is a product of its own, as the twin of that part says.
TEST_P(Conformance, GroupsAreCombinedByThemselves) {
  constexpr std::int64_t kGroups = 2, kIn = 12, kOut = 6, kRank = 4;
  std::vector<Adapter> adapters;
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back({absl::StrCat("conv-", i), 1.0 + i, Make(40 + i, {{"conv", kIn, kOut / kGroups}}, kRank, 3)});
  }
  // The factors of a linear module of half the rank and height, twice below one another, are those of a grouped one.
  auto rule = Rule();
  for (const Client& client : clients) {
    Adapter& adapter = adapters.emplace_back(client.update.adapter());
    LoraModule& conv = adapter.modules[0];
    conv.layer = {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = kGroups};
    conv.d_out = kOut;
    conv.b.shape = {kOut, kRank / kGroups};
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const absl::Status status = rule->Accumulate({clients[i].name, clients[i].examples, &adapters[i]});
    ASSERT_TRUE(status.ok()) << status;
  }
  const auto result = ReportAll(std::move(*rule));
  ASSERT_TRUE(result.ok()) << result.status();
  const testing::ReportedModule& conv = result->modules[0];
  for (std::int64_t g = 0; g < kGroups; ++g) {
    std::vector<reference::Update> updates;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      updates.push_back(ReferenceOf(GroupOf(adapters[i].modules[0], g), clients[i].examples / 6));
    }
    const std::int64_t rank = conv.rank / kGroups, rows = kOut / kGroups;
    const auto part = [&](const std::vector<float>& values, std::int64_t height, std::int64_t width) {
      const float* first = values.data() + g * height * width;
      return Matrix{height, width, std::vector<double>(first, first + height * width)};
    };
    EXPECT_LE(reference::MaxDifference(reference::Product(part(conv.b, rows, rank), part(conv.a, rank, kIn)),
                                       facts_.twin(updates)),
              kTolerance);
  }
}

TEST_P(Conformance, RefusesClientsBeyondTheLimit) {
  const InMemoryUpdate update = Make(1, {{"m", 1, 1}}, 1, 1);
  auto rule = Rule();
  for (std::size_t i = 0; i < limits::kCohortClientsMax; ++i) {
    ASSERT_TRUE(rule->Accumulate({absl::StrCat("client-", i), 1, &update.adapter()}).ok());
  }
  EXPECT_EQ(rule->Accumulate({"one-more", 1, &update.adapter()}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rule->clients(), limits::kCohortClientsMax);
  EXPECT_TRUE(ReportAll(std::move(*rule)).ok());
}

TEST_P(Conformance, NothingToReportWithoutClients) {
  EXPECT_TRUE(Rule()->ranks().empty());
  EXPECT_EQ(ReportAll(std::move(*Rule())).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(Conformance, RefusesWeightsThatCannotBeUsed) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const std::vector<double>& weights : {std::vector<double>{0, 0}, {1}, {1, -0.1}, {1, kNan}, {1, 1, 1}}) {
    auto rule = Rule();
    const InMemoryUpdate update = Newcomer();
    ASSERT_TRUE(rule->Accumulate({"x", 1, &update.adapter()}).ok());
    ASSERT_TRUE(rule->Accumulate({"y", 1, &update.adapter()}).ok());
    const ResultSink sink{.module = [](const CombinedModule&) { return absl::OkStatus(); }};
    EXPECT_EQ(std::move(*rule).Report(weights, sink).code(), absl::StatusCode::kInvalidArgument);
  }
}

// A client of weight 0 is as if it were not there.
TEST_P(Conformance, AWeightOfZeroLeavesAClientOut) {
  const std::vector<Client> clients = Cohort(4);
  auto rule = Rule(), without = Rule();
  for (const Client& client : clients) {
    ASSERT_TRUE(rule->Accumulate(client.contribution()).ok());
    if (client.name == "client-2") continue;
    ASSERT_TRUE(without->Accumulate(client.contribution()).ok());
  }
  Modules x, y;
  const auto into = [](Modules& modules) {
    return ResultSink{.module = [&](const CombinedModule& module) {
      modules.push_back({module.spec, module.rank, ReadAll(*module.a), ReadAll(*module.b)});
      return absl::OkStatus();
    }};
  };
  ASSERT_TRUE(std::move(*rule).Report({0.1, 0.2, 0, 0.3, 0.4}, into(x)).ok());
  ASSERT_TRUE(std::move(*without).Report({0.1, 0.2, 0.3, 0.4}, into(y)).ok());
  EXPECT_TRUE(SameBits(x, y));
}

TEST_P(Conformance, TheSinksFirstErrorEndsTheReport) {
  auto rule = Rule();
  const InMemoryUpdate update = Newcomer();
  ASSERT_TRUE(rule->Accumulate({"x", 1, &update.adapter()}).ok());
  int calls = 0;
  const ResultSink sink{.module = [&](const CombinedModule&) {
    return ++calls == 2 ? absl::DataLossError("disk on fire") : absl::OkStatus();
  }};
  const absl::Status status = std::move(*rule).Report({1.0}, sink);
  EXPECT_EQ(status, absl::DataLossError("disk on fire"));
  EXPECT_EQ(calls, 2);
}

INSTANTIATE_TEST_SUITE_P(Rules, Conformance, ::testing::ValuesIn(RulesOfFactors()),
                         [](const auto& rule) { return rule.param; });

}  // namespace
}  // namespace cairn
