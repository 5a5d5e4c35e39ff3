// Processes share rounds, and give together what one process gives.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/tree/collective.h"
#include "tests/shards/fixture.h"

namespace cairn::testing {
namespace {

class Shards : public ShardsFixture {
 protected:
  void ExpectWholeOf(const Group& group) {
    std::vector<Child> children = Start(group);
    for (std::size_t rank = 0; rank < children.size(); ++rank) {
      EXPECT_EQ(ExitCode(children[rank]), 0) << Log(group.attempt, static_cast<int>(rank));
    }
    ExpectWhole(group);
  }
};

TEST_F(Shards, OfAnyNumberGiveTheWhole) {
  for (const int count : {1, 2, 3, 5}) {
    ExpectWholeOf({.attempt = absl::StrCat("of-", count), .rendezvous = rendezvous(), .plan = Place(count)});
  }
}

TEST_F(Shards, ThatHaveNothingTakePart) {
  planner::ShardPlan plan = Place(2);
  plan.nodes.push_back({.node = "node-2"});
  ExpectWholeOf({.attempt = "first", .rendezvous = rendezvous(), .plan = plan});
}

TEST_F(Shards, FindEachOtherAtARendezvous) {
  const auto place = Rendezvous::Serve("127.0.0.1", 0);
  ASSERT_TRUE(place.ok()) << place.status();
  ExpectWholeOf({.attempt = "first", .rendezvous = (*place)->name(), .plan = Place(3)});
}

// Integers for each pair of clients, whatever the modules' sizes.
TEST_F(Shards, SendLittle) {
  ExpectWholeOf({.attempt = "first", .rendezvous = rendezvous(), .plan = Place(2)});
  const auto [bytes, reductions] = Travelled("first", 0);
  RecordProperty("bytes", absl::StrCat(bytes));
  RecordProperty("reductions", reductions);
  EXPECT_GT(bytes, 0u);
  EXPECT_LT(bytes, 16'384u) << "of five rounds of eight clients with 180 KB of updates";
}

}  // namespace
}  // namespace cairn::testing
