#include <ATen/cuda/CUDAContext.h>
#include <c10/core/DeviceGuard.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/env.h>

#include <chrono>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/tree/collective_backend.h"

namespace cairn {
namespace {

using Clock = std::chrono::steady_clock;

// Calls mostly take less, and are not worth a nap.
constexpr std::chrono::milliseconds kSpin{2}, kNap{1};

void SetEnvironment(absl::Duration timeout) {
  c10::utils::set_env("TORCH_NCCL_BLOCKING_WAIT", "1");  // Whoever waits watches, no thread of its own.
  // For a libtorch that has one nevertheless: it only looks on, and nobody looks after it.
  c10::utils::set_env("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0");
  c10::utils::set_env("TORCH_NCCL_ENABLE_MONITORING", "0");
  c10::utils::set_env("TORCH_NCCL_DUMP_ON_TIMEOUT", "0");
  // Of connecting.
  const std::string seconds = absl::StrCat(absl::ToInt64Seconds(absl::Ceil(timeout, absl::Seconds(1))));
  c10::utils::set_env("TORCH_NCCL_NONBLOCKING_TIMEOUT", seconds.c_str());
}

// Left alone, libtorch watches every call and ends the whole process when a member is lost. Only the environment tells
// it not to, and it reads the timeout of connecting once: the first group's is every group's.
void KeepProcessAlive(absl::Duration timeout) {
  static const bool once = (SetEnvironment(timeout), true);
  static_cast<void>(once);
}

absl::StatusOr<at::Device> OwnGpu(const CollectiveOptions& options, at::Device gpu) {
  const int gpus = c10::cuda::device_count();
  if (gpus == 0) return absl::FailedPreconditionError("this machine has no GPU, and sums between processes go by NCCL");
  const int index = gpu.has_index() ? gpu.index() : options.rank % gpus;
  if (index < gpus) return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
  return absl::InvalidArgumentError(absl::StrCat("device: there is no ", options.device, " among ", gpus));
}

std::vector<std::uint8_t> UuidOf(at::Device gpu) {
  const cudaUUID_t& uuid = at::cuda::getDeviceProperties(gpu.index())->uuid;
  return {std::begin(uuid.bytes), std::end(uuid.bytes)};
}

// NCCL waits for ever for members that never come, so it is asked when all are there.
absl::Status Meet(const CollectiveOptions& options, at::Device own, const StorePtr& store) {
  std::vector<std::string> members;
  for (int rank = 0; rank < options.size; ++rank) members.push_back(absl::StrCat("member/", rank));
  store->set(members[options.rank], UuidOf(own));
  store->wait(members, Milliseconds(options.timeout));
  for (int rank = 0; rank < options.size; ++rank) {
    if (rank == options.rank || store->get(members[rank]) != UuidOf(own)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("members ", rank, " and ", options.rank, " have one GPU: NCCL adds up between different ones"));
  }
  return absl::OkStatus();
}

c10::intrusive_ptr<c10d::ProcessGroupNCCL::Options> NcclOptions(const CollectiveOptions& options) {
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = Milliseconds(options.timeout);
  nccl->config.blocking = 0;  // Or it would wait for ever for a member that stops while all connect.
  return nccl;
}

class NcclBackend final : public CollectiveBackend {
 public:
  NcclBackend(c10::intrusive_ptr<c10d::ProcessGroupNCCL> group, at::Device gpu, std::chrono::milliseconds timeout)
      : group_(std::move(group)), gpu_(gpu), timeout_(timeout) {}

  // Not shutdown(), which waits for the others, who may be gone. Every call has been waited for, so between GPUs of one
  // machine nothing is under way any more (between machines something may be: ADR 17, limits).
  ~NcclBackend() override {
    try {
      group_->abort();
    } catch (const std::exception&) {
      // What could not be ended stays; the group is of no use to anybody.
    }
  }

  void AllReduce(absl::Span<std::int64_t> values, c10d::ReduceOp op) override {
    const c10::DeviceGuard guard(gpu_);
    at::Tensor host = AsTensor(values);
    std::vector<at::Tensor> tensors = {host.to(gpu_)};
    c10d::AllreduceOptions reduce;
    reduce.reduceOp = op;
    Await(*group_->allreduce(tensors, reduce));
    host.copy_(tensors[0]);
  }

 private:
  void Await(c10d::Work& work) {
    const auto start = Clock::now();
    while (!work.isCompleted()) {
      const auto waited = Clock::now() - start;
      if (waited > timeout_) {
        group_->abort();  // Or the GPU would wait on.
        throw std::runtime_error("no answer");
      }
      waited < kSpin ? std::this_thread::yield() : std::this_thread::sleep_for(kNap);
    }
    work.wait();  // Throws if it failed.
  }

  const c10::intrusive_ptr<c10d::ProcessGroupNCCL> group_;
  const at::Device gpu_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CollectiveBackend>> ConnectNccl(const CollectiveOptions& options, at::Device gpu,
                                                               const StorePtr& store) {
  CAIRN_ASSIGN_OR_RETURN(const at::Device own, OwnGpu(options, gpu));
  KeepProcessAlive(options.timeout);
  CAIRN_RETURN_IF_ERROR(Meet(options, own, store));
  auto backend = std::make_unique<NcclBackend>(
      c10::make_intrusive<c10d::ProcessGroupNCCL>(store, options.rank, options.size, NcclOptions(options)), own,
      Milliseconds(options.timeout));
  std::int64_t nothing = 0;  // Members connect at their first call.
  backend->AllReduce(absl::MakeSpan(&nothing, 1), c10d::ReduceOp::SUM);
  return backend;
}

}  // namespace cairn
