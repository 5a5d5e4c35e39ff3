#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>
#include <vector>

#include "server/tree/collective_backend.h"

namespace cairn {
namespace {

class GlooBackend final : public CollectiveBackend {
 public:
  explicit GlooBackend(c10::intrusive_ptr<c10d::ProcessGroupGloo> group) : group_(std::move(group)) {}

  void AllReduce(absl::Span<std::int64_t> values, c10d::ReduceOp op) override {
    std::vector<at::Tensor> tensors = {AsTensor(values)};
    c10d::AllreduceOptions reduce;
    reduce.reduceOp = op;
    group_->allreduce(tensors, reduce)->wait();
  }

 private:
  const c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CollectiveBackend>> ConnectGloo(const CollectiveOptions& options, at::Device /*cpu*/,
                                                               const StorePtr& store) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(Milliseconds(options.timeout));
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(options.address));
  gloo->threads = 1;  // Calls come one after the other.
  return std::make_unique<GlooBackend>(
      c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo));
}

}  // namespace cairn
