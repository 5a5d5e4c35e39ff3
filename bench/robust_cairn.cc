#include "bench/robust_cairn.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "aggregators/pipeline.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr std::int64_t kBlockElements = 1 << 17;  // As aggregators/result_writer.cc.

absl::StatusOr<Pipeline> Prepare(const RuleJob& job, const DenseColumns& columns, int threads) {
  CAIRN_ASSIGN_OR_RETURN(
      Pipeline pipeline,
      Pipeline::Create(
          {.combine = "dense_mean", .rule = job.rule, .guards = job.guards, .known_finite = true, .threads = threads}));
  for (std::int64_t i = 0; i < columns.columns(); ++i) {
    CAIRN_RETURN_IF_ERROR(pipeline.Add({ClientId(i), 1, &columns.adapters()[i]}));
  }
  return pipeline;
}

absl::Status ReadAll(const Factor& factor, int threads, std::vector<float>& out) {
  out.resize(static_cast<std::size_t>(factor.rows()));
  const std::int64_t blocks = (factor.rows() + kBlockElements - 1) / kBlockElements;
  return ParallelFor(threads, blocks, [&](int, std::int64_t i) {
    const std::int64_t first = i * kBlockElements, count = std::min(kBlockElements, factor.rows() - first);
    factor.Read(first, absl::MakeSpan(out).subspan(first, count));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<RuleSeconds> RunRule(const RuleJob& job, const DenseColumns& columns, int threads) {
  CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Prepare(job, columns, threads));
  RuleSeconds seconds;
  absl::Status status;
  seconds.weigh = Seconds([&] { status = pipeline.Plan().status(); });
  CAIRN_RETURN_IF_ERROR(status);
  static std::vector<float> result;  // Its pages are there after the first run.
  const ResultSink sink{[](const CombinedModule&) { return absl::OkStatus(); },
                        [&](const CombinedTensor& tensor) { return ReadAll(*tensor.values, threads, result); }};
  seconds.combine = Seconds([&] { status = std::move(pipeline).Run(sink).status(); });
  CAIRN_RETURN_IF_ERROR(status);
  return seconds;
}

}  // namespace cairn::bench
