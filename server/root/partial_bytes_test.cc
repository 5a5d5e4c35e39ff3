#include "server/root/partial_bytes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_join.h"
#include "aggregators/partial/testing.h"
#include "base/test_directory.h"
#include "server/root/sum_file.h"

namespace cairn {
namespace {

class PartialBytesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& client : testing::MakeSumCohort("zero_pad", 3, 5)) {
      ASSERT_TRUE(sum_.Add(client->who, client->adapter).ok());
    }
    index_ = sum_.View().Index();
    layout_ = LayoutOf(index_, sum_.View());
    const std::string sent = absl::StrJoin(PiecesOf(index_, sum_.View()), "");
    ASSERT_EQ(sent.size(), layout_.bytes());
    file_ = *SumFile::Create(directory_ / "sums", sent.size());
    std::memcpy(file_.bytes().data(), sent.data(), sent.size());
  }
  absl::string_view received() const { return {file_.bytes().data(), file_.bytes().size()}; }

  const TestDirectory directory_;
  PartialSum sum_ = *PartialSum::Create("zero_pad", FilePlanes(directory_ / "sums"));
  std::string index_;
  PartialLayout layout_;
  SumFile file_;
};

TEST_F(PartialBytesTest, WhatArrivesIsTheSum) {
  EXPECT_TRUE(CheckLayout(layout_, layout_.bytes()).ok());
  EXPECT_GT(layout_.planes, 0u);
  const auto view = ReadPartial(layout_, received());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->contributors(), sum_.contributors());
  EXPECT_TRUE(*testing::ResultOfView(*view) == *testing::ResultOfView(sum_.View()));
  EXPECT_EQ(view->Index(), index_);
}

TEST_F(PartialBytesTest, WhatIsNoSumIsDataLoss) {
  file_.bytes()[index_.size() / 2] ^= 1;
  EXPECT_EQ(ReadPartial(layout_, received()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CheckLayout(layout_, layout_.bytes() - 1).code(), absl::StatusCode::kDataLoss);
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max() / 8 * 8;
  for (const PartialLayout& wrong :
       {PartialLayout{}, PartialLayout{8, 4, 8}, PartialLayout{8, 1, 7}, PartialLayout{8, 0, 8}, PartialLayout{8, 1, 0},
        PartialLayout{8, 3, kHuge}, PartialLayout{kHuge, 1, 8}}) {
    EXPECT_EQ(CheckLayout(wrong, 1 << 20).code(), absl::StatusCode::kDataLoss) << wrong.planes;
  }
}

TEST_F(PartialBytesTest, FilesOfSumsHaveNoName) {
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "sums"));
  EXPECT_FALSE(SumFile::Create(directory_ / "sums", std::uint64_t{1} << 60).ok());
}

}  // namespace
}  // namespace cairn
