// Updates that go to another gateway than the one the client was given.
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

using ::testing::ElementsAre;

class PlacementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.Start();
    other_.Start();
    other_.With([](TestingState& state) { state.knows_client = true; });
    Place(other_.address());
    options_.zone = "west";
    Join();
  }
  void Join() {
    auto client = Client::Join(options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  void Place(std::optional<std::string> address) {
    server_.With([&](TestingState& state) { state.place = std::move(address); });
  }
  absl::Status Push() { return client_->PushBytes(Round{3}, "{}", payload_, 10).status(); }
  bool Has(TestingServer& server) {
    return server.With([&](TestingState& state) { return state.receipts.count(sha256_) != 0; });
  }
  static std::vector<std::uint64_t> Offsets(TestingServer& server) {
    return server.With([](TestingState& state) { return state.push_offsets; });
  }
  std::size_t Questions() {
    return server_.With([](TestingState& state) { return state.place_requests.size(); });
  }

  const std::string payload_ = std::string(2'500'000, 'x');
  const std::string sha256_ = Sha256Hex(payload_);
  TestingServer server_, other_;
  ClientOptions options_ = TestingOptions(server_);
  std::unique_ptr<Client> client_;
};

TEST_F(PlacementTest, AnUpdateGoesWhereTheServerSays) {
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_TRUE(Has(other_));
  EXPECT_THAT(Offsets(server_), ElementsAre());
  const v1::PlaceRequest asked = server_.With([](TestingState& state) { return state.place_requests.at(0); });
  EXPECT_EQ(asked.federation(), "test");
  EXPECT_EQ(asked.client(), "client-1");
  EXPECT_EQ(asked.zone(), "west");
  EXPECT_EQ(asked.payload_bytes(), payload_.size());
}

TEST_F(PlacementTest, NoAddressAndItsOwnAreTheServerItself) {
  for (const std::string& address : {std::string(), server_.address()}) {
    Place(address);
    const absl::Status pushed = Push();
    ASSERT_TRUE(pushed.ok()) << pushed;
  }
  EXPECT_TRUE(Has(server_));
  EXPECT_THAT(Offsets(other_), ElementsAre());
}

TEST_F(PlacementTest, AGatewayThatIsNotThereIsPassedOver) {
  other_.Stop();
  // Not a single pause.
  options_.retry.initial_backoff = options_.retry.max_backoff = absl::Hours(1);
  Join();
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_TRUE(Has(server_));
  // When it is back it is asked again.
  server_.With([](TestingState& state) { state.receipts.clear(); });
  other_.Start();
  ASSERT_TRUE(Push().ok());
  EXPECT_TRUE(Has(other_));
}

TEST_F(PlacementTest, ABrokenUploadGoesOnWhereItBroke) {
  other_.With([](TestingState& state) { state.push_faults.push_back({.break_at = 1'200'000}); });
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_THAT(Offsets(other_), ElementsAre(0, 1'200'000));
  EXPECT_THAT(Offsets(server_), ElementsAre());
}

TEST_F(PlacementTest, AGatewayThatDiesUnderAnUploadIsPassedOver) {
  other_.With([](TestingState& state) { state.push_faults.push_back({.break_at = 1'200'000}); });
  options_.on_retry = [this](const absl::Status&, absl::Duration) { other_.Stop(); };
  Join();
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_THAT(Offsets(server_), ElementsAre(0));
}

TEST_F(PlacementTest, WhatTheServerHasAPartOfItGetsTheRestOf) {
  Place("");
  server_.With([](TestingState& state) { state.push_faults.push_back({.break_at = 1'200'000}); });
  options_.on_retry = [this](const absl::Status&, absl::Duration) { Place(other_.address()); };
  Join();
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_THAT(Offsets(server_), ElementsAre(0, 1'200'000));
  EXPECT_THAT(Offsets(other_), ElementsAre());
}

TEST_F(PlacementTest, AnAddressThatLeadsElsewhereIsPassedOver) {
  other_.With([](TestingState& state) { state.knows_client = false; });  // Another federation's: NOT_FOUND.
  const absl::Status pushed = Push();
  ASSERT_TRUE(pushed.ok()) << pushed;
  EXPECT_TRUE(Has(server_));
}

TEST_F(PlacementTest, WhatAGatewayRefusesForReasonsOfItsOwnGoesHome) {
  options_.retry.initial_backoff = options_.retry.max_backoff = absl::Hours(1);  // Not a single pause.
  Join();
  for (const grpc::StatusCode code : {grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::UNKNOWN,
                                      grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::RESOURCE_EXHAUSTED}) {
    SCOPED_TRACE(code);
    server_.With([](TestingState& state) { state.receipts.clear(); });
    other_.With([&](TestingState& state) { state.push_faults.push_back({.answer_at_header = {code, "scripted"}}); });
    const absl::Status pushed = Push();
    EXPECT_TRUE(pushed.ok()) << pushed;
    EXPECT_TRUE(Has(server_));
  }
  EXPECT_EQ(Offsets(other_).size(), 4u) << "asked first, each time";
}

TEST_F(PlacementTest, WhereNeitherHasRoomBothAreAskedAgain) {
  for (TestingServer* server : {&other_, &server_}) {
    server->With([](TestingState& state) {
      state.push_faults.push_back({.answer_at_header = {grpc::StatusCode::RESOURCE_EXHAUSTED, "scripted"}});
    });
  }
  const absl::Status pushed = Push();
  EXPECT_TRUE(pushed.ok()) << pushed;
  EXPECT_TRUE(Has(other_)) << "it has room by now";
}

TEST_F(PlacementTest, WhatIsSaidOfTheRoundIsNotAskedTwice) {
  other_.With([](TestingState& state) {
    state.push_faults.push_back({.answer_at_header = {grpc::StatusCode::FAILED_PRECONDITION, "the round is closed"}});
  });
  EXPECT_EQ(Push().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Offsets(server_), ElementsAre());
}

TEST_F(PlacementTest, AServerThatDoesNotTellIsAskedOnce) {
  Place(std::nullopt);
  for (int i = 0; i < 3; ++i) {
    const absl::Status pushed = Push();
    ASSERT_TRUE(pushed.ok()) << pushed;
  }
  EXPECT_TRUE(Has(server_));
  EXPECT_EQ(Questions(), 1u);
}

TEST_F(PlacementTest, IsNotAskedForWhereItIsNotFollowed) {
  options_.follow_placement = false;
  Join();
  ASSERT_TRUE(Push().ok());
  EXPECT_TRUE(Has(server_));
  EXPECT_EQ(Questions(), 0u);
}

TEST_F(PlacementTest, AZoneIsAName) {
  options_.zone = "rack 7";
  EXPECT_EQ(Client::Join(options_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn::sdk
