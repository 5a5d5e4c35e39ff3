#include "adapter/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace cairn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// IEEE 754-2019, 3.4, read aloud: sign, exponent and fraction as numbers.
double SlowValue(unsigned bits, int fraction_bits, int bias, unsigned exponent_max) {
  const unsigned fraction = bits & ((1u << fraction_bits) - 1);
  const unsigned exponent = (bits & 0x7fff) >> fraction_bits;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const double scaled = std::ldexp(fraction, -fraction_bits);
  if (exponent == exponent_max) return fraction == 0 ? sign * kInfinity : std::nan("");
  if (exponent == 0) return sign * std::ldexp(scaled, 1 - bias);
  return sign * std::ldexp(1 + scaled, static_cast<int>(exponent) - bias);
}
double SlowHalf(unsigned bits) { return SlowValue(bits, 10, 15, 31); }
double SlowBfloat16(unsigned bits) { return SlowValue(bits, 7, 127, 255); }

// Every value of a 16-bit type must be what `slow` says, and come back as the same bits (NaN: as a NaN).
void CheckAllValues(float (*widen)(std::uint16_t), std::uint16_t (*narrow)(float), double (*slow)(unsigned)) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = widen(static_cast<std::uint16_t>(bits));
    const double expected = slow(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(widen(narrow(value)))) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), expected) << bits;
    ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
    ASSERT_EQ(narrow(value), bits);
  }
}

// Between each two neighbours: below the middle goes down, above it up, the middle itself to the even one.
void CheckAllRoundings(unsigned largest_finite, float (*widen)(std::uint16_t), std::uint16_t (*narrow)(float)) {
  for (unsigned low = 0; low < largest_finite; ++low) {
    const unsigned high = low + 1;
    const double below = widen(static_cast<std::uint16_t>(low));
    const float middle = static_cast<float>((below + widen(static_cast<std::uint16_t>(high))) / 2);
    ASSERT_EQ(narrow(std::nextafter(middle, 0.0f)), low);
    ASSERT_EQ(narrow(middle), low % 2 == 0 ? low : high);
    ASSERT_EQ(narrow(std::nextafter(middle, kInfinity)), high);
    ASSERT_EQ(narrow(-middle), 0x8000u | (low % 2 == 0 ? low : high));
  }
}

TEST(Half, EveryValueIsExactAndComesBack) { CheckAllValues(HalfToFloat, FloatToHalf, SlowHalf); }
TEST(Half, RoundsToNearestEvenBetweenAllNeighbours) { CheckAllRoundings(0x7bff, HalfToFloat, FloatToHalf); }
TEST(Half, OverflowsToInfinityFromTheMiddleToTheNextPower) {
  EXPECT_EQ(FloatToHalf(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
  EXPECT_EQ(FloatToHalf(kInfinity), 0x7c00);
}

TEST(Bfloat16, EveryValueIsExactAndComesBack) { CheckAllValues(Bfloat16ToFloat, FloatToBfloat16, SlowBfloat16); }
TEST(Bfloat16, RoundsToNearestEvenBetweenAllNeighbours) { CheckAllRoundings(0x7f7f, Bfloat16ToFloat, FloatToBfloat16); }
TEST(Bfloat16, NanNeverBecomesInfinity) {
  EXPECT_TRUE(std::isnan(Bfloat16ToFloat(FloatToBfloat16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(Bfloat16ToFloat(FloatToBfloat16(std::bit_cast<float>(0x7fffffffu)))));
  EXPECT_EQ(FloatToBfloat16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(DType, NamesRoundTripAndOthersAreRefused) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) EXPECT_EQ(*DTypeFromName(NameOf(dtype)), dtype);
  for (const char* name : {"", "F64", "I64", "f32", "BOOL", "F8_E4M3"}) {
    const auto dtype = DTypeFromName(name);
    EXPECT_EQ(dtype.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(dtype.status().message(), "dtype: expected F32, F16 or BF16, got \"" + std::string(name) + "\"");
  }
}

class EachDType : public testing::TestWithParam<DType> {
 protected:
  // `values` as bytes of the type, at an odd address.
  std::string Encode(const std::vector<float>& values) const {
    std::string bytes(1 + values.size() * SizeOf(GetParam()), '\0');
    FromFloat(GetParam(), values.data(), values.size(), bytes.data() + 1);
    return bytes;
  }
};
INSTANTIATE_TEST_SUITE_P(All, EachDType, testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& info) { return std::string(NameOf(info.param)); });

TEST_P(EachDType, ConvertsUnalignedBytesBothWays) {
  const std::vector<float> values = {0, -0.0f, 1, -2.5f, 0.09375f, 1024};
  const std::string bytes = Encode(values);
  std::vector<float> back(values.size());
  ToFloat(GetParam(), bytes.data() + 1, values.size(), back.data());
  EXPECT_EQ(back, values);
}

TEST_P(EachDType, FindsTheFirstNonFiniteWhereverItIs) {
  constexpr std::size_t kCount = 5000;  // Several blocks and a tail.
  const std::vector<float> finite(kCount, 1.5f);
  EXPECT_EQ(FirstNonFinite(GetParam(), Encode(finite).data() + 1, kCount), kCount);
  EXPECT_EQ(FirstNonFinite(GetParam(), nullptr, 0), 0u);
  for (std::size_t at : {0, 1, 1023, 1024, 2047, 4095, 4096, 4999}) {
    for (float bad : {kInfinity, -kInfinity, std::nanf("")}) {
      std::vector<float> values = finite;
      values[at] = bad;
      values.back() = bad;
      EXPECT_EQ(FirstNonFinite(GetParam(), Encode(values).data() + 1, kCount), at);
    }
  }
}

TEST_P(EachDType, TheLargestFiniteValueIsFinite) {
  const float largest = GetParam() == DType::kF16 ? 65504.0f : 0x1.fep127f;
  EXPECT_EQ(FirstNonFinite(GetParam(), Encode({largest, -largest}).data() + 1, 2), 2u);
}

}  // namespace
}  // namespace cairn
