#include "server/root/shards.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "aggregators/blame.h"
#include "base/files.h"
#include "server/root/publish_fixture.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

using ShardsTest = testing::PublishFixture;

// Its zeros do not parse; that is not the fault of who sent the update.
TEST_F(ShardsTest, APageThatIsLostBlamesNobody) {
  PublishJob job = Job(1, testing::Round(1));
  const std::filesystem::path file = directory_ / "update";
  ASSERT_TRUE(WriteFileAtomically(file, job.contributions[0].payload->bytes()).ok());
  auto mapped = MappedFile::Open(file);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  job.contributions[0].payload = std::make_shared<testing::MappedBlob>(*std::move(mapped));
  std::filesystem::resize_file(file, 0);
  const absl::Status lost = CombineShard(job, nullptr, directory_ / "part").status();
  EXPECT_EQ(lost.code(), absl::StatusCode::kDataLoss) << lost;
  EXPECT_FALSE(BlamedClient(lost).has_value());
}

}  // namespace
}  // namespace cairn
