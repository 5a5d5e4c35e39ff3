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

// What a rule and its guards say of one client.
struct ClientWeight {
  double weight = 0;               // 0: it does not count. Of coordinate-wise rules: its share of the votes.
  std::optional<double> distance;  // ||x_i - y|| from the result. None: not measured.
  std::optional<double> cosine;    // Of the angle between x_i and y. None: not measured, or one of them is zero.
  bool accepted = true;
  std::string reason;              // Why not, for people. Empty when accepted.
};

// Which columns the Gram matrix has, in this order: every client's update; with Rule::Needs::history what each client
// sent in earlier rounds, summed; `last`; `reference`.
struct WeighingInput {
  std::vector<std::string> clients;         // Ids, ascending.
  std::vector<double> examples;             // By client.
  const kernels::SmallMatrix* gram = nullptr;  // Null unless Weighing::needs_gram. A row and column with NaN: the
                                               // client's values are not finite.
  bool last = false;       // The last column but the reference: what the last round gave (Needs::last).
  bool reference = false;  // The last column: the adapter that updates are measured from, x_i - g_0.
  std::uint64_t round = 0;
};

struct WeighingOutput {
  std::vector<ClientWeight> clients;
  double last = 0, reference = 0;  // What those columns count.
  // Coordinate-wise rules: what is made of the columns X * mixing, X [., clients (, reference)], with `reference` added
  // to the result again where there is one.
  std::optional<kernels::CoordinateRule> coordinates;
  kernels::SmallMatrix mixing;
};

class Weighing {
 public:
  // NOT_FOUND: no rule or guard of that name, with those that there are. INVALID_ARGUMENT: options; `finite` twice.
  static absl::StatusOr<Weighing> Create(const std::string& rule, absl::Span<const std::string> guards);

  const Rule& rule() const { return *rule_; }
  // Whether anything is to be known of the updates beside their example counts.
  bool needs_gram() const { return needs_gram_; }

  // Whether so many clients are enough for the rule and each guard. INVALID_ARGUMENT with the name, the bound and the
  // numbers. Ask before a round opens.
  absl::Status CheckClients(std::size_t clients) const;
  // For every number of clients from `least` to `most`.
  absl::Status CheckClients(std::size_t least, std::size_t most) const;
  // INVALID_ARGUMENT when the combine rule cannot take the weights that the rule gives; says which can.
  absl::Status CheckCombine(const Aggregator& combine) const;

  // INVALID_ARGUMENT as CheckClients, after clients with values that are not finite were dropped, and when the trusted
  // client is not there.
  absl::StatusOr<WeighingOutput> Weigh(const WeighingInput& input) const;

 private:
  Weighing() = default;

  std::unique_ptr<Rule> rule_;
  std::vector<std::unique_ptr<Guard>> guards_;
  bool needs_gram_ = false;
};

}  // namespace cairn
