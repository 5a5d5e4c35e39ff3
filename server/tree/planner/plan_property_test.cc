// What holds for every plan, over seeded random inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {
namespace {

constexpr int kSeeds = 300;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  int Below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
  double Between(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  bool Chance(double p) { return Between(0, 1) < p; }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

Node RandomNode(int index, Dice& dice) {
  Node node{absl::StrCat("n", index), absl::StrCat("zone", dice.Below(3))};
  node.capacity = dice.Between(1, 9);
  node.fold_seconds_per_byte = 1e-9 * dice.Between(0.1, 1);
  node.slowdown = dice.Chance(0.3) ? dice.Between(1, 3) : 1;
  node.cores = 1 + dice.Below(6);
  constexpr Role kRoles[] = {Role::kIdle, Role::kLeaf, Role::kTop, Role::kRoot, Role::kDraining};
  for (int i = dice.Below(6); i > 0; --i) {
    node.workers.push_back({absl::StrCat("w", i), kRoles[dice.Below(5)], static_cast<std::uint64_t>(dice.Below(3))});
  }
  return node;
}

// Sometimes a light one, sometimes one that fits nowhere.
Input RandomInput(std::uint64_t seed) {
  Dice dice(seed);
  Input input;
  const int nodes = 1 + dice.Below(8), clients = dice.Below(60);
  for (int i = 0; i < nodes; ++i) input.nodes.push_back(RandomNode(i, dice));
  const double heavy = dice.Between(0.1, 3);
  for (int i = 0; i < clients; ++i) {
    Client client{absl::StrCat("c", i), absl::StrCat("zone", dice.Below(4))};
    client.bytes = static_cast<std::uint64_t>(dice.Between(4.5e6, 233e6));
    client.updates_per_second = dice.Chance(0.05) ? 0 : dice.Between(0, 10 * heavy);
    if (dice.Chance(0.5)) client.node = input.nodes[dice.Below(nodes)].id;
    client.held = !client.node.empty() && dice.Chance(0.4);
    input.clients.push_back(client);
  }
  return input;
}

Plan PlanOf(const Input& input) {
  absl::StatusOr<Plan> plan = MakePlan(input);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *std::move(plan) : Plan{};
}

std::string TextOf(const Plan& plan) {
  std::string text = ExplainRoot(plan) + "\n";
  for (const Placement& placement : plan.clients) absl::StrAppend(&text, Explain(placement), "\n");
  for (const NodePlan& node : plan.nodes) {
    absl::StrAppend(&text, Explain(node), "\n");
    for (const Assignment& a : node.workers) absl::StrAppend(&text, a.worker, ":", NameOf(a.role), " ");
  }
  return text;
}

const Node& NodeOf(const Input& input, const std::string& id) {
  return *std::find_if(input.nodes.begin(), input.nodes.end(), [&](const Node& node) { return node.id == id; });
}

// The Q that a client brings to a node.
double LoadOf(const Client& client, const Node& node) {
  return client.updates_per_second * static_cast<double>(client.bytes) * node.fold_seconds_per_byte * node.slowdown;
}

TEST(PlanPropertyTest, EveryClientIsOnOneLivingNode) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    Input input = RandomInput(seed);
    if (input.nodes.size() > 1) input.nodes[0].alive = false;
    const Plan plan = PlanOf(input);
    std::map<std::string, int> seen;
    std::map<std::string, double> loads;
    for (const Placement& placement : plan.clients) {
      ++seen[placement.client];
      EXPECT_TRUE(NodeOf(input, placement.node).alive);
    }
    ASSERT_EQ(plan.clients.size(), input.clients.size());
    for (const Client& client : input.clients) EXPECT_EQ(seen[client.id], 1);
    for (const Client& client : input.clients) {
      const auto at = std::find_if(plan.clients.begin(), plan.clients.end(),
                                   [&](const Placement& placement) { return placement.client == client.id; });
      loads[at->node] += LoadOf(client, NodeOf(input, at->node));
    }
    for (const NodePlan& node : plan.nodes) EXPECT_NEAR(node.load, loads[node.node], 1e-6) << "seed " << seed;
  }
}

