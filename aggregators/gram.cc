#include "aggregators/gram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "adapter/find.h"
#include "aggregators/blame.h"
#include "aggregators/module_values.h"
#include "aggregators/streamed.h"
#include "base/interrupt.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using Matrix = std::vector<std::vector<double>>;
using Updates = std::map<std::string, ClientUpdate>;

constexpr std::int64_t kBlockElements = 1 << 15;  // Of one client's tensor.

// Group g of all clients that have the module: which clients, and their units in that order.
struct Units {
  std::vector<std::size_t> clients;
  std::vector<std::int64_t> starts{0};
  std::vector<FactorPtr> a, b;
};

absl::StatusOr<Units> UnitsOf(const ModuleSpec& spec, std::int64_t group, const Updates& updates) {
  Units units;
  std::size_t i = 0;
  for (const auto& [client, update] : updates) {
    const std::size_t index = i++;
    const LoraModule* whole = FindModule(*update.adapter, spec.name);
    if (whole == nullptr) continue;
    const LoraModule module = GroupOf(*whole, group);
    units.clients.push_back(index);
    units.starts.push_back(units.starts.back() + module.rank);
    CAIRN_ASSIGN_OR_RETURN(units.a.emplace_back(), FactorA(module));
    units.b.push_back(ColumnsOf({{module.scale, module.b}}));
  }
  return units;
}

absl::Status AddModule(const ModuleSpec& spec, std::int64_t group, const Updates& updates, Matrix& gram) {
  CAIRN_ASSIGN_OR_RETURN(Units units, UnitsOf(spec, group, updates));
  const kernels::StreamedFactors factors = Streamed(Below(std::move(units.a)), Beside(std::move(units.b)));
  CAIRN_ASSIGN_OR_RETURN(const kernels::PartProducts parts, kernels::InnerProducts(factors, units.starts));
  if (!std::isfinite(parts.magnitude)) return absl::OutOfRangeError("inner products overflow float64");
  const std::size_t count = units.clients.size();
  for (std::size_t x = 0; x < count; ++x) {
    for (std::size_t y = 0; y < count; ++y) gram[units.clients[x]][units.clients[y]] += parts.inner[x * count + y];
  }
  return absl::OkStatus();
}

// By client, elements [first, first + count) of a tensor; none for a client that lacks it, or where it is no float.
std::vector<std::vector<double>> Elements(const std::string& name, std::int64_t first, std::int64_t count,
                                          const Updates& updates) {
  std::vector<std::vector<double>> values;
  for (const auto& [client, update] : updates) {
    std::vector<double>& own = values.emplace_back();
    const DenseTensor* tensor = FindTensor(*update.adapter, name);
    if (tensor == nullptr || !IsFloat(tensor->view.dtype)) continue;
    own.resize(static_cast<std::size_t>(count));
    const std::size_t at = static_cast<std::size_t>(first) * SizeOf(tensor->view.dtype);
    ToDouble(tensor->view.dtype, tensor->view.data.data() + at, own.size(), own.data());
  }
  return values;
}

absl::Status AddTensor(const TensorSpec& spec, const Updates& updates, Matrix& gram) {
  const std::int64_t elements = TensorView{.shape = spec.shape}.elements();
  for (std::int64_t first = 0; first < elements; first += kBlockElements) {
    const auto values = Elements(spec.name, first, std::min(kBlockElements, elements - first), updates);
    for (std::size_t x = 0; x < values.size(); ++x) {
      for (std::size_t y = 0; y < values.size(); ++y) {
        if (values[x].empty() || values[y].empty()) continue;
        gram[x][y] += std::inner_product(values[x].begin(), values[x].end(), values[y].begin(), 0.0);
      }
      if (!std::isfinite(gram[x][x])) return absl::OutOfRangeError("inner products overflow float64");
    }
  }
  return absl::OkStatus();
}

absl::Status AddGroups(const ModuleSpec& spec, const Updates& updates, Matrix& gram) {
  for (std::int64_t g = 0; g < spec.layer.groups; ++g) CAIRN_RETURN_IF_ERROR(AddModule(spec, g, updates, gram));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Matrix> GramOf(const Updates& updates) {
  Matrix gram(updates.size(), std::vector<double>(updates.size()));
  AdapterSpec spec;
  for (const auto& [client, update] : updates) {
    CAIRN_ASSIGN_OR_RETURN(spec, UnionOf(spec, SpecOf(*update.adapter)));
  }
  for (const ModuleSpec& module : spec.modules) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    CAIRN_RETURN_IF_ERROR(Blame(AddGroups(module, updates, gram), updates, module.name));
  }
  if (!spec.modules.empty()) return gram;
  for (const TensorSpec& tensor : spec.tensors) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    CAIRN_RETURN_IF_ERROR(Blame(AddTensor(tensor, updates, gram), updates, tensor.name));
  }
  return gram;
}

}  // namespace cairn
