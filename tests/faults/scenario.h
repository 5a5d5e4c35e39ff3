// The federation that the fault tests run: what its server, its clients and the checks have to agree on.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"

namespace cairn::faults {

inline constexpr char kFederation[] = "faulty";
struct Scenario {
  const char* combine;
  const char* rule = "examples";
  bool relative = false;       // relative_to_published
  bool has_deltas = false;     // Rounds merge: versions have a delta beside the whole.
  bool keeps_history = false;  // Of what each client sent.
};
// Rounds that merge into the base model; that go on from the published adapter, which is cut by a singular value
// decomposition; that do both; that go on from an average; and with rules that remember earlier rounds.
inline constexpr std::array<Scenario, 6> kScenarios = {{
    {.combine = "stack", .has_deltas = true},
    {.combine = "svd"},
    {.combine = "residual", .has_deltas = true},
    {.combine = "mean"},
    {.combine = "stack", .rule = "centered_clipping:tau=500", .has_deltas = true},
    {.combine = "svd", .rule = "foolsgold", .relative = true, .keeps_history = true},
}};
inline constexpr std::uint64_t kRounds = 3;
// One client each. Updates of 1.5 to 3 MiB: several chunks, so that kills hit uploads in the middle.
inline constexpr std::array<std::int64_t, 4> kRanks = {24, 16, 16, 12};

inline constexpr std::int64_t kEqualRank = 16;  // Of all clients, for the rules that demand it.

inline std::int64_t RankOf(absl::string_view combine, std::size_t client) {
  return combine == "residual" || combine == "mean" ? kEqualRank : kRanks[client];
}

inline std::string ClientName(std::size_t index) { return absl::StrCat("client-", index); }

inline std::vector<ModuleSpec> Modules() {
  return {{"block.0.down", 4096, 4096},
          {"block.0.up", 4096, 4096},
          {"block.1.down", 4096, 4096},
          {"block.1.up", 4096, 4096}};
}

}  // namespace cairn::faults
