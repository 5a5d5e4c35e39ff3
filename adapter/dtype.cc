#include "adapter/dtype.h"

#include <bit>
#include <iterator>
#include <string>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors bytes are used in place");

template <typename T>
T Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Runs a loop, compiled once more for AVX2 where the processor has it: twice the width, and the very same results, as
// the arithmetic is the same.
#if defined(__x86_64__)
template <typename Loop>
[[gnu::target("avx2"), gnu::noinline]] auto RunAvx2(const Loop& loop) {
  return loop();
}
template <typename Loop>
auto Run(const Loop& loop) {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2 ? RunAvx2(loop) : loop();
}
#else
template <typename Loop>
auto Run(const Loop& loop) {
  return loop();
}
#endif
#define CAIRN_LOOP [&]() __attribute__((always_inline))

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
  Run(CAIRN_LOOP {
    for (; begin + kBlock <= count; begin += kBlock) {
      Bits any = 0;
      for (std::size_t i = 0; i < kBlock; ++i) any |= static_cast<Bits>(reaches(begin + i) ? ~Bits{0} : Bits{0});
      if (any != 0) break;
    }
  });
  for (; begin < count; ++begin) {
    if (reaches(begin)) return begin;
  }
  return count;
}

// The largest magnitude, as bits.
template <typename Bits>
Bits MaxBits(const char* data, std::size_t count) {
  using Signed = std::make_signed_t<Bits>;
  constexpr Bits kMagnitude = static_cast<Bits>(~Bits{0}) >> 1;
  return Run(CAIRN_LOOP {
    Signed max = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto magnitude = static_cast<Signed>(Load<Bits>(data + i * sizeof(Bits)) & kMagnitude);
      max = magnitude > max ? magnitude : max;
    }
    return static_cast<Bits>(max);
  });
}

template <typename Bits>
double ValueOf(DType dtype, Bits bits) {
  char element[sizeof(double)] = {};
  std::memcpy(element, &bits, sizeof bits);
  double value = 0;
  ToDouble(dtype, element, 1, &value);
  return value;
}

// out[i] = convert(in[i]) for values in memory of any alignment. They must not overlap.
template <typename In, typename Out, typename Convert>
void ConvertAll(const void* in, std::size_t count, void* out, Convert convert) {
  Run(CAIRN_LOOP {
    // Not those captured, which a store through a char pointer might change.
    const char* const from = static_cast<const char*>(in);
    char* const to = static_cast<char*>(out);
    const std::size_t end = count;
    for (std::size_t i = 0; i < end; ++i) {
      const Out value = convert(Load<In>(from + i * sizeof(In)));
      std::memcpy(to + i * sizeof(Out), &value, sizeof value);
    }
  });
}

void Copy(const void* in, std::size_t bytes, void* out) {
  if (bytes > 0) std::memcpy(out, in, bytes);
}

