// Clients with NaN or infinities are dropped before any guard sees a column (aggregators/weighing.h). Naming this guard
// asks for that where nothing else looks at the updates: with the rule `examples`.
#include "aggregators/guard.h"

namespace cairn {
namespace {

class Finite final : public Guard {
 public:
  absl::string_view name() const override { return "finite"; }
  bool mixes() const override { return false; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  // Those that are left stay as they are.
  absl::StatusOr<kernels::SmallMatrix> Mix(const GuardInput& input) const override {
    kernels::SmallMatrix mixing = kernels::SmallMatrix::Zero(input.gram.rows, input.gram.rows);
    for (std::size_t i = 0; i < mixing.rows; ++i) mixing.at(i, i) = 1;
    return mixing;
  }
};

CAIRN_REGISTER_GUARD("finite", Finite);

}  // namespace
}  // namespace cairn
