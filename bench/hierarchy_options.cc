#include "bench/hierarchy_options.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn::bench {

std::string NameOfSize(double megabytes) { return absl::StrCat(megabytes, " MB"); }

absl::StatusOr<std::vector<std::unique_ptr<Contender>>> StartContenders(const HierarchyOptions& options,
                                                                        const std::vector<DesignFacts>& designs,
                                                                        const HierarchyPayload& payload,
                                                                        const std::string& name) {
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const DesignFacts& facts : designs) {
    auto contender =
        Contender::Start(facts, payload, options.in_flight, options.directory / absl::StrCat(name, "-", facts.name));
    if (facts.design == Design::kRedis && absl::IsNotFound(contender.status())) {
      std::fprintf(stderr, "no redis-server here (apt-get install redis-server): left out\n");
      continue;
    }
    CAIRN_RETURN_IF_ERROR(contender.status());
    contenders.push_back(*std::move(contender));
  }
  return contenders;
}

}  // namespace cairn::bench
