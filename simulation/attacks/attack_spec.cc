#include "simulation/attacks/attack_spec.h"

#include <memory>

#include "aggregators/named.h"
#include "aggregators/rule_options.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kFactorMax = 1e12;  // Beyond it factors leave what a server takes (limits::kFactorExponentMax).
constexpr double kConditionMax = 1e12;
constexpr std::int64_t kTimesMax = 64;

using Factory = absl::StatusOr<std::unique_ptr<AttackSpec>> (*)(RuleOptions& options);

// A factory of what `take` takes from the options.
template <absl::Status (*take)(RuleOptions&, AttackSpec&)>
absl::StatusOr<std::unique_ptr<AttackSpec>> Make(RuleOptions& options) {
  auto spec = std::make_unique<AttackSpec>();
  spec->name = options.name();
  CAIRN_RETURN_IF_ERROR(take(options, *spec));
  return spec;
}

absl::Status TakeNothing(RuleOptions&, AttackSpec&) { return absl::OkStatus(); }

absl::Status TakeRank(RuleOptions& options, AttackSpec& spec) {
  spec.forges_values = true;
  CAIRN_ASSIGN_OR_RETURN(spec.rank, options.TakeInteger("rank", 0, 1, limits::kUsualRankMax));
  return absl::OkStatus();
}

absl::Status TakeAlie(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.z, options.TakeNumber("z", 0, -100, 100));
  return TakeRank(options, spec);
}

absl::Status TakeIpm(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.epsilon, options.TakeNumber("epsilon", 0.5, 0, kFactorMax));
  return TakeRank(options, spec);
}

absl::Status TakeSignFlip(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.c, options.TakeNumber("c", 1, 0, kFactorMax));
  return TakeRank(options, spec);
}

absl::Status TakeNoise(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.sigma, options.TakeNumber("sigma", 1, 0, kFactorMax));
  return TakeRank(options, spec);
}

absl::Status TakeDirection(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.direction, options.TakeChoice("direction", {"unit", "deviation", "sign"}));
  return TakeRank(options, spec);
}

absl::Status TakeByzMean(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(
      spec.base, options.TakeChoice("base", {"alie", "gaussian", "ipm", "min_max", "min_sum", "sign_flip", "uniform"}));
  return TakeRank(options, spec);
}

absl::Status TakeSybil(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.noise, options.TakeNumber("noise", 1e-3, 0, 1));
  return TakeRank(options, spec);
}

absl::Status TakeRescale(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.c, options.TakeNumber("c", 1e4, 1 / kFactorMax, kFactorMax));
  return absl::OkStatus();
}

absl::Status TakeCondition(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.cond, options.TakeNumber("cond", 1e5, 1, kConditionMax));
  return absl::OkStatus();
}

absl::Status TakeTimes(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.times, options.TakeInteger("times", 2, 1, kTimesMax));
  return absl::OkStatus();
}

absl::Status TakeAlpha(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.c, options.TakeNumber("c", 10, 1 / kFactorMax, kFactorMax));
  return absl::OkStatus();
}

absl::Status TakeHalf(RuleOptions& options, AttackSpec& spec) {
  CAIRN_ASSIGN_OR_RETURN(spec.c, options.TakeNumber("c", 1, 0, kFactorMax));
  return absl::OkStatus();
}

const internal::Named<Factory>& Attacks() {
  static const auto& attacks = *[] {
    auto* named = new internal::Named<Factory>("attack");
    named->Add("alie", Make<TakeAlie>);
    named->Add("backdoor", Make<TakeRank>);
    named->Add("byz_mean", Make<TakeByzMean>);
    named->Add("fake_alpha", Make<TakeAlpha>);
    named->Add("gaussian", Make<TakeNoise>);
    named->Add("half_poison", Make<TakeHalf>);
    named->Add("ill_conditioned", Make<TakeCondition>);
    named->Add("inf", Make<TakeNothing>);
    named->Add("ipm", Make<TakeIpm>);
    named->Add("label_flip", Make<TakeNothing>);
    named->Add("mimic", Make<TakeNothing>);
    named->Add("min_max", Make<TakeDirection>);
    named->Add("min_sum", Make<TakeDirection>);
    named->Add("nan", Make<TakeNothing>);
    named->Add("rank_inflation", Make<TakeTimes>);
    named->Add("rescale", Make<TakeRescale>);
    named->Add("sign_flip", Make<TakeSignFlip>);
    named->Add("stale_replay", Make<TakeRank>);
    named->Add("sybil", Make<TakeSybil>);
    named->Add("uniform", Make<TakeNoise>);
    return named;
  }();
  return attacks;
}

}  // namespace

absl::StatusOr<AttackSpec> ParseAttack(absl::string_view spec) {
  CAIRN_ASSIGN_OR_RETURN(const auto parsed, Attacks().Make<AttackSpec>(spec));
  return *parsed;
}

std::vector<std::string> AttackNames() { return Attacks().Names(); }

bool FlipsLabels(const AttackSpec& spec) { return spec.name == "label_flip"; }

bool IsRefused(const AttackSpec& spec) { return spec.name == "nan" || spec.name == "inf"; }

Sent SentWith(const AttackSpec& spec, std::int64_t rank, double alpha) {
  if (spec.name == "fake_alpha") return {rank, alpha * spec.c};
  if (spec.name == "rescale" || spec.name == "ill_conditioned") return {rank, alpha, true};
  std::int64_t sent = rank;
  if (spec.name == "rank_inflation") sent = rank * spec.times;
  if (spec.forges_values) sent = spec.rank > 0 ? spec.rank : limits::kUsualRankMax;
  return {sent, alpha / static_cast<double>(rank) * static_cast<double>(sent), sent != rank || spec.forges_values};
}

}  // namespace cairn
