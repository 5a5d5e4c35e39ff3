#include "simulation/grid/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "aggregators/publish_form.h"
#include "aggregators/registry.h"
#include "aggregators/weighing.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "simulation/attacks/attack_spec.h"

namespace cairn {
namespace {

absl::Status Wrong(absl::string_view key, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat("key \"grid.", key, "\": expected ", expected, ", got ", got));
}

template <typename T>
absl::Status CheckList(absl::string_view key, const std::vector<T>& values) {
  if (values.empty()) return Wrong(key, "at least one", "none");
  std::set<T> seen;
  for (const T& value : values) {
    if (!seen.insert(value).second) return Wrong(key, "each at most once", absl::StrCat(value, " twice"));
  }
  return absl::OkStatus();
}

absl::Status CheckParticipants(const Grid& grid) {
  if (grid.participants < 2 || grid.participants > kParticipantsMax) {
    return Wrong("participants", absl::StrCat("2 to ", kParticipantsMax), absl::StrCat(grid.participants));
  }
  for (const std::uint32_t rank : grid.ranks) {
    if (rank < 1 || rank > limits::kRankMax) {
      return Wrong("ranks", absl::StrCat("1 to ", limits::kRankMax), absl::StrCat(rank));
    }
  }
  CAIRN_RETURN_IF_ERROR(CheckList("faulty", grid.faulty));
  if (grid.faulty.back() >= grid.participants) {
    return Wrong("faulty", "fewer than there are participants", absl::StrCat(grid.faulty.back()));
  }
  return absl::OkStatus();
}

absl::Status CheckDomains(const Grid& grid) {
  if (grid.domains.size() < 2) return Wrong("domains", "at least 2", absl::StrCat(grid.domains.size()));
  std::set<std::string> names;
  for (const TextSource& domain : grid.domains) {
    CAIRN_RETURN_IF_ERROR(CheckId("grid.domains.name", domain.name));
    if (!names.insert(domain.name).second) return Wrong("domains.name", "each name once", domain.name);
    if (domain.documents.empty()) {
      return Wrong(absl::StrCat("domains (", domain.name, ").documents"), "at least one file name", "none");
    }
  }
  const auto unseen = [](const TextSource& domain) { return domain.unseen; };
  if (!std::all_of(grid.domains.begin(), grid.domains.end(), unseen)) return absl::OkStatus();
  return Wrong("domains.unseen", "a domain that the base model sees", "none");
}

// A trusted client that is not there fails every cell; one that attacks leaves nothing to be learned from them.
absl::Status CheckTrusted(const std::string& client, const Grid& grid) {
  if (client.empty()) return absl::OkStatus();
  const std::uint32_t honest = grid.participants - grid.faulty.back();
  for (std::uint32_t i = 0; i < honest; ++i) {
    if (client == ParticipantName(i)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("trusted client: expected one that never attacks, ",
                                                 ParticipantName(0), " to ", ParticipantName(honest - 1), ", got ",
                                                 client));
}

// The program and its options; whether there are clients enough is another question.
absl::Status CheckRule(const GridRule& rule, const Grid& grid) {
  CAIRN_ASSIGN_OR_RETURN(const Weighing weighing, Weighing::Create(rule.rule, rule.guards));
  CAIRN_RETURN_IF_ERROR(CheckTrusted(weighing.rule().needs().client, grid));
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(rule.combine));
  CAIRN_RETURN_IF_ERROR(weighing.CheckCombine(*combine));
  if (combine->round_start() != RoundStart::kMerge) {
    return absl::InvalidArgumentError(
        absl::StrCat("combine: expected a rule whose result is merged into the model, such as stack; ", rule.combine,
                     " gives an adapter to go on with"));
  }
  if (rule.publish.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const PublishForm form, ParsePublishForm(rule.publish));
  if (form.kind != PublishForm::Kind::kRanks && form.kind != PublishForm::Kind::kMerged) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("publish: expected one adapter for all, as with rank=N, got ", rule.publish));
}

absl::Status CheckRules(const Grid& grid) {
  if (grid.rules.empty()) return Wrong("rules", "at least one", "none");
  std::set<std::string> names;
  for (const GridRule& rule : grid.rules) {
    if (rule.name.empty()) return Wrong("rules.rule", "a rule", "nothing");
    if (!names.insert(rule.name).second) return Wrong("rules.name", "each name once", rule.name);
    for (const std::uint32_t faulty : grid.faulty) {
      const absl::Status status = CheckRule(Against(rule, faulty), grid);
      if (!status.ok()) return Wrong(absl::StrCat("rules (", rule.name, ")"), "a rule that runs", status.message());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAttacks(const Grid& grid) {
  if (grid.faulty.back() == 0 && grid.attacks.empty()) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(CheckList("attacks", grid.attacks));
  for (const std::string& attack : grid.attacks) {
    const absl::Status known = ParseAttack(attack).status();
    if (!known.ok()) return Wrong("attacks", "attacks", absl::StrCat(attack, ": ", known.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGrid(const Grid& grid) {
  CAIRN_RETURN_IF_ERROR(CheckParticipants(grid));
  CAIRN_RETURN_IF_ERROR(CheckDomains(grid));
  CAIRN_RETURN_IF_ERROR(CheckList("concentrations", grid.concentrations));
  CAIRN_RETURN_IF_ERROR(CheckList("seeds", grid.seeds));
  CAIRN_RETURN_IF_ERROR(CheckAttacks(grid));
  CAIRN_RETURN_IF_ERROR(CheckRules(grid));
  const double cells = 1.0 * grid.rules.size() * grid.concentrations.size() * grid.seeds.size() *
                       (1.0 + 1.0 * grid.faulty.size() * grid.attacks.size());
  if (cells > kCellsMax) return Wrong("rules", absl::StrCat("at most ", kCellsMax, " cells"), absl::StrCat(cells));
  return absl::OkStatus();
}

std::string ParticipantName(std::size_t number) { return absl::StrCat("p", number); }

GridRule Against(GridRule rule, std::uint32_t faulty) {
  const auto fill = [faulty](std::string& text) { absl::StrReplaceAll({{"{f}", absl::StrCat(faulty)}}, &text); };
  fill(rule.rule);
  for (std::string& guard : rule.guards) fill(guard);
  return rule;
}

std::string DefinitionOf(const GridRule& rule) {
  std::string out;
  for (const std::string& guard : rule.guards) absl::StrAppend(&out, guard, " > ");
  absl::StrAppend(&out, rule.rule, " > ", rule.combine);
  if (!rule.publish.empty()) absl::StrAppend(&out, " > ", rule.publish);
  return out;
}

std::string ConcentrationText(double concentration) {
  return std::isinf(concentration) ? "inf" : absl::StrCat(concentration);
}

absl::StatusOr<double> ParseConcentration(absl::string_view text) {
  double value = 0;
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (absl::SimpleAtod(text, &value) && value > 0 && std::isfinite(value)) return value;
  return absl::InvalidArgumentError(absl::StrCat("expected a number above 0, or inf, got ", text));
}

}  // namespace cairn
