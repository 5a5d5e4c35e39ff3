#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "adapter/directory.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "bench/combine_contenders.h"

namespace cairn::bench {
namespace {

at::ScalarType ScalarTypeOf(DType dtype) { return dtype == DType::kBF16 ? at::kBFloat16 : at::kFloat; }

at::Tensor TensorOf(const TensorView& view) {
  return at::from_blob(const_cast<char*>(view.data.data()), view.shape, ScalarTypeOf(view.dtype));
}

struct Pair {
  at::Tensor a, b;
};

Pair Stack(const std::vector<StoredAdapter>& adapters, std::size_t module, double weight) {
  std::vector<at::Tensor> a, b;
  for (const StoredAdapter& stored : adapters) {
    const LoraModule& from = stored.adapter.modules[module];
    a.push_back(TensorOf(from.a).to(at::kFloat));
    b.push_back(TensorOf(from.b).to(at::kFloat) * (weight * from.scale));
  }
  return {at::cat(a, 0), at::cat(b, 1)};
}

Pair Mean(const std::vector<StoredAdapter>& adapters, std::size_t module, double weight) {
  Pair sum;
  for (const StoredAdapter& stored : adapters) {
    const LoraModule& from = stored.adapter.modules[module];
    const at::Tensor a = TensorOf(from.a).to(at::kFloat) * weight;
    const at::Tensor b = TensorOf(from.b).to(at::kFloat) * (weight * from.scale);
    sum = sum.a.defined() ? Pair{sum.a + a, sum.b + b} : Pair{a, b};
  }
  return sum;
}

absl::string_view BytesOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), static_cast<std::size_t>(tensor.nbytes())};
}

absl::Status Save(const CombineJob& job, const std::map<std::string, at::Tensor>& result) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : result) infos.push_back({name, job.dtype, tensor.sizes().vec()});
  CAIRN_ASSIGN_OR_RETURN(const std::string preamble, SafetensorsPreamble(infos, {}));
  const UniqueFd fd(open(job.out.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return ErrnoStatus(errno, "create", job.out);
  CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), preamble, job.out));
  for (const auto& [name, tensor] : result) CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), BytesOf(tensor), job.out));
  return fsync(fd.get()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "sync", job.out);
}

absl::Status Combine(const CombineJob& job) {
  at::set_num_threads(job.threads);
  std::vector<StoredAdapter> adapters;
  for (const std::filesystem::path& input : job.inputs) {
    CAIRN_ASSIGN_OR_RETURN(StoredAdapter stored, OpenAdapterDirectory(input));
    adapters.push_back(std::move(stored));
  }
  const double weight = 1.0 / static_cast<double>(adapters.size());
  const std::vector<LoraModule>& modules = adapters.front().adapter.modules;
  std::map<std::string, at::Tensor> result;
  for (std::size_t m = 0; m < modules.size(); ++m) {
    const Pair pair = job.rule == "stack" ? Stack(adapters, m, weight) : Mean(adapters, m, weight);
    result[LoraAName(modules[m].name)] = pair.a.to(ScalarTypeOf(job.dtype)).contiguous();
    result[LoraBName(modules[m].name)] = pair.b.to(ScalarTypeOf(job.dtype)).contiguous();
  }
  return Save(job, result);
}

}  // namespace

absl::Status CombineWithTorch(const CombineJob& job) {
  try {
    return Combine(job);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace cairn::bench
