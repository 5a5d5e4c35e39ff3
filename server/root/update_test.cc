#include "server/root/update.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

std::filesystem::path cut;  // Not empty: the file that is cut short when the rule is asked what it keeps.

// As ffa: A is the same in all rounds.
class CutsShort final : public Aggregator {
 public:
  absl::string_view name() const override { return "test_cuts_short"; }
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  Kept kept() const override {
    if (!cut.empty()) std::filesystem::resize_file(cut, 0);
    return {.rank = true, .a = true};
  }

 protected:
  FrozenFactors DoFrozen() const override { return {.a = true, .b = false}; }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
};
CAIRN_REGISTER_COMBINE("test_cuts_short", CutsShort);

// As when the disk does not give all of the published adapter any more.
TEST(RehearsalTest, APublishedAdapterThatCannotBeReadIsAnError) {
  const TestDirectory directory;
  const testing::UpdateBytes bytes = testing::MakeUpdateBytes(1, {{"layers.0.q", 64, 64}}, 2, 2, DType::kF32);
  ASSERT_TRUE(WriteFileAtomically(directory / "f", bytes.safetensors).ok());
  absl::StatusOr<Rehearsal> rehearsal = Rehearsal::Begin("test_cuts_short");
  ASSERT_TRUE(rehearsal.ok()) << rehearsal.status();
  cut = directory / "f";
  EXPECT_EQ(rehearsal->GoOnFrom(1, directory / "f", bytes.config_json).code(), absl::StatusCode::kDataLoss);
  cut.clear();
}

}  // namespace
}  // namespace cairn
