// What shards wrote, as one result.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "adapter/tensor_files.h"
#include "aggregators/combined.h"

namespace cairn {

// Gives `sink` the modules and tensors of `parts`, files of ResultWriter by shards of one round, in the order in which
// one pipeline gives them. `spec`: PipelinePlan::spec of all shards together; what of it is in no file has no result. A
// ResultWriter with the plans' ranks then writes the file that a pipeline without shards would have written, byte by
// byte, if it writes the type that the parts have. `parts` must outlive what the sink keeps.
// INVALID_ARGUMENT, with the name: a tensor of two parts, a factor without its partner, or one that `spec` has not or
// has in another shape. Else the sink's first error.
absl::Status Assemble(const AdapterSpec& spec, absl::Span<const TensorFiles> parts, const ResultSink& sink);

}  // namespace cairn