TEST(PlanPropertyTest, NoNodeIsOverloadedWhileAnotherHasRoomForOneOfItsClients) {
  int overloaded = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Input input = RandomInput(seed);
    const Plan plan = PlanOf(input);
    std::map<std::string, const Client*> clients;
    for (const Client& client : input.clients) clients[client.id] = &client;
    for (const Placement& placement : plan.clients) {
      const Client& client = *clients[placement.client];
      const NodePlan& home = *plan.Find(placement.node);
      if (home.load <= home.capacity * (1 + input.policy.tolerance)) continue;
      ++overloaded;
      if (client.updates_per_second == 0 || (client.held && client.node == placement.node)) continue;
      for (const NodePlan& other : plan.nodes) {
        if (other.node == home.node) continue;
        EXPECT_GT(other.load + LoadOf(client, NodeOf(input, other.node)), other.capacity)
            << "seed " << seed << ": " << client.id << " of " << home.node << " fits on " << other.node;
      }
    }
  }
  EXPECT_GT(overloaded, 1000);  // The inputs do ask the question.
}

TEST(PlanPropertyTest, TheOrderOfTheInputChangesNothing) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    Input input = RandomInput(seed);
    const std::string text = TextOf(PlanOf(input));
    EXPECT_EQ(TextOf(PlanOf(input)), text);
    Dice dice(seed + 1);
    std::shuffle(input.nodes.begin(), input.nodes.end(), dice.engine());
    std::shuffle(input.clients.begin(), input.clients.end(), dice.engine());
    for (Node& node : input.nodes) std::shuffle(node.workers.begin(), node.workers.end(), dice.engine());
    EXPECT_EQ(TextOf(PlanOf(input)), text) << "seed " << seed;
  }
}

TEST(PlanPropertyTest, APlanThatWasCarriedOutChangesNothing) {
  int spread = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Input input = RandomInput(seed);
    const Plan plan = PlanOf(input);
    const Input next = Applied(input, plan);
    const Plan again = PlanOf(next);
    spread += plan.fits ? 0 : 1;
    EXPECT_EQ(again.root, plan.root) << "seed " << seed;
    for (std::size_t i = 0; i < plan.clients.size(); ++i) {
      EXPECT_EQ(again.clients[i].node, plan.clients[i].node) << "seed " << seed << ": " << plan.clients[i].client;
    }
    for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
      EXPECT_EQ(again.nodes[i].load, plan.nodes[i].load);
      EXPECT_EQ(again.nodes[i].leaves, plan.nodes[i].leaves);
      EXPECT_EQ(again.nodes[i].started(), 0u) << "seed " << seed;
      EXPECT_TRUE(again.nodes[i].stop.empty()) << "seed " << seed;
    }
  }
  EXPECT_GT(spread, kSeeds / 10);  // With and without room.
  EXPECT_LT(spread, kSeeds);
}

TEST(PlanPropertyTest, ALossMovesOnlyTheClientsOfTheLostWhileThereIsRoom) {
  int lost_clients = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Input input = RandomInput(seed);
    if (input.nodes.size() < 2) continue;
    for (Client& client : input.clients) {  // One zone, and plenty of room: nobody has another reason to move.
      client.zone = "";
      client.updates_per_second = 0.05;
      client.node.clear();
      client.held = false;
    }
    for (Node& node : input.nodes) {
      node.zone = "";
      node.capacity *= 3;
    }
    input = Applied(input, PlanOf(input));
    const std::string lost = PlanOf(input).root;
    for (Node& node : input.nodes) node.alive = node.id != lost;
    const Plan plan = PlanOf(input);
    for (const Placement& placement : plan.clients) {
      EXPECT_EQ(placement.moved(), placement.from == lost) << "seed " << seed;
      lost_clients += placement.from == lost ? 1 : 0;
    }
  }
  EXPECT_GT(lost_clients, kSeeds);
}

