// Element types of tensors, named as in safetensors files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn {

// The floating-point types an adapter may have. Others are refused when a file is read.
enum class DType : std::uint8_t { kF32, kF16, kBF16 };

std::size_t SizeOf(DType dtype);        // Bytes per element.
absl::string_view NameOf(DType dtype);  // "F32", "F16", "BF16".
absl::StatusOr<DType> DTypeFromName(
    absl::string_view name);  // INVALID_ARGUMENT for others, with the list of accepted ones.

float HalfToFloat(std::uint16_t bits);   // IEEE 754 binary16, subnormals included.
std::uint16_t FloatToHalf(float value);  // Round to nearest even; overflow becomes infinity.
float Bfloat16ToFloat(std::uint16_t bits);
std::uint16_t FloatToBfloat16(float value);  // Round to nearest even; NaN stays NaN.

// Converts `count` elements at `data` (any alignment) to float.
void ToFloat(DType dtype, const char* data, std::size_t count, float* out);
void FromFloat(DType dtype, const float* in, std::size_t count, char* out);

// Index of the first NaN or infinity among `count` elements, or `count` when all are finite.
std::size_t FirstNonFinite(DType dtype, const char* data, std::size_t count);
// The same for values that are not finite or whose magnitude is 2^limits::kValueExponentMax or more.
std::size_t FirstTooLarge(DType dtype, const char* data, std::size_t count);

}  // namespace cairn
