// What every combine rule gives.
#include "aggregators/conformance.h"

namespace cairn::conformance {
namespace {

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

TEST_P(Conformance, LinearRulesSumAnyWeightsOfAnyAdapters) {
  if (!Rule()->linear()) GTEST_SKIP() << GetParam() << " averages factors";
  const std::vector<Client> clients = Cohort(2);
  const InMemoryUpdate beside = Newcomer();
  const std::vector<double> weights = {0.5, -2, 0, 1, 0.25, -0.75};
  auto rule = Rule();
  for (const Client& client : clients) ASSERT_TRUE(rule->Accumulate(client.contribution()).ok());
  ASSERT_TRUE(rule->AddBeside("the last result", beside.adapter()).ok());
  std::vector<Matrix> products;
  const ResultSink sink{.module = [&](const CombinedModule& module) {
    products.push_back(reference::Product({module.spec.d_out, module.rank, ReadAllDouble(*module.b)},
                                          {module.rank, module.spec.d_in, ReadAllDouble(*module.a)}));
    return absl::OkStatus();
  }};
  ASSERT_TRUE(std::move(*rule).Report(weights, sink).ok());
  ASSERT_EQ(products.size(), kModules.size());
  for (std::size_t m = 0; m < products.size(); ++m) {
    std::vector<reference::Update> updates;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Adapter& adapter = i < clients.size() ? clients[i].update.adapter() : beside.adapter();
      updates.push_back(ReferenceOf(adapter.modules[m], weights[i]));
    }
    EXPECT_LE(reference::MaxDifference(products[m], reference::DenseSum(updates)), kTolerance);
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
  if (!facts_.groups_alone) return;  // The rule's own test says how.
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

INSTANTIATE_TEST_SUITE_P(Rules, Conformance, ::testing::ValuesIn(RulesOfFactors()),
                         [](const auto& rule) { return rule.param; });

}  // namespace
}  // namespace cairn::conformance
