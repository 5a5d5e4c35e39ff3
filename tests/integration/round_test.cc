// Whole rounds: what clients with the SDK push, the server combines and publishes, and clients pull.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "adapter/directory.h"
#include "aggregators/kernels/reference.h"
#include "aggregators/testing.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
namespace reference = kernels::reference;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The product of every module of a directory is the exact weighted sum of the rounds' updates.
void ExpectDenseSum(const fs::path& directory, const std::vector<Party>& parties, std::uint64_t first,
                    std::uint64_t last) {
  const auto stored = OpenAdapterDirectory(directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->adapter.modules.size(), kModules.size());
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const std::vector<reference::Update> whole = {ReferenceOf(stored->adapter.modules[m], 1)};
    ExpectNear(reference::DenseSum(whole), reference::DenseSum(References(parties, m, first, last)));
  }
}

// ... or the product of averaged factors, for the rules that average.
void ExpectAverage(const fs::path& directory, const std::vector<Party>& parties, std::uint64_t round) {
  const auto stored = OpenAdapterDirectory(directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const std::vector<reference::Update> whole = {ReferenceOf(stored->adapter.modules[m], 1)};
    const reference::Factors average = reference::AverageFactors(References(parties, m, round, round));
    ExpectNear(reference::DenseSum(whole), reference::Product(average.b, average.a));
  }
}

class RoundTest : public FederationFixture {
 protected:
  // Updates that the server keeps.
  std::ptrdiff_t Objects(const std::string& federation) {
    return std::distance(fs::directory_iterator(server_->data_dir() / "objects" / federation), {});
  }
};

