// Rules that the reader and the writer of safetensors files share.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/dtype.h"
#include "adapter/shape_text.h"

namespace cairn {

inline constexpr absl::string_view kMetadataKey = "__metadata__";

// INVALID_ARGUMENT: `tensor "<name>": <message>`.
absl::Status TensorError(absl::string_view name, absl::string_view message);

// INVALID_ARGUMENT unless `name` is 1 to limits::kTensorNameBytesMax bytes without control characters.
absl::Status CheckTensorName(absl::string_view name);

// Bytes of a tensor of this shape; INVALID_ARGUMENT for too many dimensions, one that is not positive, or more than
// 2^63-1.
absl::StatusOr<std::uint64_t> TensorBytes(DType dtype, absl::Span<const std::int64_t> shape, absl::string_view name);

}  // namespace cairn
