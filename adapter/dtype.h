// Element types of tensors, named as in safetensors files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn {

// Every type that a safetensors file may have. Arithmetic is for the floating-point ones, for which IsFloat holds;
// the others are carried as they are.
enum class DType : std::uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
  kF8E4M3,
  kF8E5M2,
};

// F64, F32, F16, BF16. ToFloat and the like must not be called for others.
bool IsFloat(DType dtype);
// The type that holds every value of both: F16 and BF16 together need F32. Both floating-point.
DType Widest(DType x, DType y);

std::size_t SizeOf(DType dtype);        // Bytes per element.
absl::string_view NameOf(DType dtype);  // As safetensors writes it: "F32", "BF16", "F8_E4M3", "BOOL".
absl::StatusOr<DType> DTypeFromName(
    absl::string_view name);  // INVALID_ARGUMENT for others, with the list of accepted ones.

float HalfToFloat(std::uint16_t bits);   // IEEE 754 binary16, subnormals included.
std::uint16_t FloatToHalf(float value);  // Round to nearest even; overflow becomes infinity.
float Bfloat16ToFloat(std::uint16_t bits);
std::uint16_t FloatToBfloat16(float value);  // Round to nearest even; NaN stays NaN.

// Converts `count` elements at `data` (any alignment) to float; F64 is rounded to nearest even.
void ToFloat(DType dtype, const char* data, std::size_t count, float* out);
void FromFloat(DType dtype, const float* in, std::size_t count, char* out);
// The same in float64. To F16 and BF16 by way of float32.
void ToDouble(DType dtype, const char* data, std::size_t count, double* out);
void FromDouble(DType dtype, const double* in, std::size_t count, char* out);

// Largest magnitude among `count` finite elements.
double MaxMagnitude(DType dtype, const char* data, std::size_t count);

// Index of the first NaN or infinity among `count` elements, or `count` when all are finite.
std::size_t FirstNonFinite(DType dtype, const char* data, std::size_t count);
// The same for values that are not finite or whose magnitude is 2^exponent or more. 16 <= exponent <= 127.
std::size_t FirstTooLarge(DType dtype, const char* data, std::size_t count, int exponent);

}  // namespace cairn
