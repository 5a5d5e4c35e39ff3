#include "server/root/client_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "server/root/placer.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kMB = 1'000'000;

// 1 ns for a byte; `capacity` in MB/s.
ClientsOffer Offer(const std::string& name, const std::string& zone, double capacity = 100) {
  return {name + ":7070", zone, capacity * kMB, 1e-9, 4, 0};
}

class ClientPlacesTest : public ::testing::Test {
 protected:
  // What a client is told, after a plan if it takes one.
  std::string Ask(const std::string& client, const std::string& zone, std::uint64_t megabytes = 30,
                  const std::string& federation = "f") {
    const PlaceQuery query{federation, client, zone, megabytes * kMB};
    auto address = places_.Find(query, now_);
    if (address) return *address;
    ++plans_;
    EXPECT_TRUE(places_.Plan().ok());
    return places_.Find(query, now_).value_or("none");
  }

  absl::Time now_ = absl::UnixEpoch();
  ClientPlaces places_;
  int plans_ = 0;
};

TEST_F(ClientPlacesTest, EverybodyGoesToTheirZone) {
  ASSERT_TRUE(places_.NodeCame("n1", Offer("n1", "east")).ok());
  ASSERT_TRUE(places_.NodeCame("n2", Offer("n2", "west")).ok());
  EXPECT_EQ(Ask("ada", "west"), "n2:7070");
  EXPECT_EQ(Ask("bob", "east"), "n1:7070");
  EXPECT_EQ(Ask("cyd", "west"), "n2:7070");
  EXPECT_EQ(plans_, 3);
  EXPECT_EQ(Ask("ada", "west"), "n2:7070");
  EXPECT_EQ(plans_, 3) << "nothing has changed";
  places_.RoundOpened("f");
  EXPECT_EQ(Ask("bob", "west"), "n2:7070") << "who moves house is placed again";
}

TEST_F(ClientPlacesTest, WithoutNodesItIsAllTheSame) {
  EXPECT_EQ(Ask("ada", "west"), "");
  ASSERT_TRUE(places_.NodeCame("n1", {}).ok());  // It has no address.
  EXPECT_EQ(Ask("ada", "west"), "");
  EXPECT_EQ(places_.clients(), 0u);
  ASSERT_TRUE(places_.NodeCame("n2", Offer("n2", "east")).ok());
  EXPECT_EQ(Ask("ada", "west"), "n2:7070");
  places_.NodeWent("n2");
  EXPECT_EQ(Ask("ada", "west"), "");
}

