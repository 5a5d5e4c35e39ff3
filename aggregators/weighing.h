// A rule and the guards before it, composed: from the inner products of what the clients sent to what each of them
// counts. Pure: no data is looked at here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"
#include "aggregators/guard.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/rule.h"

namespace cairn {
namespace internal {
class WeighingRound;
}  // namespace internal

// What a rule and its guards say of one client.
struct ClientWeight {
  double weight = 0;               // 0: it does not count. Of coordinate-wise rules: its share of the votes.
  std::optional<double> distance;  // ||x_i - y|| from the result. None: not measured.
  std::optional<double> cosine;    // Of the angle between x_i and y. None: not measured, or one of them is zero.
  bool accepted = true;
  std::string reason;  // Why it has no weight, for people: not accepted, or trusted and held against the others.
};

// Columns of the Gram matrix, in this order: every client's update; with Rule::Needs::history what each client sent in
// earlier rounds, summed; `last`, if there; `reference`, if there.
struct WeighingInput {
  std::vector<std::string> clients;            // Ids, ascending.
  std::vector<double> examples;                // By client.
  std::vector<std::string> not_finite;         // By client: what of it is not finite. Empty text: nothing.
  const kernels::SmallMatrix* gram = nullptr;  // Null unless Weighing::needs_gram. Of clients that are not finite,
                                               // rows and columns are not looked at.
  bool last = false;                           // What the last round gave (Needs::last).
  bool reference = false;                      // What updates are measured from: rules see x_i - g and last - g.
  std::uint64_t round = 0;
};

struct WeighingOutput {
  std::vector<ClientWeight> clients;
  double total = 0;                // Where the weights that are not 0 are examples / total; else 0.
  double last = 0, reference = 0;  // What those columns count: y = sum of w_i x_i + last v + reference g.
  // Coordinate-wise rules: what is made of the columns (X - g) * mixing, X [., clients]; g is added to the result.
  // Without guards `mixing` is empty and the columns are those of the clients with a weight.
  std::optional<kernels::CoordinateRule> coordinates;
  kernels::SmallMatrix mixing;
};

class Weighing {
 public:
  // NOT_FOUND: no rule or guard of that name, with those that there are. INVALID_ARGUMENT: options; a guard that needs
  // f where neither it nor the rule has one.
  static absl::StatusOr<Weighing> Create(const std::string& rule, absl::Span<const std::string> guards);

  const Rule& rule() const { return *rule_; }
  // Whether inner products are to be known.
  bool needs_gram() const { return needs_gram_; }
  // Whether clients with values that are not finite are left out, with a reason; by `examples` alone they are not:
  // there they are an error. What is not finite shows in the Gram matrix, where one is needed.
  bool drops_not_finite() const { return drops_; }

  // Whether so many clients, a trusted one included, are enough for the rule and every guard. INVALID_ARGUMENT with the
  // name, the bound and the numbers. Ask before a round opens.
  absl::Status CheckClients(std::size_t clients) const;
  // The same for every number from `least` to `most`.
  absl::Status CheckClients(std::size_t least, std::size_t most) const;
  // INVALID_ARGUMENT when the combine rule cannot take the weights that this gives, with updates measured from an
  // adapter if `relative`. Names those that can.
  absl::Status CheckCombine(const Aggregator& combine, bool relative = false) const;

  // INVALID_ARGUMENT as CheckClients, and when the trusted client is not there or not finite.
  absl::StatusOr<WeighingOutput> Weigh(const WeighingInput& input) const;

 private:
  friend class internal::WeighingRound;
  Weighing() = default;

  // Of `columns` that count, of which so many more were dropped.
  std::size_t RuleFaulty(std::size_t clients, std::size_t dropped) const;
  std::size_t GuardFaulty(const Guard& guard, std::size_t clients, std::size_t dropped) const;
  absl::Status CheckColumns(std::size_t clients, std::size_t dropped) const;

  std::unique_ptr<Rule> rule_;
  std::vector<std::unique_ptr<Guard>> guards_;  // Those that mix.
  bool needs_gram_ = false, drops_ = false;
};

}  // namespace cairn
