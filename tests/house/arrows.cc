#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "tests/house/house.h"

namespace cairn::house {
namespace {

// What a folder may include besides itself. A deeper folder's entry comes instead of its parent's.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"base", {}},
    {"adapter", {"base"}},
    {"aggregators/kernels", {}},
    {"aggregators", {"base", "adapter", "aggregators/kernels"}},
    {"aggregators/combine", {"base", "adapter", "aggregators", "aggregators/kernels"}},
    {"aggregators/rules", {"base", "adapter", "aggregators", "aggregators/kernels"}},
    {"proto", {}},
    {"wire", {"base", "proto"}},
    {"config", {"base", "proto"}},
    {"server/round", {"base"}},
    {"server/store", {"base", "adapter"}},
    {"server/tree",
     {"base", "adapter", "aggregators", "proto", "server/round", "server/store", "server/root", "server/metrics",
      "server/tree/planner"}},
    {"server/tree/planner", {"base"}},
    {"server/metrics", {"base"}},
    {"server/root",
     {"base", "adapter", "aggregators", "config", "server/round", "server/store", "server/metrics",
      "server/tree/planner"}},
    {"server/gateway",
     {"base", "adapter", "aggregators", "proto", "wire", "config", "server/round", "server/store", "server/root",
      "server/metrics"}},
    {"server/node",
     {"base", "adapter", "aggregators", "proto", "wire", "server/round", "server/store", "server/root",
      "server/metrics", "server/gateway", "server/tree"}},
    {"server",
     {"base", "adapter", "aggregators", "proto", "wire", "config", "server/round", "server/store", "server/root",
      "server/metrics", "server/gateway", "server/node", "server/tree", "server/tree/planner"}},
    {"client/sdk", {"base", "adapter", "proto", "wire"}},
};
// These may include everything but rules.
const std::set<std::string> kFree = {"simulation", "cli", "bench", "tests", "examples"};

// Third-party headers with a home. `prefixes`: the files that may include them.
struct Home {
  std::string header_prefix;
  std::vector<std::string> prefixes;
};
const std::vector<Home> kHomes = {
    {"prometheus/", {"server/metrics/metrics.cc"}},
    {"yaml-cpp/", {"config/document.cc"}},
    {"torch/torch.h", {"simulation/"}},
    {"torch/csrc/distributed/",
     {"server/tree/collective.cc", "server/tree/collective_backend.h", "server/tree/collective_gloo.cc",
      "server/tree/collective_nccl.cc"}},
    {"gloo/", {"server/tree/collective_gloo.cc"}},
    {"grpc", {"wire/", "server/gateway/", "server/node/", "client/sdk/", "simulation/", "cli/", "bench/", "tests/"}},
};

// Folders of pure functions, and what those have no use for: threads, clocks, files, randomness.
const std::set<std::string> kPure = {"server/round", "server/tree/planner"};
const std::set<std::string> kImpureHeaders = {"thread",  "mutex",     "shared_mutex", "condition_variable",
                                              "atomic",  "future",    "chrono",       "random",
                                              "fstream", "filesystem"};

bool IsTest(const std::string& path) { return absl::EndsWith(path, "_test.cc") || absl::StrContains(path, "testing"); }

bool IsCpp(const std::string& path) { return absl::EndsWith(path, ".cc") || absl::EndsWith(path, ".h"); }

bool IsWithin(absl::string_view path, absl::string_view folder) {
  return absl::StartsWith(path, folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// The deepest folder of the tables that holds `path`; "" for one they do not know.
std::string FolderOf(const std::string& path) {
  std::string best;
  for (const auto& [folder, allowed] : kArrows) {
    if (IsWithin(path, folder) && folder.size() > best.size()) best = folder;
  }
  for (const std::string& folder : kFree) {
    if (IsWithin(path, folder)) best = folder;
  }
  return best;
}

bool MayInclude(const std::string& from, const std::string& to) {
  if (to == "aggregators/combine" || to == "aggregators/rules") return false;
  if (from == to || kFree.count(from) != 0) return true;
  return kArrows.at(from).count(to) != 0;
}

void CheckProjectInclude(const std::string& path, const std::string& include, Complaints* complaints) {
  const std::string from = FolderOf(path), to = FolderOf(include);
  if (to.empty()) {
    // A third-party header such as absl's, or a neighbour named without its folder.
    if (!absl::StrContains(include, '/'))
      complaints->push_back(absl::StrCat(path, ": \"", include, "\" is not relative to the root"));
  } else if (!MayInclude(from, to)) {
    complaints->push_back(absl::StrCat(path, ": ", from, "/ must not include ", to, "/ (", include, ")"));
  }
}

void CheckThirdParty(const std::string& path, const std::string& include, Complaints* complaints) {
  for (const Home& home : kHomes) {
    const auto covers = [&path](const std::string& prefix) { return absl::StartsWith(path, prefix); };
    if (!absl::StartsWith(include, home.header_prefix) ||
        std::any_of(home.prefixes.begin(), home.prefixes.end(), covers))
      continue;
    complaints->push_back(
        absl::StrCat(path, ": <", include, "> belongs to ", absl::StrJoin(home.prefixes, ", "), " only"));
  }
  if (IsTest(path)) return;
  if (kPure.count(FolderOf(path)) != 0 && kImpureHeaders.count(include) != 0) {
    complaints->push_back(absl::StrCat(path, ": pure functions, as in ", FolderOf(path), "/, need no <", include, ">"));
  }
  const bool library = absl::StrContains(include, '/') || absl::EndsWith(include, ".h");
  const bool kernel_may = FolderOf(include) == "aggregators/kernels" || absl::StartsWith(include, "absl/") ||
                          absl::StartsWith(include, "ATen/") || absl::StartsWith(include, "c10/");
  if (FolderOf(path) == "aggregators/kernels" && library && !kernel_may) {
    complaints->push_back(absl::StrCat(path, ": kernels see std, absl and ATen only, not <", include, ">"));
  }
}

}  // namespace

Complaints CheckArrows(const Tree& tree) {
  Complaints complaints;
  std::set<std::string> sqlite_users;
  for (const auto& [path, text] : tree) {
    if (!IsCpp(path)) continue;
    if (FolderOf(path).empty()) {
      complaints.push_back(absl::StrCat(path, ": in no folder of docs/architecture.md"));
      continue;
    }
    for (const Include& include : IncludesOf(text)) {
      if (include.path == "sqlite3.h") sqlite_users.insert(path);
      if (!include.angled) CheckProjectInclude(path, include.path, &complaints);
      CheckThirdParty(path, include.path, &complaints);
    }
  }
  if (sqlite_users.size() > 1) {
    complaints.push_back(
        absl::StrCat("one file may include <sqlite3.h>, these do: ", absl::StrJoin(sqlite_users, ", ")));
  }
  return complaints;
}

}  // namespace cairn::house
