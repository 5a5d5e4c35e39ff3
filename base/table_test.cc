#include "base/table.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(TableTest, AlignsTheFirstColumnLeftAndTheOthersAsAsked) {
  const std::vector<std::vector<std::string>> rows = {{"name", "n"}, {"a", "100"}, {"b"}};
  EXPECT_EQ(FormatTable(rows, Align::kRight), "name    n\na     100\nb\n");
  EXPECT_EQ(FormatTable(rows, Align::kLeft), "name  n\na     100\nb\n");
  EXPECT_EQ(FormatTable({}, Align::kLeft), "");
}

}  // namespace
}  // namespace cairn
