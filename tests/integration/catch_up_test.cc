// Rounds that merge into the base model: a client that was there every time and one that was not have the same weights,
// and what the latter downloads does not grow for ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
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
    BackToBase();
  }

  // As docs/sdk.md says it.
  std::optional<Form> Start(const Round& round) {
    const auto form = client_.PullStart(round, version_, directory_);
    EXPECT_TRUE(form.ok()) << form.status();
    if (!form.ok() || !*form) return std::nullopt;
    if (**form == Form::kBase) {
      BackToBase();
      return Form::kBase;
    }
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
    version_ = round.version_sha256;
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
  void BackToBase() {
    merged_.clear();
    for (const ModuleSpec& module : kModules) merged_.push_back(Matrix::Zero(module.d_out, module.d_in));
    trained_ = merged_;
    version_.clear();
  }

  Client& client_;
  const fs::path directory_;
  const std::int64_t rank_;
  std::string version_;  // Merged.
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
  // Kills the server and starts it with nothing. Its clients join again by themselves, and round 1 opens.
  void BeginAnew() {
    server_->Kill();
    fs::remove_all(server_->data_dir());
    ASSERT_TRUE(server_->Start().ok());
    std::vector<std::thread> waiting;
    for (const auto& client : clients_) {
      waiting.emplace_back([&client] { EXPECT_EQ(client->AwaitRound(absl::Seconds(20))->number, 1u); });
    }
    for (std::thread& thread : waiting) thread.join();
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

// Versions of the same number are others then, whether a client comes back at once or later.
TEST_F(CatchUpTest, AServerThatBeganAnewIsNotTakenForTheOneBefore) {
  Serve("  - {name: f, combine: stack, clients: {min: 3}}\n");
  JoinAll("f", kMixed);
  Trainer at_once(*clients_[0], directory_ / "at_once", 8), same(*clients_[1], directory_ / "same", 4),
      next(*clients_[2], directory_ / "next", 2);
  Round(1, kMixed, {});
  Round(2, kMixed, {});
  for (Trainer* trainer : {&at_once, &same, &next}) EXPECT_EQ(trainer->Start(Next(3)), Form::kAdapter);
  BeginAnew();
  std::vector<Party> others = kMixed;
  for (Party& party : others) party.examples += 50;
  EXPECT_EQ(at_once.Start(Next(1)), Form::kBase);
  for (std::size_t m = 0; m < kModules.size(); ++m) EXPECT_EQ(reference::MaxAbs(at_once.Model(m)), 0);
  RunRound(others, 1);
  EXPECT_EQ(at_once.Start(Next(2)), Form::kDelta);
  RunRound(others, 2);
  EXPECT_EQ(same.Start(Next(3)), Form::kAdapter) << "version 2, but another one";
  RunRound(others, 3);
  EXPECT_EQ(next.Start(Next(4)), Form::kAdapter) << "version 3, but not the one after what it has";
  EXPECT_EQ(same.Start(Next(4)), Form::kDelta);
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    const Matrix expected = reference::DenseSum(References(others, m, 1, 3));
    ExpectNear(next.Model(m), expected);
    ExpectNear(same.Model(m), expected);
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
