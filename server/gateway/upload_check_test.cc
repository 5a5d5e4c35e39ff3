#include "server/gateway/upload_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

const std::vector<ModuleSpec> kModules = {{"layers.0.q", 24, 16}, {"layers.1.q", 24, 16}};

std::shared_ptr<const AdapterSpec> Spec(std::vector<ModuleSpec> modules = kModules) {
  return std::make_shared<const AdapterSpec>(AdapterSpec{"", std::move(modules), {}});
}

struct Outcome {
  absl::Status status;
  std::string reason;
  std::shared_ptr<const Adapter> shape;
};

// Feeds `bytes` in pieces of random size up to `piece_max`.
Outcome Check(const testing::UpdateBytes& update, const std::string& bytes, std::size_t piece_max, int seed,
              std::shared_ptr<const AdapterSpec> spec = Spec()) {
  UploadCheck check(*ParsePeftConfig(update.config_json), std::move(spec), bytes.size());
  std::mt19937 random(seed);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t piece = std::min<std::size_t>(1 + random() % piece_max, bytes.size() - at);
    absl::Status status = check.Feed(absl::string_view(bytes).substr(at, piece));
    if (!status.ok()) return {status, std::string(check.reason())};
    at += piece;
  }
  auto shape = check.Finish();
  return {shape.status(), "", shape.ok() ? *shape : nullptr};
}

TEST(UploadCheckTest, AcceptsWhatFitsHoweverItIsCut) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    auto update = testing::MakeUpdateBytes(1, kModules, 4, 8, dtype);
    for (std::size_t piece : {1, 3, 7, 1000, 1 << 20}) {
      Outcome outcome = Check(update, update.safetensors, piece, 1);
      ASSERT_TRUE(outcome.status.ok()) << outcome.status;
      ASSERT_EQ(outcome.shape->modules.size(), 2u);
      EXPECT_EQ(outcome.shape->modules[1].rank, 4);
      EXPECT_EQ(outcome.shape->modules[1].scale, 2.0);
    }
  }
}

TEST(UploadCheckTest, FindsEveryNonFiniteElementAtItsIndex) {
  auto update = testing::MakeUpdateBytes(2, kModules, 4, 8, DType::kF32);
  auto header = ReadSafetensorsHeader(update.safetensors, update.safetensors.size());
  ASSERT_TRUE(header.ok());
  for (const TensorInfo& tensor : header->tensors) {
    for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{5}, (tensor.end - tensor.begin) / 4 - 1}) {
      std::string bytes = update.safetensors;
      const float bad = index == 5 ? std::numeric_limits<float>::infinity() : std::nanf("");
      std::memcpy(&bytes[tensor.begin + 4 * index], &bad, 4);
      for (std::size_t piece : {1, 3, 1000, 1 << 20}) {
        Outcome outcome = Check(update, bytes, piece, 3);
        EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(outcome.status.message(), HasSubstr(tensor.name));
        EXPECT_THAT(outcome.status.message(), HasSubstr("element " + std::to_string(index) + " "));
        EXPECT_EQ(outcome.reason, "non_finite");
      }
    }
  }
}

TEST(UploadCheckTest, RefusesOtherModulesBeforeTheirValues) {
  auto update = testing::MakeUpdateBytes(3, kModules, 4, 8, DType::kF32);
  Outcome outcome = Check(update, update.safetensors, 1000, 1, Spec({{"layers.0.q", 24, 16}, {"layers.1.q", 32, 16}}));
  EXPECT_EQ(outcome.reason, "shape");
  EXPECT_THAT(outcome.status.message(), HasSubstr("layers.1.q"));
  EXPECT_TRUE(Check(update, update.safetensors, 1000, 1, nullptr).status.ok());
}

// What would overflow float32 when it is weighted is refused before its receipt, not found out when the round is
// combined.
TEST(UploadCheckTest, RefusesValuesAndScalesThatWouldOverflow) {
  auto update = testing::MakeUpdateBytes(6, kModules, 4, 8, DType::kF32,
                                         [](const ModuleSpec&, auto&, auto& b) { b[3] = -0x1p40f; });
  EXPECT_EQ(Check(update, update.safetensors, 1000, 1).reason, "non_finite");
  update = testing::MakeUpdateBytes(6, kModules, 4, 8, DType::kF32,
                                    [](const ModuleSpec&, auto&, auto& b) { b[3] = 0x1.fffffep39f; });
  EXPECT_TRUE(Check(update, update.safetensors, 1000, 1).status.ok());
  update = testing::MakeUpdateBytes(6, kModules, 4, 1e9, DType::kF32);
  EXPECT_EQ(Check(update, update.safetensors, 1000, 1).reason, "shape");
}