TEST(PlanPropertyTest, HeldUpdatesStay) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Input input = RandomInput(seed);
    const Plan plan = PlanOf(input);
    std::map<std::string, std::string> placed;
    for (const Placement& placement : plan.clients) placed[placement.client] = placement.node;
    for (const Client& client : input.clients) {
      if (!client.held) continue;
      EXPECT_EQ(placed[client.id], client.node);
    }
  }
}

TEST(PlanPropertyTest, LeavesAreTheLoadByTwoAndEveryWorkerHasOneFate) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Input input = RandomInput(seed);
    const Plan plan = PlanOf(input);
    for (const NodePlan& node : plan.nodes) {
      const Node& given = NodeOf(input, node.node);
      const auto wanted = std::max(1.0, std::ceil(node.load / 2 - 1e-6));
      const auto leaves = node.clients == 0 ? 0 : std::min<double>(given.cores, wanted);
      EXPECT_EQ(node.leaves, leaves) << "seed " << seed;
      EXPECT_EQ(node.CountOf(Role::kLeaf), node.leaves);
      EXPECT_EQ(node.CountOf(Role::kRoot), node.node == plan.root ? 1u : 0u);
      EXPECT_EQ(node.CountOf(Role::kTop), node.node != plan.root && node.leaves > 1 ? 1u : 0u);
      std::map<std::string, int> fates;
      for (const Assignment& assignment : node.workers) ++fates[assignment.worker];
      for (const std::string& id : node.stop) ++fates[id];
      for (const Worker& worker : given.workers) {
        EXPECT_EQ(fates[worker.id], 1) << "seed " << seed;
        const bool stops = std::count(node.stop.begin(), node.stop.end(), worker.id) != 0;
        EXPECT_FALSE(stops && worker.keys > 0) << "seed " << seed << ": stops " << worker.id << " with keys";
      }
      EXPECT_FALSE(node.started() > 0 && !node.stop.empty()) << "seed " << seed << ": starts and stops";
    }
  }
}

// The fewest bins of size 1 that hold all sizes, by trying everything.
int FewestBins(const std::vector<double>& sizes, std::size_t next, std::vector<double>& bins, int best) {
  if (static_cast<int>(bins.size()) >= best) return best;
  if (next == sizes.size()) return static_cast<int>(bins.size());
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] + sizes[next] > 1 + 1e-12) continue;
    bins[i] += sizes[next];
    best = FewestBins(sizes, next + 1, bins, best);
    bins[i] -= sizes[next];
  }
  bins.push_back(sizes[next]);
  best = FewestBins(sizes, next + 1, bins, best);
  bins.pop_back();
  return best;
}

// Best fit with the largest first is never beyond 3/2 of the fewest bins (Simchi-Levi 1994), and mostly equal.
TEST(PlanPropertyTest, NodesInUseAreNearTheFewestThatDo) {
  int equal = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Dice dice(seed);
    Input input;
    std::vector<double> sizes;
    for (int i = 0; i < 8; ++i) input.nodes.push_back({absl::StrCat("n", i), "", true, 1, 1});
    for (int i = 0; i < 8; ++i) {
      sizes.push_back(dice.Between(0.05, 0.9));
      input.clients.push_back({absl::StrCat("c", i), "", 1, sizes.back()});
    }
    const Plan plan = PlanOf(input);
    ASSERT_TRUE(plan.fits);
    std::vector<double> bins;
    const int fewest = FewestBins(sizes, 0, bins, 9);
    const auto used =
        std::count_if(plan.nodes.begin(), plan.nodes.end(), [](const NodePlan& node) { return node.clients > 0; });
    EXPECT_GE(used, fewest);
    EXPECT_LE(2 * used, 3 * fewest) << "seed " << seed;
    equal += used == fewest ? 1 : 0;
  }
  EXPECT_GE(equal, kSeeds * 9 / 10);
}

}  // namespace
}  // namespace cairn::planner
