#include "bench/robust_jobs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "aggregators/guard.h"
#include "aggregators/rule.h"

namespace cairn::bench {
namespace {

// Rules that guards are put in front of.
constexpr const char* kGuarded[] = {"krum", "flag"};

// The first of these that `make` takes; without options when it takes none, so that its error is seen.
template <typename Make>
std::string WithOptions(const std::string& name, const std::vector<std::string>& options, Make make) {
  for (const std::string& option : options) {
    const std::string spec = absl::StrCat(name, ":", option);
    if (make(spec).ok()) return spec;
  }
  return name;
}

}  // namespace

std::vector<RuleJob> AllJobs(std::int64_t columns, std::int64_t faulty, const std::vector<std::string>& only) {
  const std::string f = absl::StrCat("f=", faulty), trusted = ClientId(columns - 1);
  const std::vector<std::string> options = {absl::StrCat(f, ",pivot=", trusted), absl::StrCat("root=", trusted),
                                            "variant=reference,lambda=0", f};
  const auto rule = [&](const std::string& name) { return WithOptions(name, options, MakeRule); };
  std::vector<RuleJob> jobs;
  const std::vector<std::string> names = RuleNames();
  for (const std::string& name : names) {
    jobs.push_back({name, rule(name), {}});
    if (name == "flag") jobs.push_back({"flag, lambda 8", "flag:variant=reference,lambda=8", {}});
  }
  for (const char* const name : kGuarded) {
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    for (const std::string& guard : GuardNames()) {
      jobs.push_back({absl::StrCat(guard, " + ", name), rule(name), {WithOptions(guard, {"s=2", f}, MakeGuard)}});
    }
  }
  std::erase_if(jobs, [&](const RuleJob& job) {
    return !only.empty() && std::find(only.begin(), only.end(), job.name) == only.end();
  });
  return jobs;
}

}  // namespace cairn::bench
