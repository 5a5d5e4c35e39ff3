// A round shared by shards gives, bit by bit, what it gives in one piece.
#include "aggregators/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "aggregators/robust_facts.h"
#include "aggregators/shard_agreement.h"
#include "aggregators/shard_meeting_testing.h"
#include "aggregators/shard_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::RoundResult;
using testing::RunRound;
using testing::ShardedRound;
using testing::ShardMeeting;

using Owners = std::vector<std::size_t>;  // By module, then by tensor.

std::vector<std::shared_ptr<Shard>> ShardsOf(const ShardedRound& round, std::size_t count, const Owners& owners,
                                             ShardMeeting& meeting) {
  std::vector<std::shared_ptr<Shard>> shards;
  for (std::size_t s = 0; s < count; ++s) {
    shards.push_back(std::make_shared<Shard>());
    meeting.Admit(*shards[s]);
  }
  std::size_t unit = 0;
  for (const std::string& name : round.modules()) shards[owners[unit++]]->modules.insert(name);
  for (const std::string& name : round.tensors()) shards[owners[unit++]]->tensors.insert(name);
  return shards;
}

std::vector<absl::StatusOr<RoundResult>> RunShards(const ShardedRound& round, const PipelineOptions& options,
                                                   bool memory, std::size_t count, const Owners& owners) {
  ShardMeeting meeting(count);
  const auto shards = ShardsOf(round, count, owners, meeting);
  std::vector<absl::StatusOr<RoundResult>> results(count, absl::UnknownError("not run"));
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < count; ++s) {
    threads.emplace_back([&, s] {
      PipelineOptions own = options;
      own.shard = shards[s];
      results[s] = RunRound(round, own, memory);
      meeting.Leave();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

std::string NamesOf(const RoundResult& result) {
  std::string names;
  for (const auto& [name, bytes] : result.parts) absl::StrAppend(&names, name, ", ");
  return names;
}

// The shards' results put together are `whole`, and each shard says of clients and of all modules what `whole` says.
void ExpectTogether(const RoundResult& whole, const std::vector<absl::StatusOr<RoundResult>>& results) {
  RoundResult all;
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    for (const auto& [name, bytes] : result->parts) EXPECT_TRUE(all.parts.emplace(name, bytes).second) << name;
    all.planned.insert(all.planned.end(), result->planned.begin(), result->planned.end());
    const auto& modules = result->report.modules;
    all.report.modules.insert(all.report.modules.end(), modules.begin(), modules.end());
  }
  EXPECT_EQ(NamesOf(all), NamesOf(whole));
  for (const auto& [name, bytes] : whole.parts) EXPECT_TRUE(all.parts[name] == bytes) << name;
  std::vector<std::string> planned = whole.planned;
  std::sort(planned.begin(), planned.end());
  std::sort(all.planned.begin(), all.planned.end());
  EXPECT_EQ(all.planned, planned);
  std::sort(all.report.modules.begin(), all.report.modules.end(),
            [](const ModuleReport& x, const ModuleReport& y) { return x.name < y.name; });
  for (const auto& result : results) {
    CombineReport report = result->report;
    report.modules = all.report.modules;
    EXPECT_EQ(ToJson(report), ToJson(whole.report));
  }
}

// Spread in turns over 1, 2, 3 and 5 shards; in runs; and with a shard that has nothing.
std::vector<std::pair<std::size_t, Owners>> Spreads(std::size_t units) {
  std::vector<std::pair<std::size_t, Owners>> spreads;
  for (const std::size_t count : {1, 2, 3, 5}) {
    Owners turns, runs;
    for (std::size_t u = 0; u < units; ++u) {
      turns.push_back(u % count);
      runs.push_back(u * count / units);
    }
    spreads.emplace_back(count, turns);
    if (count == 3) spreads.emplace_back(count, runs);
  }
  Owners some;
  for (std::size_t u = 0; u < units; ++u) some.push_back(u % 2 * 2);
  spreads.emplace_back(3, some);
  return spreads;
}

// Whether the round in one piece has a result; if not, every shard says the same.
bool ExpectSameInShards(const ShardedRound& round, PipelineOptions options, bool memory) {
  options.threads = 1;
  const absl::StatusOr<RoundResult> whole = RunRound(round, options, memory);
  for (const auto& [count, owners] : Spreads(round.modules().size() + round.tensors().size())) {
    SCOPED_TRACE(absl::StrCat(options.combine, ", ", options.rule, ", ",
                              options.guards.empty() ? "" : options.guards[0], memory ? ", with memory, " : ", ", count,
                              " shards"));
    const auto results = RunShards(round, options, memory, count, owners);
    if (whole.ok()) {
      ExpectTogether(*whole, results);
    } else {
      for (const auto& result : results) EXPECT_EQ(result.status(), whole.status());
    }
  }
  return whole.ok();
}

std::string Spec(const std::string& spec) { return robust_conformance::Filled(spec, 1, 1); }
std::string NameOf(const std::string& spec) { return spec.substr(0, spec.find(':')); }

TEST(Shards, EveryRuleGivesTheSame) {
  const ShardedRound round;
  std::set<std::string> tried;
  for (const auto& facts : robust_conformance::kRuleFacts) {
    EXPECT_TRUE(ExpectSameInShards(round, {.rule = Spec(facts.spec)}, true)) << facts.spec;
    ExpectSameInShards(round, {.rule = Spec(facts.spec)}, false);  // Some refuse values that they cannot average.
    tried.insert(NameOf(facts.spec));
  }
  for (const std::string& name : RuleNames()) EXPECT_EQ(tried.count(name), 1u) << name;
}

TEST(Shards, EveryGuardGivesTheSame) {
  const ShardedRound round;
  std::set<std::string> tried;
  for (const auto& facts : robust_conformance::kGuardFacts) {
    for (const char* rule : {"mda:f=1", "median", "geometric_median"}) {
      const PipelineOptions options{.rule = rule, .guards = {Spec(facts.spec)}, .gram = true};
      EXPECT_TRUE(ExpectSameInShards(round, options, true)) << facts.spec;
    }
    tried.insert(NameOf(facts.spec));
  }
  for (const std::string& name : GuardNames()) EXPECT_EQ(tried.count(name), 1u) << name;
}

TEST(Shards, EveryCombineRuleGivesTheSameOrRefuses) {
  const ShardedRound round;
  int combined = 0;
  for (const std::string& combine : AggregatorNames()) {
    for (const char* rule : {"examples", "multi_krum:f=1", "median"}) {
      combined += ExpectSameInShards(round, {.combine = combine, .rule = rule}, false) ? 1 : 0;
    }
  }
  EXPECT_GE(combined, 10);
}

TEST(Shards, EveryFormGivesTheSame) {
  const ShardedRound round;
  for (const char* form : {"rank=2", "energy=0.9", "widest", "merged"}) {
    for (const char* rule : {"multi_krum:f=1", "trimmed_mean:f=1", "bulyan:f=1"}) {
      const PipelineOptions options{
          .rule = rule, .publish = *ParsePublishForm(form), .measure_error = true, .rule_modules = {"q", "bias"}};
      EXPECT_TRUE(ExpectSameInShards(round, options, true)) << form;
    }
  }
}

// Reasons name the first tensor that is not finite, whoever has it.
TEST(Shards, WhoIsNotFiniteIsKnownToAll) {
  const ShardedRound round(true);
  for (const char* rule : {"multi_krum:f=2", "median", "examples"}) {
    for (const std::vector<std::string>& modules : {std::vector<std::string>{}, {"conv", "x.1.v"}}) {
      const PipelineOptions options{.rule = rule, .guards = {"finite"}, .rule_modules = modules};
      EXPECT_TRUE(ExpectSameInShards(round, options, true)) << rule;
    }
  }
  const auto whole = RunRound(round, {.rule = "median"}, false);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(whole->report.clients[4].reason, HasSubstr("x.0.v"));
  EXPECT_THAT(whole->report.clients[6].reason, HasSubstr("x.1.q"));
}

TEST(Shards, RefuseRoundsThatAreNotTheSame) {
  const ShardedRound round;
  ShardMeeting meeting(2);
  const Owners owners = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  const auto shards = ShardsOf(round, 2, owners, meeting);
  std::thread other([&] {
    const auto result = RunRound(round, {.rule = "median", .round = 2, .shard = shards[1]}, false);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
  });
  const auto result = RunRound(round, {.rule = "median", .round = 1, .shard = shards[0]}, false);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("do not have the same round"));
  other.join();
}

TEST(Shards, RefuseModulesOfNobodyAndOfTwo) {
  const AdapterSpec all{"", {{"x.q", 2, 2, {}}, {"x.v", 2, 2, {}}}, {{"bias", {2}}}};
  const auto alone = [](absl::Span<std::int64_t>) { return absl::OkStatus(); };
  Shard shard{{"x.q", "x.v"}, {"bias"}, alone, alone};
  EXPECT_TRUE(CheckOwners(&shard, all).ok());
  shard.tensors.clear();
  EXPECT_EQ(CheckOwners(&shard, all).message(), "tensor \"bias\" belongs to 0 shards, expected 1");
  shard.sum = [](absl::Span<std::int64_t> values) {
    for (std::int64_t& value : values) ++value;
    return absl::OkStatus();
  };
  EXPECT_EQ(CheckOwners(&shard, all).message(), "module \"x.q\" belongs to 2 shards, expected 1");
}

TEST(Shards, AnErrorOfTheOthersEndsTheRound) {
  const ShardedRound round;
  int calls = 0;
  const auto fails_at = [&](int last) {
    auto shard = std::make_shared<Shard>();
    shard->modules.insert(round.modules().begin(), round.modules().end());
    shard->tensors.insert(round.tensors().begin(), round.tensors().end());
    calls = 0;
    shard->sum = shard->max = [&calls, last](absl::Span<std::int64_t>) {
      return ++calls > last ? absl::UnavailableError("lost") : absl::OkStatus();
    };
    return RunRound(round, {.rule = "bulyan:f=1", .gram = true, .shard = shard}, true).status();
  };
  ASSERT_TRUE(fails_at(std::numeric_limits<int>::max()).ok());
  const int all = calls;
  EXPECT_GE(all, 11);  // Same round, owners; Gram, weights; Gram for the report; tally; errors.
  for (int last = 0; last < all; ++last) EXPECT_EQ(fails_at(last), absl::UnavailableError("lost")) << last;
}

}  // namespace
}  // namespace cairn
