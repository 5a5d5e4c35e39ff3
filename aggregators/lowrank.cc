// The kernels of libcairn_lowrank.so under their own names, for everything that is not that module.
#include <dlfcn.h>

#include <atomic>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "aggregators/lowrank_functions.h"
#include "aggregators/lowrank_module.h"
#include "aggregators/threads.h"
#include "base/module.h"

namespace cairn {
namespace {

constexpr char kModule[] = "libcairn_lowrank.so";

std::atomic<int> threads = 0;  // 0: the library's own choice.

struct Module {
  void* handle = nullptr;
  const LowRankFunctions* functions = nullptr;
  absl::Status status;
};

void ApplyThreads(const Module& module, int count) {
  module.functions->set_threads(count);
  // OpenBLAS may have threads of its own; other libraries have no such function.
  using SetBlasThreads = void (*)(int);
  const auto set = reinterpret_cast<SetBlasThreads>(dlsym(module.handle, "openblas_set_num_threads"));
  if (set != nullptr) set(count);
}

Module Load() {
  Module module;
  const absl::StatusOr<void*> handle = LoadModule(kModule);
  if (!handle.ok()) {
    module.status = handle.status();
    return module;
  }
  module.handle = *handle;
  void* const symbol = dlsym(module.handle, "cairn_lowrank_functions");
  if (symbol == nullptr) {
    module.status = absl::FailedPreconditionError(absl::StrCat("cannot use ", kModule, ": ", dlerror()));
    return module;
  }
  module.functions = reinterpret_cast<decltype(&cairn_lowrank_functions)>(symbol)();
  if (threads > 0) ApplyThreads(module, threads);
  return module;
}

std::atomic<bool> loaded = false;

// Never unloaded: libtorch does not expect it.
const Module& TheModule() {
  static const Module& module = *new Module(Load());
  loaded = module.functions != nullptr;
  return module;
}

template <auto LowRankFunctions::*function, typename... Args>
auto Call(Args&&... args) -> decltype((std::declval<const LowRankFunctions&>().*function)(args...)) {
  const Module& module = TheModule();
  if (module.functions == nullptr) return module.status;
  return (module.functions->*function)(std::forward<Args>(args)...);
}

}  // namespace

absl::Status CheckLowRankModule() { return CheckModule(kModule); }

void SetMatrixThreads(int count) {
  threads = count;
  if (loaded) ApplyThreads(TheModule(), count);
}

namespace kernels {

using F = LowRankFunctions;

absl::Status AddProduct(absl::Span<const double> left, absl::Span<const double> right, bool transposed,
                        std::int64_t rank, std::int64_t columns, absl::Span<double> w) {
  return Call<&F::add_product>(left, right, transposed, rank, columns, w);
}
absl::StatusOr<double> NormOfSum(absl::Span<const ScaledProduct> products) { return Call<&F::norm_of_sum>(products); }
absl::StatusOr<double> NormOf(const ScaledProduct& product) { return Call<&F::norm_of>(product); }
absl::StatusOr<std::vector<double>> UnitInnerProducts(const FactorPair<double>& units) {
  return Call<&F::unit_inner_products>(units);
}
absl::StatusOr<PartProducts> InnerProducts(const UnitFactors& units, absl::Span<const std::int64_t> starts) {
  return Call<&F::inner_products>(units, starts);
}
absl::StatusOr<std::vector<double>> FormedInnerProducts(const StreamedFactors& units,
                                                        absl::Span<const std::int64_t> starts) {
  return Call<&F::formed_inner_products>(units, starts);
}
absl::StatusOr<OrthonormalFactors> Orthonormalized(const FactorPair<double>& factors) {
  return Call<&F::orthonormalized>(factors);
}
absl::StatusOr<std::vector<double>> NearestB(absl::Span<const ScaledProduct> targets, const FactorPair<double>& start,
                                             double lambda) {
  return Call<&F::nearest_b>(targets, start, lambda);
}
absl::Status CheckDevice(const std::string& device) {
  return device == "cpu" ? absl::OkStatus() : Call<&F::check_device>(device);
}
absl::StatusOr<LowRank> Recompress(const FactorPair<float>& input, const Cut& cut, const std::string& device) {
  return Call<&F::recompress_floats>(input, cut, device);
}
absl::StatusOr<LowRank> Recompress(const FactorPair<double>& input, const Cut& cut, const std::string& device) {
  return Call<&F::recompress_doubles>(input, cut, device);
}
absl::StatusOr<Eigen> SymmetricEigen(const SmallMatrix& matrix) { return Call<&F::symmetric_eigen>(matrix); }
absl::StatusOr<LowRank> RecompressRows(const MatrixRows& matrix, const Cut& cut) {
  return Call<&F::recompress_rows>(matrix, cut);
}

}  // namespace kernels
}  // namespace cairn
