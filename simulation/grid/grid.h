// Rules against attacks: the axes of a grid of small federations, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

inline constexpr char kNoAttack[] = "none";
inline constexpr std::uint32_t kParticipantsMax = 1'000;
inline constexpr std::size_t kCellsMax = 1'000'000;

// Text of one kind.
struct TextSource {
  std::string name;
  std::vector<std::string> documents;  // File names in Experiment::data; empty: every text file of the folder `name`.
  bool unseen = false;                 // The base model is made without it.
};

// How updates become one: in tables and figures by its name.
struct GridRule {
  std::string name;
  std::string rule;                 // As `cairn aggregate --rule` has it.
  std::vector<std::string> guards;  // In the order in which they are applied.
  std::string combine = "stack";
  std::string publish;  // Empty: as the combine rule has it.
};

struct Grid {
  std::uint32_t participants = 10;      // n: p0, p1, and so on; the last f attack.
  std::vector<std::uint32_t> ranks{4};  // Taken in turn.
  std::vector<TextSource> domains;
  std::vector<double> concentrations;  // Of the Dirichlet distribution over domains; infinity: equal parts.
  std::vector<std::uint32_t> faulty;   // f, ascending. With 0 there is one cell instead of one for each attack.
  std::vector<std::string> attacks;
  std::vector<GridRule> rules;  // "{f}" in rule and guards stands for f.
  std::vector<std::uint64_t> seeds;
};

// INVALID_ARGUMENT names the key, what was expected and what came. Whether rules take so many attackers is another
// question (simulation/grid/plan.h).
absl::Status CheckGrid(const Grid& grid);

// "p3": the id of a participant, for rules that trust one.
std::string ParticipantName(std::size_t number);

// The rule against `faulty` attackers: with that number for "{f}".
GridRule Against(GridRule rule, std::uint32_t faulty);

// "nnm:f=2 > krum:f=2 > stack": the same text for the same result.
std::string DefinitionOf(const GridRule& rule);

// "0.1", "inf".
std::string ConcentrationText(double concentration);
absl::StatusOr<double> ParseConcentration(absl::string_view text);

}  // namespace cairn
