#include "aggregators/registry.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cairn {
namespace {

// Made on first use, since rules register while other globals are still being made. Only read once main runs.
std::map<std::string, AggregatorFactory, std::less<>>& Factories() {
  static auto& factories = *new std::map<std::string, AggregatorFactory, std::less<>>();
  return factories;
}

}  // namespace

bool RegisterAggregator(absl::string_view name, AggregatorFactory factory) {
  if (!Factories().emplace(std::string(name), factory).second) {
    std::fprintf(stderr, "two aggregation rules are called \"%s\"\n", std::string(name).c_str());
    std::abort();
  }
  return true;
}

absl::StatusOr<std::unique_ptr<Aggregator>> MakeAggregator(absl::string_view name) {
  const auto found = Factories().find(name);
  if (found != Factories().end()) return found->second();
  return absl::NotFoundError(absl::StrCat("no aggregation rule is called \"", name,
                                          "\"; there are: ", absl::StrJoin(AggregatorNames(), ", ")));
}

std::vector<std::string> AggregatorNames() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : Factories()) names.push_back(name);
  return names;
}

}  // namespace cairn