TEST_F(ClientPlacesTest, ANodeThatMakesNoSenseTakesNoPart) {
  ClientsOffer offer = Offer("n1", "");
  offer.capacity = 0;
  EXPECT_THAT(std::string(places_.NodeCame("n1", offer).message()), HasSubstr("n1: a capacity of 0 bytes/s"));
  offer = Offer("n1", "");
  offer.fold_seconds_per_byte = -1;
  EXPECT_EQ(places_.NodeCame("n1", offer).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask("ada", ""), "");
  for (std::size_t i = 0; i < limits::kTreeNodesMax; ++i) {
    ASSERT_TRUE(places_.NodeCame(absl::StrCat("m", i), Offer("m", "")).ok());
  }
  EXPECT_EQ(places_.NodeCame("n1", Offer("n1", "")).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(places_.NodeCame("m7", Offer("m", "")).ok()) << "it was there";
  EXPECT_EQ(Ask("ada", ""), "m:7070");
}

TEST_F(ClientPlacesTest, ALostNodesClientsGoElsewhereAndNobodyElseDoes) {
  for (const char* node : {"n1", "n2", "n3"}) ASSERT_TRUE(places_.NodeCame(node, Offer(node, "east", 10)).ok());
  std::map<std::string, std::string> before;
  for (int i = 0; i < 15; ++i) before[absl::StrCat("c", i)] = Ask(absl::StrCat("c", i), "east", 50);
  places_.NodeWent("n2");
  int moved = 0;
  for (const auto& [client, address] : before) {
    const std::string now = Ask(client, "east", 50);
    EXPECT_NE(now, "n2:7070");
    moved += address == "n2:7070" ? 1 : 0;
    EXPECT_TRUE(address == "n2:7070" || now == address) << client;
  }
  EXPECT_GT(moved, 0);
}

TEST_F(ClientPlacesTest, FewNodesAreInUseUntilTheyAreFull) {
  for (const char* node : {"n1", "n2"}) ASSERT_TRUE(places_.NodeCame(node, Offer(node, "east", 10)).ok());
  std::multiset<std::string> addresses;
  // 1 MB/s each, as long as rounds are thought to take 30 s.
  for (int i = 0; i < 15; ++i) addresses.insert(Ask(absl::StrCat("c", i), "east", 30));
  EXPECT_EQ(addresses.count("n1:7070"), 10u);
  EXPECT_EQ(addresses.count("n2:7070"), 5u);
}

TEST_F(ClientPlacesTest, ARoundThatIsFasterThanThoughtMovesClientsWhenTheNextOneOpens) {
  for (const char* node : {"n1", "n2"}) ASSERT_TRUE(places_.NodeCame(node, Offer(node, "east", 10)).ok());
  places_.RoundOpened("f");
  std::multiset<std::string> addresses;
  const auto ask_all = [&] {
    addresses.clear();
    for (int i = 0; i < 10; ++i) {
      addresses.insert(Ask(absl::StrCat("c", i), "east", 30));
      now_ += absl::Milliseconds(100);
    }
  };
  for (int round = 0; round < 3; ++round) {
    ask_all();
    EXPECT_TRUE(round > 0 || addresses.count("n1:7070") == 10);
    ask_all();  // Those who ask again are no updates more, and stay where theirs is.
    now_ += absl::Hours(1);
    places_.RoundOpened("f");
  }
  ask_all();  // A round takes a second: they are too many for one node.
  EXPECT_EQ(addresses.count("n1:7070"), 5u);
  EXPECT_EQ(addresses.count("n2:7070"), 5u);
}

TEST_F(ClientPlacesTest, WhoseUpdateIsOnItsWayStays) {
  ASSERT_TRUE(places_.NodeCame("n1", Offer("n1", "east", 1)).ok());
  EXPECT_EQ(Ask("ada", "west", 30), "n1:7070");
  ASSERT_TRUE(places_.NodeCame("n2", Offer("n2", "west", 100)).ok());
  EXPECT_EQ(Ask("bob", "west", 30), "n2:7070");
  EXPECT_EQ(Ask("ada", "west", 30), "n1:7070") << "what the node has of it would be lost";
  places_.RoundOpened("f");
  EXPECT_EQ(Ask("ada", "west", 30), "n2:7070");
}

TEST_F(ClientPlacesTest, WhoDoesNotComeAgainIsForgotten) {
  ASSERT_TRUE(places_.NodeCame("n1", Offer("n1", "")).ok());
  places_.RoundOpened("f");
  Ask("ada", "");
  Ask("bob", "");
  Ask("ada", "", 30, "f.2");
  for (std::uint64_t round = 0; round < ClientPlaces::kRoundsKept; ++round) {
    EXPECT_EQ(places_.clients(), 3u);
    places_.RoundOpened("f");
    Ask("bob", "");
  }
  places_.RoundOpened("f");
  EXPECT_EQ(places_.clients(), 2u) << "ada of f";
  places_.ClientLeft("f", "bob");
  EXPECT_EQ(places_.clients(), 1u);
  places_.Forget("f");
  EXPECT_EQ(places_.clients(), 1u);
  places_.Forget("f.2");
  EXPECT_EQ(places_.clients(), 0u);
}

TEST_F(ClientPlacesTest, RemembersAsManyClientsAsItMay) {
  ASSERT_TRUE(places_.NodeCame("n1", Offer("n1", "")).ok());
  for (std::size_t i = 0; i < limits::kCohortClientsMax; ++i) {
    EXPECT_EQ(places_.Find({"f", absl::StrCat("c", i), "", kMB}, now_), std::nullopt);
  }
  EXPECT_EQ(places_.Find({"f", "late", "", kMB}, now_), "");
  EXPECT_EQ(Ask("c7", ""), "n1:7070");
  EXPECT_EQ(places_.clients(), limits::kCohortClientsMax);
}

class PlacerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    placer_.NodeCame("n1", Offer("n1", "east"));
    placer_.NodeCame("n2", Offer("n2", "west"));
  }
  void Ask(const std::string& client, const std::string& zone) {
    placer_.Ask({"f", client, zone, kMB}, now_, [this, client](const absl::StatusOr<std::string>& address) {
      told_.push_back(absl::StrCat(client, " ", address.value_or("error")));
    });
  }

  absl::Time now_ = absl::UnixEpoch();
  Metrics metrics_{"test"};
  std::vector<std::string> told_;
  Placer placer_{&metrics_};
};

