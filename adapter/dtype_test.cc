#include "adapter/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/limits.h"

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

constexpr DType kAll[] = {DType::kF64, DType::kF32, DType::kF16,  DType::kBF16,   DType::kI64,
                          DType::kI32, DType::kI16, DType::kI8,   DType::kU64,    DType::kU32,
                          DType::kU16, DType::kU8,  DType::kBool, DType::kF8E4M3, DType::kF8E5M2};

TEST(DType, NamesRoundTripAndOthersAreRefused) {
  for (DType dtype : kAll) EXPECT_EQ(*DTypeFromName(NameOf(dtype)), dtype);
  for (const char* name : {"", "F128", "f32", "bool", "F8_E4M3 ", "C64"}) {
    const auto dtype = DTypeFromName(name);
    EXPECT_EQ(dtype.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(
        dtype.status().message(),
        "dtype: expected F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, F8_E4M3 or F8_E5M2, got "
        "\"" +
            std::string(name) + "\"");
  }
}

TEST(DType, SizesAreThoseOfTheNames) {
  const auto size_of = [](absl::string_view name) { return SizeOf(*DTypeFromName(name)); };
  EXPECT_EQ(size_of("F64"), 8u);
  EXPECT_EQ(size_of("I32"), 4u);
  EXPECT_EQ(size_of("BF16"), 2u);
  EXPECT_EQ(size_of("BOOL"), 1u);
  EXPECT_EQ(size_of("F8_E5M2"), 1u);
}

TEST(DType, TheWidestHoldsBoth) {
  EXPECT_EQ(Widest(DType::kF16, DType::kF16), DType::kF16);
  EXPECT_EQ(Widest(DType::kF16, DType::kBF16), DType::kF32);
  EXPECT_EQ(Widest(DType::kBF16, DType::kF32), DType::kF32);
  EXPECT_EQ(Widest(DType::kF64, DType::kBF16), DType::kF64);
  int floats = 0;
  for (DType dtype : kAll) floats += IsFloat(dtype) ? 1 : 0;
  EXPECT_EQ(floats, 4);
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
INSTANTIATE_TEST_SUITE_P(All, EachDType, testing::Values(DType::kF64, DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& info) { return std::string(NameOf(info.param)); });

TEST_P(EachDType, ConvertsUnalignedBytesBothWays) {
  const std::vector<float> values = {0, -0.0f, 1, -2.5f, 0.09375f, 1024};
  const std::string bytes = Encode(values);
  std::vector<float> back(values.size());
  ToFloat(GetParam(), bytes.data() + 1, values.size(), back.data());
  EXPECT_EQ(back, values);
}

// Long enough for vector loops and their tails; of every magnitude that a half has, and beyond.
std::vector<double> ManyValues() {
  std::vector<double> values;
  for (int exponent = -30; exponent < 18; ++exponent) {
    for (int i = 0; i < 21; ++i) values.push_back(std::ldexp(1 + i / 21.0, exponent) * (i % 2 == 0 ? 1 : -1));
  }
  values.resize(values.size() - values.size() % 8 + 7, 0.3);
  return values;
}

// One value at a time, where no vector loop can run.
TEST_P(EachDType, ConvertsManyAsItConvertsOne) {
  const std::vector<double> values = ManyValues();
  const std::vector<float> floats(values.begin(), values.end());
  const std::size_t size = SizeOf(GetParam());
  std::string from_float(values.size() * size, 1), from_double(values.size() * size, 2);
  FromFloat(GetParam(), floats.data(), floats.size(), from_float.data());
  FromDouble(GetParam(), values.data(), values.size(), from_double.data());
  std::vector<float> back(values.size());
  std::vector<double> back_double(values.size());
  ToFloat(GetParam(), from_float.data(), back.size(), back.data());
  ToDouble(GetParam(), from_double.data(), back.size(), back_double.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::string one(size, 3);
    FromFloat(GetParam(), &floats[i], 1, one.data());
    ASSERT_EQ(from_float.substr(i * size, size), one) << values[i];
    FromDouble(GetParam(), &values[i], 1, one.data());
    ASSERT_EQ(from_double.substr(i * size, size), one) << values[i];
    float narrow = 0;
    ToFloat(GetParam(), &from_float[i * size], 1, &narrow);
    ASSERT_EQ(back[i], narrow);
    double wide = 0;
    ToDouble(GetParam(), &from_double[i * size], 1, &wide);
    ASSERT_EQ(back_double[i], wide);
  }
}

TEST_P(EachDType, RoundsDoubles) {
  const double third = 1.0 / 3;
  double back = 0;
  std::string bytes(SizeOf(GetParam()), '\0');
  FromDouble(GetParam(), &third, 1, bytes.data());
  ToDouble(GetParam(), bytes.data(), 1, &back);
  const std::map<DType, double> expected = {
      {DType::kF64, third}, {DType::kF32, double{1.0f / 3}}, {DType::kF16, 0x1.554p-2}, {DType::kBF16, 0x1.56p-2}};
  EXPECT_EQ(back, expected.at(GetParam()));
}

TEST_P(EachDType, FindsTheLargestMagnitude) {
  EXPECT_EQ(MaxMagnitude(GetParam(), nullptr, 0), 0);
  std::vector<float> values(5000, -0.25f);
  EXPECT_EQ(MaxMagnitude(GetParam(), Encode(values).data() + 1, values.size()), 0.25);
  for (std::size_t at : {0, 17, 4999}) {
    values.assign(5000, 0.5f);
    values[at] = -3;
    EXPECT_EQ(MaxMagnitude(GetParam(), Encode(values).data() + 1, values.size()), 3);
  }
}

TEST_P(EachDType, FindsTheFirstThatIsTooLarge) {
  const float bound = std::ldexp(1.0f, limits::kValueExponentMax);
  const float below = std::ldexp(0.99f, limits::kValueExponentMax);
  std::vector<float> values(3000, 1.0f);
  if (GetParam() == DType::kF16) {
    values[2000] = kInfinity;
  } else {
    values[1999] = -below;
    values[2000] = -bound;
  }
  EXPECT_EQ(FirstTooLarge(GetParam(), Encode(values).data() + 1, values.size(), limits::kValueExponentMax), 2000u);
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
