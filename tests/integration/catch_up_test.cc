// Rounds that merge into the base model: a client that was there every time and one that was not have the same weights,
// and what the latter downloads does not grow for ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapter/directory.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
namespace reference = kernels::reference;
using reference::Matrix;

void AddTo(Matrix& sum, const Matrix& more) {
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += more.values[i];
}

// The first `units` of a module, or what lies behind them.
Matrix ProductOf(const LoraModule& module, std::int64_t units, bool first) {
  reference::Update update = ReferenceOf(module, 1);
  for (std::int64_t i = 0; i < update.b.rows; ++i) {
    for (std::int64_t k = 0; k < update.b.columns; ++k) {
      if ((k < units) != first) update.b.at(i, k) = 0;
    }
  }
  return reference::DenseSum({update});
}

// What a trainer has: the change of its weights against the base model, and the adapter that it goes on training.
class Trainer {
 public:
  Trainer(Client& client, fs::path directory, std::int64_t rank)
      : client_(client), directory_(std::move(directory)), rank_(rank) {
    for (const ModuleSpec& module : kModules) merged_.push_back(Matrix::Zero(module.d_out, module.d_in));
    trained_ = merged_;
  }

  // As docs/sdk.md says it.
  std::optional<Form> Start(const Round& round) {
    const auto form = client_.PullStart(round, version_, directory_);
    EXPECT_TRUE(form.ok()) << form.status();
    if (!form.ok() || !*form) return std::nullopt;
    const auto pulled = OpenAdapterDirectory(directory_);
    EXPECT_TRUE(pulled.ok()) << pulled.status();
    const std::int64_t units = round.start == StartMode::kResidual ? rank_ : 0;
    for (std::size_t m = 0; m < kModules.size(); ++m) {
      const LoraModule& module = pulled->adapter.modules[m];
      if (**form == Form::kAdapter) merged_[m] = Matrix::Zero(module.d_out, module.d_in);
      AddTo(merged_[m], ProductOf(module, units, false));
      trained_[m] = ProductOf(module, units, true);
      widest_ = std::max(widest_, module.rank);
    }
    version_ = round.version;
    return **form;
  }

  // Base weights and adapter together.
  Matrix Model(std::size_t module) const {
    Matrix model = merged_[module];
    AddTo(model, trained_[module]);
    return model;
  }
  std::int64_t widest() const { return widest_; }  // Rank that it ever pulled.

 private:
  Client& client_;
  const fs::path directory_;
  const std::int64_t rank_;
  std::uint64_t version_ = 0;  // Merged.
  std::int64_t widest_ = 0;
  std::vector<Matrix> merged_, trained_;  // By module.
};

class CatchUpTest : public FederationFixture {
 protected:
  // Everybody pushes; only the trainers given start the round from what is published.
  void Round(std::uint64_t number, const std::vector<Party>& parties, const std::vector<Trainer*>& present) {
    const auto open = clients_[0]->AwaitRound(absl::Seconds(20));
    ASSERT_TRUE(open.ok()) << open.status();
    ASSERT_EQ(open->number, number);
    for (Trainer* trainer : present) trainer->Start(*open);
    RunRound(parties, number);
  }
  cairn::Round Next(std::uint64_t number) {
    const auto open = clients_[0]->AwaitRound(absl::Seconds(20));
    EXPECT_TRUE(open.ok()) << open.status();
    EXPECT_EQ(open->number, number);
    return open.value_or(cairn::Round{});
  }
};

TEST_F(CatchUpTest, OneCheckpointStandsForTheDeltasThatWereMissed) {
  Serve("  - {name: f, combine: stack, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  Trainer present(*clients_[0], directory_ / "present", 8), absent(*clients_[1], directory_ / "absent", 4);
  Round(1, kMixed, {&present, &absent});
  Round(2, kMixed, {&present, &absent});
  Round(3, kMixed, {&present});
  Round(4, kMixed, {&present});
  const cairn::Round open = Next(5);
  EXPECT_EQ(open.start, StartMode::kMerge);
  EXPECT_EQ(present.Start(open), Form::kDelta);
  EXPECT_EQ(absent.Start(open), Form::kAdapter);
  EXPECT_EQ(absent.Start(open), std::nullopt) << "it has that version now";
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    ExpectNear(absent.Model(m), present.Model(m));
    ExpectNear(present.Model(m), reference::DenseSum(References(kMixed, m, 1, 4)));
  }
}

TEST_F(CatchUpTest, TheCheckpointDoesNotGrowWithTheRounds) {
  Serve("  - {name: f, combine: stack, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  constexpr std::uint64_t kRounds = 12;  // Of 14 units each.
  for (std::uint64_t round = 1; round <= kRounds; ++round) Round(round, kMixed, {});
  Trainer late(*clients_[2], directory_ / "late", 2);
  EXPECT_EQ(late.Start(Next(kRounds + 1)), Form::kAdapter);
  EXPECT_EQ(late.widest(), 8);  // Both weights have a side of 8.
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    ExpectNear(late.Model(m), reference::DenseSum(References(kMixed, m, 1, kRounds)));
  }
}

// After each round, what was merged and what is trained further make together what was merged before and the exact sum
// of the round.
TEST_F(CatchUpTest, ResidualRoundsLoseNothingAndAreCaughtUpWith) {
  Serve("  - {name: f, combine: residual, clients: {min: 3}}\n");
  JoinAll("f", kEqual);
  Trainer present(*clients_[0], directory_ / "present", 4), absent(*clients_[1], directory_ / "absent", 4);
  std::vector<Matrix> expected;
  for (const ModuleSpec& module : kModules) expected.push_back(Matrix::Zero(module.d_out, module.d_in));
  Round(1, kEqual, {});
  for (std::uint64_t round = 2; round <= 6; ++round) {
    const cairn::Round open = Next(round);
    EXPECT_EQ(open.start, StartMode::kResidual);
    EXPECT_EQ(present.Start(open), Form::kDelta);
    for (std::size_t m = 0; m < kModules.size(); ++m) {
      // The merged part is the sum of the exact rounds less what was averaged of each.
      const std::vector<reference::Update> updates = References(kEqual, m, round - 1, round - 1);
      Matrix exact = expected[m];
      AddTo(exact, reference::DenseSum(updates));
      ExpectNear(present.Model(m), exact);
      const reference::Factors average = reference::AverageFactors(updates);
      Matrix trained = reference::Product(average.b, average.a);
      for (std::size_t i = 0; i < trained.values.size(); ++i)
        expected[m].values[i] = exact.values[i] - trained.values[i];
    }
    RunRound(kEqual, round);
  }
  const cairn::Round open = Next(7);
  EXPECT_EQ(present.Start(open), Form::kDelta);
  EXPECT_EQ(absent.Start(open), Form::kAdapter);
  EXPECT_LE(absent.widest(), 4 + 8);  // What is trained, and what a side of 8 can hold.
  for (std::size_t m = 0; m < kModules.size(); ++m) ExpectNear(absent.Model(m), present.Model(m));
}

}  // namespace
}  // namespace cairn::testing
