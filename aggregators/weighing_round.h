// One weighing of Weighing::Weigh.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/weighing.h"

namespace cairn::internal {

class WeighingRound {
 public:
  WeighingRound(const Weighing& weighing, const WeighingInput& input) : weighing_(weighing), input_(input) {}
  absl::StatusOr<WeighingOutput> Run();

 private:
  using SmallMatrix = kernels::SmallMatrix;

  const Rule& rule() const { return weighing_.rule(); }
  std::string who() const;
  bool finite(std::size_t client) const { return input_.not_finite.empty() || input_.not_finite[client].empty(); }
  bool measured() const { return input_.gram != nullptr; }
  // Columns that the rule sees: mixtures, or the clients themselves.
  std::size_t mixed() const { return mixing_ ? mixing_->columns : columns_.size(); }
  // How often the columns stand in gram_: by themselves, and as histories.
  std::size_t blocks() const { return rule().needs().history ? 2 : 1; }

  absl::Status ChooseColumns();
  void Refuse(std::size_t client, std::string reason);
  void ChooseGram();
  absl::Status Mix();
  SmallMatrix MixingOfAll() const;
  std::vector<double> ExamplesOfMixed() const;
  absl::StatusOr<RuleOutput> Ask() const;
  void Assign(const RuleOutput& result);
  std::string ReasonOf(std::size_t column, const RuleOutput& result) const;
  bool IsAlone(std::size_t column) const;
  void KeepMixing(absl::Span<const double> votes);
  void Measure();
  void Tell(std::size_t client, double own, double inner, double norm);

  const Weighing& weighing_;
  const WeighingInput& input_;
  std::vector<std::size_t> columns_;    // Clients that count, before guards.
  std::optional<std::size_t> trusted_;  // A client.
  std::size_t dropped_ = 0;             // Of those who would count.
  // Of the columns that count, their histories, the trusted client and the last result, measured from the reference.
  SmallMatrix gram_;
  std::optional<SmallMatrix> mixing_;  // [columns, mixed]. None without guards.
  WeighingOutput output_;
};

}  // namespace cairn::internal