TEST_F(RoundTest, StackOfMixedRanksIsTheExactSumOverAllRounds) {
  Serve("  - {name: f, combine: stack, rounds: 3, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  for (std::uint64_t round = 1; round <= 3; ++round) RunRound(kMixed, round);
  ExpectFinished();
  ExpectDenseSum(server_->latest("f"), kMixed, 1, 3);
  for (std::uint64_t version = 1; version <= 3; ++version) {
    ExpectDenseSum(Pull(version, Form::kDelta), kMixed, version, version);
    ExpectDenseSum(Pull(version, Form::kAdapter), kMixed, 1, version);
  }
  ExpectDenseSum(Pull(0, Form::kAdapter), kMixed, 1, 3);
  EXPECT_EQ(clients_[0]->Pull(4, Form::kAdapter, directory_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RoundTest, MeanOfEqualRanksReplacesTheAdapter) {
  Serve("  - {name: f, combine: mean, rounds: 2, clients: {min: 3}}\n");
  JoinAll("f", kEqual);
  for (std::uint64_t round = 1; round <= 2; ++round) RunRound(kEqual, round);
  ExpectFinished();
  ExpectAverage(server_->latest("f"), kEqual, 2);
  ExpectAverage(Pull(1, Form::kAdapter), kEqual, 1);
  EXPECT_EQ(clients_[0]->Pull(1, Form::kDelta, directory_ / "none").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RoundTest, MeanRefusesAnotherRankAndGoesOnWithTheRightOne) {
  Serve("  - {name: f, combine: mean, rounds: 1, clients: {min: 2}}\n");
  const std::vector<Party> pair = {kEqual[0], kEqual[1]};
  JoinAll("f", pair);
  ASSERT_TRUE(PushOne(*clients_[0], UpdateOf(pair, 0, 1).bytes(), 1, pair[0].examples).ok());
  const absl::Status refused = PushOne(*clients_[1], MakeUpdate(7, kModules, 8, 16).bytes(), 1, pair[1].examples);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("client ada has rank 4"), HasSubstr("client bob has rank 8"), HasSubstr("block.attn.q")));
  EXPECT_EQ(Objects("f"), 1);  // The refused bytes are not kept.
  ASSERT_TRUE(PushOne(*clients_[1], UpdateOf(pair, 1, 1).bytes(), 1, pair[1].examples).ok());
  ExpectFinished();
  ExpectAverage(server_->latest("f"), pair, 1);
  EXPECT_EQ(Objects("f"), 0);
}

TEST_F(RoundTest, ZeroPadAveragesMixedRanks) {
  Serve("  - {name: f, combine: zero_pad, rounds: 1, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  RunRound(kMixed, 1);
  ExpectFinished();
  ExpectAverage(server_->latest("f"), kMixed, 1);
}

TEST_F(RoundTest, FederationsOfOneServerDoNotMix) {
  Serve(
      "  - {name: sums, combine: stack, rounds: 1, clients: {min: 3}}\n"
      "  - {name: means, combine: mean, rounds: 1, clients: {min: 3}}\n");
  JoinAll("sums", kMixed);
  RunRound(kMixed, 1);
  ExpectFinished();
  EXPECT_FALSE(fs::exists(server_->latest("means")));
  clients_.clear();
  JoinAll("means", kEqual);
  RunRound(kEqual, 1);
  ExpectFinished();
  ExpectDenseSum(server_->latest("sums"), kMixed, 1, 1);
  ExpectAverage(server_->latest("means"), kEqual, 1);
}

TEST_F(RoundTest, ClosesAtTheDeadlineWithTheMinimum) {
  Serve("  - {name: f, rounds: 1, deadline: 1s, clients: {min: 2, target: 3}}\n");
  JoinAll("f", kMixed);
  ASSERT_TRUE(PushOne(*clients_[0], UpdateOf(kMixed, 0, 1).bytes(), 1, kMixed[0].examples).ok());
  ASSERT_TRUE(PushOne(*clients_[1], UpdateOf(kMixed, 1, 1).bytes(), 1, kMixed[1].examples).ok());
  ExpectFinished();
  ExpectDenseSum(server_->latest("f"), {kMixed[0], kMixed[1]}, 1, 1);
}

// Nobody would ever ask for the bytes of an upload that ends when the last round is over.
TEST_F(RoundTest, AnUpdateThatComesTooLateIsNotKept) {
  Serve("  - {name: f, rounds: 1, clients: {min: 1}}\n");
  JoinAll("f", kMixed);
  const ClientOptions options = FastOptions(server_->address(), "f", "bob");
  const auto connection = Connect(options);
  const UpdateBytes late = UpdateOf(kMixed, 1, 1).bytes();
  const v1::PushHeader header = HeaderFor(options, 1, late);
  RawPush push(*connection);
  push.Header(header);
  push.Chunks(late.safetensors);
  ASSERT_EQ(AwaitReceived(*connection, header, late.safetensors.size()), late.safetensors.size());
  ASSERT_TRUE(PushOne(*clients_[0], UpdateOf(kMixed, 0, 1).bytes(), 1, kMixed[0].examples).ok());
  ExpectFinished();
  push.Trailer(header.sha256());
  const absl::Status refused = push.Finish().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_EQ(Objects("f"), 0);
}

TEST_F(RoundTest, WaitsBeyondTheDeadlineForTheMinimum) {
  Serve("  - {name: f, rounds: 1, deadline: 200ms, clients: {min: 2, target: 3}}\n");
  JoinAll("f", kMixed);
  ASSERT_TRUE(PushOne(*clients_[0], UpdateOf(kMixed, 0, 1).bytes(), 1, kMixed[0].examples).ok());
  const std::int64_t before = StatusOf(server_->address(), "f")->deadline_unix_ms();
  const auto later =
      AwaitStatus(server_->address(), "f", [&](const v1::RoundInfo& info) { return info.deadline_unix_ms() > before; });
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->phase(), v1::ROUND_PHASE_OPEN);
  ASSERT_TRUE(PushOne(*clients_[1], UpdateOf(kMixed, 1, 1).bytes(), 1, kMixed[1].examples).ok());
  ExpectFinished();
  ExpectDenseSum(server_->latest("f"), {kMixed[0], kMixed[1]}, 1, 1);
}

TEST_F(RoundTest, LeavingShowsInTheStatus) {
  Serve("  - {name: f, rounds: 2, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  ASSERT_TRUE(clients_[2]->Leave().ok());
  const auto info = StatusOf(server_->address(), "f");
  ASSERT_TRUE(info.ok()) << info.status();
  ASSERT_EQ(info->clients_size(), 3);
  EXPECT_EQ(info->clients(2).state(), v1::ClientProgress::STATE_LEFT);
}

}  // namespace
}  // namespace cairn::testing
