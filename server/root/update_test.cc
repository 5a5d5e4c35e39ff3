#include "server/root/update.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

// Not empty: the file that is cut short when the rule is asked what it keeps, or what its name is: before anything of
// it is parsed.
std::filesystem::path cut, cut_before;

// As ffa: A is the same in all rounds.
class CutsShort final : public Aggregator {
 public:
  absl::string_view name() const override {
    if (!cut_before.empty()) std::filesystem::resize_file(cut_before, 0);
    return "test_cuts_short";
  }
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

// Which is not what its client sent: a damaged header would be its fault.
TEST(RehearsalTest, AnUpdateThatCannotBeReadIsNobodysFault) {
  const TestDirectory directory;
  const testing::UpdateBytes bytes = testing::MakeUpdateBytes(1, {{"layers.0.q", 64, 64}}, 2, 2, DType::kF32);
  const ReceiptRow receipt{"fed", 1, "a", Sha256Hex(bytes.safetensors), bytes.safetensors.size(), 1, bytes.config_json,
                           0};
  const auto store = OpenFileStore(directory.path(), 1 << 20);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto file = directory / ("objects/fed/" + UpdateName("a", receipt.sha256) + ".safetensors");
  std::filesystem::create_directories(file.parent_path());
  ASSERT_TRUE(WriteFileAtomically(file, bytes.safetensors).ok());
  absl::StatusOr<Rehearsal> rehearsal = Rehearsal::Begin("test_cuts_short");
  ASSERT_TRUE(rehearsal.ok()) << rehearsal.status();
  cut_before = file;
  EXPECT_EQ(rehearsal->Restore(**store, receipt).code(), absl::StatusCode::kDataLoss);
  cut_before.clear();
  ASSERT_TRUE(WriteFileAtomically(file, bytes.safetensors).ok());
  const absl::Status restored = rehearsal->Restore(**store, receipt);
  EXPECT_TRUE(restored.ok()) << restored;
}

}  // namespace
}  // namespace cairn
