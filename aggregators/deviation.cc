#include "aggregators/deviation.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/find.h"
#include "aggregators/kernels/product.h"
#include "base/interrupt.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Products with the factors' values.
class Products {
 public:
  void Add(double scale, const LoraModule& module) {
    Add(scale * module.scale, Values(module.a), Values(module.b), module.d_out, module.rank, module.d_in);
  }
  void Add(double scale, const Factor& a, const Factor& b) {
    Add(scale, ReadAllDouble(a), ReadAllDouble(b), b.rows(), a.rows(), a.columns());
  }
  const std::vector<kernels::ScaledProduct>& list() const { return products_; }

 private:
  static std::vector<double> Values(const TensorView& view) {
    std::vector<double> values(static_cast<std::size_t>(view.elements()));
    ToDouble(view.dtype, view.data.data(), values.size(), values.data());
    return values;
  }
  void Add(double scale, std::vector<double> a, std::vector<double> b, std::int64_t d_out, std::int64_t rank,
           std::int64_t d_in) {
    // Moving the outer vectors' elements leaves their memory where it is.
    values_.push_back(std::move(a));
    const absl::Span<const double> a_values = values_.back();
    values_.push_back(std::move(b));
    products_.push_back({scale, {a_values, values_.back(), d_out, rank, d_in}});
  }

  std::vector<std::vector<double>> values_;
  std::vector<kernels::ScaledProduct> products_;
};

absl::Status ForModule(absl::string_view name, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("module \"", absl::CHexEscape(name), "\": ", status.message()));
}

// ||sum of coefficients_i P_i||^2 from the inner products of the P_i, [n, n]. Rounding may leave a tiny negative sum.
double SquaredNorm(const std::vector<double>& inner, const std::vector<double>& coefficients) {
  const std::size_t n = coefficients.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) sum += coefficients[i] * coefficients[j] * inner[i * n + j];
  }
  return std::max(sum, 0.0);
}

absl::Status AddGroup(const CombinedModule& published, absl::Span<const WeightedModule> inputs, std::int64_t group,
                      Deviation& deviation) {
  Products all;
  std::vector<double> exact, error;
  for (const auto& [weight, module] : inputs) {
    all.Add(1, GroupOf(*module, group));
    exact.push_back(weight);
    error.push_back(-weight);
  }
  const std::int64_t groups = published.spec.layer.groups;
  const std::int64_t units = published.rank / groups, rows = published.spec.d_out / groups;
  if (units > 0) {
    all.Add(1, *Part(published.a, group * units, units, published.spec.d_in),
            *Part(published.b, group * rows, rows, units));
    exact.push_back(0);
    error.push_back(1);
  }
  const auto inner = kernels::InnerProducts(all.list());
  if (!inner.ok()) return ForModule(published.spec.name, inner.status());
  deviation.norm_squared += SquaredNorm(*inner, exact);
  deviation.error_squared += SquaredNorm(*inner, error);
  return absl::OkStatus();
}

using Matrix = std::vector<std::vector<double>>;
using Updates = std::map<std::string, ClientUpdate>;

absl::Status AddModuleGram(const ModuleSpec& spec, std::int64_t group, const Updates& updates, Matrix& gram) {
  Products products;
  std::vector<std::size_t> clients;
  std::size_t i = 0;
  for (const auto& [client, update] : updates) {
    if (const LoraModule* module = FindModule(*update.adapter, spec.name)) {
      products.Add(1, GroupOf(*module, group));
      clients.push_back(i);
    }
    ++i;
  }
  const auto inner = kernels::InnerProducts(products.list());
  if (!inner.ok()) return ForModule(spec.name, inner.status());
  for (std::size_t x = 0; x < clients.size(); ++x) {
    for (std::size_t y = 0; y < clients.size(); ++y) gram[clients[x]][clients[y]] += (*inner)[x * clients.size() + y];
  }
  return absl::OkStatus();
}

void AddTensorGram(const std::string& name, const Updates& updates, Matrix& gram) {
  std::vector<std::vector<double>> values;
  for (const auto& [client, update] : updates) {
    const DenseTensor* tensor = FindTensor(*update.adapter, name);
    std::vector<double>& own = values.emplace_back();
    if (tensor == nullptr || !IsFloat(tensor->view.dtype)) continue;
    own.resize(static_cast<std::size_t>(tensor->view.elements()));
    ToDouble(tensor->view.dtype, tensor->view.data.data(), own.size(), own.data());
  }
  for (std::size_t x = 0; x < values.size(); ++x) {
    for (std::size_t y = 0; y < values.size(); ++y) {
      if (values[x].empty() || values[y].empty()) continue;
      gram[x][y] += std::inner_product(values[x].begin(), values[x].end(), values[y].begin(), 0.0);
    }
  }
}

}  // namespace

absl::StatusOr<Deviation> DeviationOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs) {
  Deviation deviation;
  for (std::int64_t g = 0; g < published.spec.layer.groups; ++g) {
    CAIRN_RETURN_IF_ERROR(AddGroup(published, inputs, g, deviation));
  }
  return deviation;
}

absl::StatusOr<std::vector<std::vector<double>>> GramOf(const Updates& updates) {
  Matrix gram(updates.size(), std::vector<double>(updates.size()));
  AdapterSpec spec;
  for (const auto& [client, update] : updates) {
    CAIRN_ASSIGN_OR_RETURN(spec, UnionOf(spec, SpecOf(*update.adapter)));
  }
  for (const ModuleSpec& module : spec.modules) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    for (std::int64_t g = 0; g < module.layer.groups; ++g) {
      CAIRN_RETURN_IF_ERROR(AddModuleGram(module, g, updates, gram));
    }
  }
  if (!spec.modules.empty()) return gram;
  for (const TensorSpec& tensor : spec.tensors) AddTensorGram(tensor.name, updates, gram);
  return gram;
}

}  // namespace cairn
