#include "adapter/dtype.h"

#include <bit>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors bytes are used in place");

template <typename T>
T Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Index of the first value whose bits without the sign are `threshold` or more: magnitudes are ordered like their bits,
// and NaN and infinity come last. One flag per fixed-size block keeps the inner loop free of branches, so that
// compilers vectorise it; only a block that raised the flag is searched.
template <typename Bits>
std::size_t FirstFrom(Bits threshold, const char* data, std::size_t count) {
  using Signed = std::make_signed_t<Bits>;  // Compared signed, for which there are vector instructions.
  constexpr std::size_t kBlock = 1024;
  constexpr Bits kMagnitude = static_cast<Bits>(~Bits{0}) >> 1;
  auto reaches = [&](std::size_t i) {
    const Bits magnitude = Load<Bits>(data + i * sizeof(Bits)) & kMagnitude;
    return static_cast<Signed>(magnitude) >= static_cast<Signed>(threshold);
  };
  std::size_t begin = 0;
  for (; begin + kBlock <= count; begin += kBlock) {
    Bits any = 0;
    for (std::size_t i = 0; i < kBlock; ++i) any |= static_cast<Bits>(reaches(begin + i) ? ~Bits{0} : Bits{0});
    if (any != 0) break;
  }
  for (; begin < count; ++begin) {
    if (reaches(begin)) return begin;
  }
  return count;
}

template <float (*kConvert)(std::uint16_t)>
void Widen(const char* data, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = kConvert(Load<std::uint16_t>(data + 2 * i));
}

template <std::uint16_t (*kConvert)(float)>
void Narrow(const float* in, std::size_t count, char* out) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = kConvert(in[i]);
    std::memcpy(out + 2 * i, &bits, sizeof bits);
  }
}

}  // namespace

std::size_t SizeOf(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }

absl::string_view NameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
  }
  return "unknown";
}

absl::StatusOr<DType> DTypeFromName(absl::string_view name) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == NameOf(dtype)) return dtype;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("dtype: expected F32, F16 or BF16, got \"", absl::CHexEscape(name.substr(0, 32)), "\""));
}

float HalfToFloat(std::uint16_t bits) {
  constexpr std::uint32_t kRebias = (127 - 15) << 23;
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = bits & 0x7c00;
  std::uint32_t magnitude = (static_cast<std::uint32_t>(bits & 0x7fff) << 13) + kRebias;
  if (exponent == 0x7c00) magnitude += kRebias;  // Infinity and NaN keep an exponent of all ones.
  if (exponent == 0) {
    // A subnormal m * 2^-24 is (2^-14 + m * 2^-24) - 2^-14, both exact in float.
    magnitude = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude + (1u << 23)) - 0x1p-14f);
  }
  return std::bit_cast<float>(sign | magnitude);
}

std::uint16_t FloatToHalf(float value) {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  constexpr std::uint32_t kOverflow = 0x477ff000;   // 65520: halfway between the largest half and 2^16.
  constexpr std::uint32_t kNormalMin = 0x38800000;  // 2^-14.
  constexpr std::uint32_t kRebias = (127 - 15) << 23;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;
  std::uint32_t half;
  if (magnitude > kInfinity) {
    half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  } else if (magnitude >= kOverflow) {
    half = 0x7c00;
  } else if (magnitude < kNormalMin) {
    // In [0.5, 1) one unit in the last place of a float is 2^-24, that of half subnormals: the addition rounds for us.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f);
  } else {
    const std::uint32_t odd = (magnitude >> 13) & 1;
    half = (magnitude - kRebias + 0xfff + odd) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

float Bfloat16ToFloat(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::uint16_t FloatToBfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  const std::uint32_t odd = (bits >> 16) & 1;
  // Rounding could carry a NaN into infinity, so a NaN is cut off and made quiet instead.
  return static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x40 : (bits + 0x7fff + odd) >> 16);
}

void ToFloat(DType dtype, const char* data, std::size_t count, float* out) {
  switch (dtype) {
    case DType::kF32:
      if (count > 0) std::memcpy(out, data, count * sizeof(float));
      return;
    case DType::kF16:
      return Widen<HalfToFloat>(data, count, out);
    case DType::kBF16:
      return Widen<Bfloat16ToFloat>(data, count, out);
  }
}

void FromFloat(DType dtype, const float* in, std::size_t count, char* out) {
  switch (dtype) {
    case DType::kF32:
      if (count > 0) std::memcpy(out, in, count * sizeof(float));
      return;
    case DType::kF16:
      return Narrow<FloatToHalf>(in, count, out);
    case DType::kBF16:
      return Narrow<FloatToBfloat16>(in, count, out);
  }
}

std::size_t FirstNonFinite(DType dtype, const char* data, std::size_t count) {
  switch (dtype) {
    case DType::kF32:
      return FirstFrom<std::uint32_t>(0x7f800000, data, count);
    case DType::kF16:
      return FirstFrom<std::uint16_t>(0x7c00, data, count);
    case DType::kBF16:
      return FirstFrom<std::uint16_t>(0x7f80, data, count);
  }
  return count;
}

std::size_t FirstTooLarge(DType dtype, const char* data, std::size_t count) {
  constexpr std::uint32_t kBound = (127 + limits::kValueExponentMax) << 23;
  switch (dtype) {
    case DType::kF32:
      return FirstFrom<std::uint32_t>(kBound, data, count);
    case DType::kF16:
      return FirstNonFinite(dtype, data, count);  // 65504 is its largest.
    case DType::kBF16:
      return FirstFrom<std::uint16_t>(kBound >> 16, data, count);
  }
  return count;
}

}  // namespace cairn