// Products of the largest values of different clients, at the largest scale and rank, stay within float32.
TEST(UploadCheckTest, NoProductOfAllowedFactorsOverflows) {
  const double lora = std::ldexp(limits::kScaleMax, 2 * limits::kFactorExponentMax) * limits::kRankMax;
  const double core =
      std::ldexp(limits::kScaleMax, 3 * limits::kCoreFactorExponentMax) * limits::kRankMax * limits::kRankMax;
  EXPECT_LE(lora, 0x1p120);
  EXPECT_LE(core, 0x1p120);
}

// Absolute values are not multiplied.
TEST(UploadCheckTest, BoundsTensorsLessThanFactors) {
  PeftConfig config;
  config.kind = AdapterKind::kAveraged;
  config.peft_type = "IA3";
  const auto check = [&](float value) {
    const std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    const auto file = SerializeSafetensors({{"ia3.l", DType::kF32, {1}, bytes}});
    return UploadCheck(config, nullptr, file->size()).Feed(*file);
  };
  EXPECT_TRUE(check(0x1.fffffep95f).ok());
  EXPECT_THAT(check(0x1p96f).message(), HasSubstr("below 2^96"));
}

// Of a weight of 24 x 16 no update has a rank beyond 16; 256 are let pass.
TEST(UploadCheckTest, RefusesAnAbsurdRankAtTheHeader) {
  const auto allowed = testing::MakeUpdateBytes(8, kModules, limits::kUsualRankMax, 8, DType::kF32);
  EXPECT_TRUE(Check(allowed, allowed.safetensors, 1000, 1).status.ok());
  const auto absurd = testing::MakeUpdateBytes(8, kModules, limits::kUsualRankMax + 1, 8, DType::kF32);
  const Outcome outcome = Check(absurd, absurd.safetensors, 1000, 1);
  EXPECT_EQ(outcome.reason, "shape");
  EXPECT_THAT(outcome.status.message(), HasSubstr("rank 257; expected at most 256 for a weight of rank 16"));
}

TEST(UploadCheckTest, AsksWhoeverElseHasASayBeforeTheValues) {
  const auto update = testing::MakeUpdateBytes(7, kModules, 4, 8, DType::kF32);
  UploadCheck check(*ParsePeftConfig(update.config_json), nullptr, update.safetensors.size(), [](const Adapter& shape) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", shape.modules[0].rank, " is not wanted"));
  });
  const auto header = ReadSafetensorsHeader(update.safetensors, update.safetensors.size());
  const absl::Status refused = check.Feed(absl::string_view(update.safetensors).substr(0, header->header_bytes));
  EXPECT_THAT(refused.message(), HasSubstr("rank 4 is not wanted"));
  EXPECT_EQ(check.reason(), "shape");
}

// Every bit pattern of an integer is a value; some of these would be NaN as floats.
TEST(UploadCheckTest, LooksAtTheValuesOfFloatsOnly) {
  const std::string steps(12, '\xff');
  std::string values(8, '\0');
  PeftConfig config;
  config.kind = AdapterKind::kAveraged;
  config.peft_type = "IA3";
  const auto check = [&] {
    const auto file = SerializeSafetensors(
        {{"ia3.l", DType::kF32, {2}, values}, {"steps", DType::kI32, {3}, steps}, {"tail", DType::kF32, {2}, values}});
    UploadCheck upload(config, nullptr, file->size());
    for (char byte : *file) {
      if (absl::Status status = upload.Feed({&byte, 1}); !status.ok()) return status;
    }
    return upload.Finish().status();
  };
  EXPECT_TRUE(check().ok()) << check();
  const float bad = std::nanf("");
  std::memcpy(&values[4], &bad, 4);
  EXPECT_THAT(check().message(), HasSubstr("element 1 "));
}

TEST(UploadCheckTest, RefusesGarbage) {
  auto update = testing::MakeUpdateBytes(4, kModules, 4, 8, DType::kF32);
  Outcome outcome = Check(update, std::string(100, 'x'), 10, 1);
  EXPECT_EQ(outcome.reason, "format");
}

TEST(UploadCheckTest, AnIncompleteFileIsNotFinished) {
  auto update = testing::MakeUpdateBytes(5, kModules, 4, 8, DType::kF32);
  UploadCheck check(*ParsePeftConfig(update.config_json), Spec(), update.safetensors.size());
  ASSERT_TRUE(check.Feed(absl::string_view(update.safetensors).substr(0, update.safetensors.size() - 1)).ok());
  EXPECT_EQ(check.Finish().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(check.Feed("xx").ok());
}

}  // namespace
}  // namespace cairn