TEST_F(PlacerTest, WhoAsksAtTheSameTimeSharesAPlan) {
  EXPECT_EQ(placer_.next_alarm(), absl::InfiniteFuture());
  Ask("ada", "east");
  Ask("bob", "west");
  EXPECT_THAT(told_, ElementsAre());
  EXPECT_LE(placer_.next_alarm(), now_);
  placer_.Run(now_);
  EXPECT_THAT(told_, ElementsAre("ada n1:7070", "bob n2:7070"));
  EXPECT_EQ(placer_.next_alarm(), absl::InfiniteFuture());
  EXPECT_THAT(metrics_.Render(), HasSubstr("cairn_node_clients{node=\"n1\"} 1"));
}

TEST_F(PlacerTest, WhoSaysTwoThingsAtOnceIsNobodyElsesMatter) {
  Ask("ada", "east");
  Ask("ada", "west");
  Ask("bob", "west");
  placer_.Run(now_);
  EXPECT_THAT(told_, ElementsAre("ada n2:7070", "ada n2:7070", "bob n2:7070"));
}

TEST_F(PlacerTest, TheNextPlanIsAWhileLater) {
  Ask("ada", "east");
  placer_.Run(now_);
  told_.clear();
  Ask("bob", "west");
  placer_.Run(now_);
  now_ += Placer::kPlanInterval / 2;
  Ask("cyd", "west");
  placer_.Run(now_);
  EXPECT_THAT(told_, ElementsAre());
  now_ += Placer::kPlanInterval / 2;
  EXPECT_EQ(placer_.next_alarm(), now_);
  placer_.Run(now_);
  EXPECT_THAT(told_, UnorderedElementsAre("bob n2:7070", "cyd n2:7070"));
  Ask("ada", "east");
  EXPECT_EQ(told_.back(), "ada n1:7070") << "whose place is known need not wait";
}

TEST_F(PlacerTest, ALostNodeIsNotCountedAnyMore) {
  Ask("ada", "east");
  placer_.Run(now_);
  placer_.places().NodeWent("n1");
  now_ += Placer::kPlanInterval;
  Ask("ada", "east");
  placer_.Run(now_);
  EXPECT_EQ(told_.back(), "ada n2:7070");
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("cairn_node_clients{node=\"n2\"} 1"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("node=\"n1\"")));
}

TEST(PlacerEndTest, WhoeverWaitsIsTold) {
  Metrics metrics("test");
  absl::Status told;
  {
    Placer placer(&metrics);
    placer.NodeCame("n1", Offer("n1", ""));
    placer.Ask({"f", "ada", "", kMB}, absl::UnixEpoch(), [&](const auto& address) { told = address.status(); });
  }
  EXPECT_EQ(told.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cairn