struct TypeInfo {
  absl::string_view name;
  std::size_t size;
};
constexpr TypeInfo kTypes[] = {
    // By DType.
    {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2},     {"I8", 1},
    {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
};
const TypeInfo& InfoOf(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

bool IsFloat(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

DType Widest(DType x, DType y) {
  if (x == y) return x;
  return x == DType::kF64 || y == DType::kF64 ? DType::kF64 : DType::kF32;
}

std::size_t SizeOf(DType dtype) { return InfoOf(dtype).size; }
absl::string_view NameOf(DType dtype) { return InfoOf(dtype).name; }

absl::StatusOr<DType> DTypeFromName(absl::string_view name) {
  std::string names;
  for (std::size_t i = 0; i < std::size(kTypes); ++i) {
    if (name == kTypes[i].name) return static_cast<DType>(i);
    absl::StrAppend(&names, i == 0 ? "" : i + 1 == std::size(kTypes) ? " or " : ", ", kTypes[i].name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("dtype: expected ", names, ", got \"", absl::CHexEscape(name.substr(0, 32)), "\""));
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
    case DType::kF64:
      return ConvertAll<double, float>(data, count, out, [](double x) { return static_cast<float>(x); });
    case DType::kF16:
      return ConvertAll<std::uint16_t, float>(data, count, out, [](std::uint16_t x) { return HalfToFloat(x); });
    case DType::kBF16:
      return ConvertAll<std::uint16_t, float>(data, count, out, [](std::uint16_t x) { return Bfloat16ToFloat(x); });
    default:
      return Copy(data, count * sizeof(float), out);
  }
}

void FromFloat(DType dtype, const float* in, std::size_t count, char* out) {
  switch (dtype) {
    case DType::kF64:
      return ConvertAll<float, double>(in, count, out, [](float x) { return double{x}; });
    case DType::kF16:
      return ConvertAll<float, std::uint16_t>(in, count, out, [](float x) { return FloatToHalf(x); });
    case DType::kBF16:
      return ConvertAll<float, std::uint16_t>(in, count, out, [](float x) { return FloatToBfloat16(x); });
    default:
      return Copy(in, count * sizeof(float), out);
  }
}

void ToDouble(DType dtype, const char* data, std::size_t count, double* out) {
  switch (dtype) {
    case DType::kF32:
      return ConvertAll<float, double>(data, count, out, [](float x) { return double{x}; });
    case DType::kF16:
      return ConvertAll<std::uint16_t, double>(data, count, out,
                                               [](std::uint16_t x) { return double{HalfToFloat(x)}; });
    case DType::kBF16:
      return ConvertAll<std::uint16_t, double>(data, count, out,
                                               [](std::uint16_t x) { return double{Bfloat16ToFloat(x)}; });
    default:
      return Copy(data, count * sizeof(double), out);
  }
}

void FromDouble(DType dtype, const double* in, std::size_t count, char* out) {
  switch (dtype) {
    case DType::kF32:
      return ConvertAll<double, float>(in, count, out, [](double x) { return static_cast<float>(x); });
    case DType::kF16:
      return ConvertAll<double, std::uint16_t>(in, count, out,
                                               [](double x) { return FloatToHalf(static_cast<float>(x)); });
    case DType::kBF16:
      return ConvertAll<double, std::uint16_t>(in, count, out,
                                               [](double x) { return FloatToBfloat16(static_cast<float>(x)); });
    default:
      return Copy(in, count * sizeof(double), out);
  }
}

double MaxMagnitude(DType dtype, const char* data, std::size_t count) {
  if (dtype == DType::kF64) return ValueOf(dtype, MaxBits<std::uint64_t>(data, count));
  if (dtype == DType::kF32) return ValueOf(dtype, MaxBits<std::uint32_t>(data, count));
  return ValueOf(dtype, MaxBits<std::uint16_t>(data, count));
}

std::size_t FirstNonFinite(DType dtype, const char* data, std::size_t count) {
  switch (dtype) {
    case DType::kF64:
      return FirstFrom<std::uint64_t>(0x7ff0000000000000, data, count);
    case DType::kF16:
      return FirstFrom<std::uint16_t>(0x7c00, data, count);
    case DType::kBF16:
      return FirstFrom<std::uint16_t>(0x7f80, data, count);
    default:
      return FirstFrom<std::uint32_t>(0x7f800000, data, count);
  }
}

std::size_t FirstTooLarge(DType dtype, const char* data, std::size_t count, int exponent) {
  const std::uint32_t bound = static_cast<std::uint32_t>(127 + exponent) << 23;
  switch (dtype) {
    case DType::kF64:
      return FirstFrom<std::uint64_t>(static_cast<std::uint64_t>(1023 + exponent) << 52, data, count);
    case DType::kF16:
      return FirstNonFinite(dtype, data, count);  // 65504 is its largest.
    case DType::kBF16:
      return FirstFrom<std::uint16_t>(static_cast<std::uint16_t>(bound >> 16), data, count);
    default:
      return FirstFrom<std::uint32_t>(bound, data, count);
  }
}

}  // namespace cairn
