#include "server/tree/planner/script_testing.h"

#include <stdexcept>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace cairn::planner {
namespace {

// Powers of two, so that loads are exact.
constexpr std::uint64_t kBytes = 1024;
constexpr double kSecondsPerByte = 1.0 / 1024;

double Number(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) throw std::invalid_argument(std::string(text));
  return value;
}

Role RoleOf(absl::string_view name) {
  for (const Role role : {Role::kIdle, Role::kLeaf, Role::kTop, Role::kRoot, Role::kDraining}) {
    if (name == NameOf(role)) return role;
  }
  throw std::invalid_argument(std::string(name));
}

std::vector<Worker> Workers(absl::string_view text) {
  std::vector<Worker> workers;
  for (const absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(word, ':');
    workers.push_back({parts[0], parts.size() > 1 ? RoleOf(parts[1]) : Role::kIdle,
                       parts.size() > 2 ? static_cast<std::uint64_t>(Number(parts[2])) : 0});
  }
  return workers;
}

template <typename Item>
Item& Named(std::vector<Item>& items, const std::string& id) {
  for (Item& item : items) {
    if (item.id == id) return item;
  }
  items.emplace_back().id = id;
  return items.back();
}

Node& NodeNamed(Input& input, const std::string& id) {
  Node& node = Named(input.nodes, id);
  node.fold_seconds_per_byte = kSecondsPerByte;
  return node;
}

void Set(Node& node, absl::string_view key, absl::string_view value) {
  if (key == "zone") return void(node.zone = std::string(value));
  if (key == "capacity") return void(node.capacity = Number(value));
  if (key == "cores") return void(node.cores = static_cast<std::uint32_t>(Number(value)));
  if (key == "slowdown") return void(node.slowdown = Number(value));
  if (key == "workers") return void(node.workers = Workers(value));
  if (key == "lost") return void(node.alive = false);
  throw std::invalid_argument(std::string(key));
}

void Set(Client& client, absl::string_view key, absl::string_view value) {
  client.bytes = kBytes;
  if (key == "zone") return void(client.zone = std::string(value));
  if (key == "load") return void(client.updates_per_second = Number(value));
  if (key == "at") return void(client.node = std::string(value));
  if (key == "held") return void(client.held = value != "no");
  throw std::invalid_argument(std::string(key));
}

template <typename Item>
void SetAll(Item& item, const std::vector<std::string>& words) {
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(words[i], absl::MaxSplits('=', 1));
    Set(item, pair.first, pair.second);
  }
}

}  // namespace

Script& Script::Say(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words[0] == "node") {
      SetAll(NodeNamed(input_, words[1]), words);
    } else if (words[0] == "client") {
      SetAll(Named(input_.clients, words[1]), words);
    } else {
      input_.root = words[1];
      input_.root_held = words.size() > 2;
    }
  }
  return *this;
}

std::vector<std::string> Script::Replan() {
  const absl::StatusOr<Plan> plan = MakePlan(input_);
  if (!plan.ok()) return {plan.status().ToString()};
  plan_ = *plan;
  std::vector<std::string> lines;
  for (const Placement& placement : plan_.clients) {
    if (placement.moved()) lines.push_back(Explain(placement));
  }
  for (const NodePlan& node : plan_.nodes) lines.push_back(Explain(node));
  lines.push_back(ExplainRoot(plan_));
  input_ = Applied(std::move(input_), plan_);
  return lines;
}

}  // namespace cairn::planner
