// What rules have in common that look at every coordinate by itself: each client has one vote, and no Gram matrix is
// needed.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregators/faulty.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"

namespace cairn {

class CoordinateWise : public Rule {
 public:
  Needs needs() const final { return {.gram = false}; }
  bool coordinate_wise() const final { return true; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override;
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const final;

 private:
  // What is made of each coordinate of so many columns.
  virtual kernels::CoordinateRule Kernel(std::size_t columns, std::size_t faulty) const = 0;
};

// One that leaves f values out, or f on either side.
class TrimmingCoordinateWise : public CoordinateWise {
 public:
  explicit TrimmingCoordinateWise(Faulty faulty) : faulty_(faulty) {}
  std::optional<Faulty> faulty() const final { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const final;

 private:
  Faulty faulty_;
};

// T is a TrimmingCoordinateWise. INVALID_ARGUMENT: no f, or not one.
template <typename T>
absl::StatusOr<std::unique_ptr<Rule>> MakeTrimming(RuleOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
  return std::make_unique<T>(faulty);
}

}  // namespace cairn
