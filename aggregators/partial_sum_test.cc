#include "aggregators/partial_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "aggregators/partial/testing.h"
#include "base/digest.h"

namespace cairn {
namespace {

using testing::LazyResultOf;
using testing::MakeSumCohort;
using testing::ResultOfView;
using testing::SumClient;
using testing::SumCohort;
using testing::SumResult;
using ::testing::UnorderedElementsAreArray;

PartialSum Make(const std::string& combine, MakePlane planes = HeapPlanes()) {
  return *PartialSum::Create(combine, std::move(planes));
}

PartialSum::Update UpdateOf(const SumClient& client) { return {client.who, &client.adapter}; }

SumResult ResultOfSum(const PartialSum& sum) {
  const auto result = ResultOfView(sum.View());
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : SumResult();
}

// What another process has of a sum: bytes.
struct Sealed {
  std::string index;
  std::vector<std::vector<std::int64_t>> planes;
  std::vector<absl::Span<const std::int64_t>> spans() const { return {planes.begin(), planes.end()}; }
};
Sealed Seal(PartialSum sum) {
  Sealed sealed{sum.Index(), {}};
  for (const auto& plane : std::move(sum).TakePlanes()) {
    sealed.planes.emplace_back(plane->values().begin(), plane->values().end());
  }
  return sealed;
}

class Tree {
 public:
  Tree(const std::string& combine, std::uint64_t seed) : combine_(combine), random_(seed) {}

  // A sum of clients [first, end) as a random tree; some of its leaves take several at once, and some of its parts
  // come as bytes.
  PartialSum Of(const std::vector<const SumClient*>& clients, std::size_t first, std::size_t end) {
    PartialSum sum = Make(combine_);
    if (end - first < 2 || random_() % 3 == 0) {
      while (first < end) first = AddSome(clients, first, end, sum);
      return sum;
    }
    const std::size_t cut = first + random_() % (end - first);  // An empty part now and then.
    Merge(Of(clients, cut, end), sum);
    Merge(Of(clients, first, cut), sum);
    return sum;
  }

 private:
  std::size_t AddSome(const std::vector<const SumClient*>& clients, std::size_t first, std::size_t end,
                      PartialSum& sum) {
    std::vector<PartialSum::Update> updates;
    for (std::size_t count = 1 + random_() % 4; count > 0 && first < end; --count) {
      updates.push_back(UpdateOf(*clients[first++]));
    }
    const absl::Status status = sum.Add(updates);
    EXPECT_TRUE(status.ok()) << status;
    return first;
  }

  void Merge(PartialSum part, PartialSum& sum) {
    if (random_() % 2 == 0) return ExpectOk(sum.Merge(part.View()));
    const Sealed sealed = Seal(std::move(part));
    const auto view = PartialView::Parse(sealed.index, sealed.spans());
    ASSERT_TRUE(view.ok()) << view.status();
    ExpectOk(sum.Merge(*view));
  }
  static void ExpectOk(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; }

  const std::string combine_;
  std::mt19937_64 random_;
};

class PartialSums : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Rules, PartialSums, ::testing::ValuesIn(testing::SumRules()),
                         [](const auto& info) { return info.param; });

TEST_P(PartialSums, AnyTreeGivesTheBitsOfTheAggregator) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    std::mt19937_64 random(seed);
    const SumCohort cohort = MakeSumCohort(GetParam(), seed, 1 + random() % 9);
    const auto expected = LazyResultOf(GetParam(), cohort);
    ASSERT_TRUE(expected.ok()) << expected.status();
    std::vector<const SumClient*> clients;
    for (const auto& client : cohort) clients.push_back(client.get());
    for (int trial = 0; trial < 6; ++trial) {
      std::shuffle(clients.begin(), clients.end(), random);
      const PartialSum sum = Tree(GetParam(), random()).Of(clients, 0, clients.size());
      ASSERT_EQ(sum.contributors().size(), cohort.size());
      ASSERT_TRUE(ResultOfSum(sum) == *expected) << "seed " << seed << " trial " << trial;
    }
  }
}

TEST_P(PartialSums, TheIndexComesBack) {
  const SumCohort cohort = MakeSumCohort(GetParam(), 3, 5);
  PartialSum sum = Make(GetParam());
  for (const auto& client : cohort) ASSERT_TRUE(sum.Add(client->who, client->adapter).ok());
  const SumResult expected = ResultOfSum(sum);
  const std::vector<Contributor> contributors = sum.contributors();
  const Sealed sealed = Seal(std::move(sum));
  const auto view = PartialView::Parse(sealed.index, sealed.spans());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->combine(), GetParam());
  EXPECT_EQ(view->contributors(), contributors);
  absl::uint128 examples = 0;
  for (const auto& client : cohort) examples += client->who.examples;
  EXPECT_EQ(view->examples(), examples);
  EXPECT_TRUE(*ResultOfView(*view) == expected);
  // A sum of one part is that part.
  PartialSum again = Make(GetParam());
  ASSERT_TRUE(again.Merge(*view).ok());
  EXPECT_EQ(again.contributors(), contributors);
  EXPECT_TRUE(ResultOfSum(again) == expected);
}

// Every byte of the index changed, with and without the checksum that would belong to it: refused, or something that
// can be read and merged.
TEST_P(PartialSums, OtherBytesAreRefused) {
  SumCohort cohort = MakeSumCohort(GetParam(), 4, 2);
  for (auto& client : cohort) {  // Less to change.
    Adapter& adapter = client->adapter;
    while (adapter.modules.size() > 1) adapter.modules.erase(adapter.modules.begin());
  }
  PartialSum sum = Make(GetParam());
  for (const auto& client : cohort) ASSERT_TRUE(sum.Add(client->who, client->adapter).ok());
  const Sealed sealed = Seal(std::move(sum));
  ASSERT_TRUE(PartialView::Parse(sealed.index, sealed.spans()).ok());
  std::mt19937_64 random(5);
  for (std::size_t i = 0; i < sealed.index.size(); ++i) {
    std::string index = sealed.index;
    index[i] = static_cast<char>(index[i] ^ (1 + random() % 255));
    EXPECT_FALSE(PartialView::Parse(index, sealed.spans()).ok()) << i;
    EXPECT_FALSE(PartialView::Parse(index.substr(0, i), sealed.spans()).ok()) << i;
    const std::uint32_t crc = Crc32c(index.data() + 24, index.size() - 24);
    std::memcpy(index.data() + 16, &crc, sizeof crc);
    const auto view = PartialView::Parse(index, sealed.spans());
    if (!view.ok()) continue;
    ResultOfView(*view).IgnoreError();
    PartialSum other = Make(GetParam());
    other.Merge(*view).IgnoreError();
  }
}

TEST(PartialSum, IsForRulesThatAreSums) {
  EXPECT_THAT(testing::SumRules(), UnorderedElementsAreArray({"core_mean", "dense_mean", "ffa", "mean", "zero_pad"}));
  EXPECT_EQ(IsSum("nope").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PartialSum::Create("stack").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PartialSum, OfNobodyIsAPartOfEverySum) {
  PartialSum sum = Make("mean");
  EXPECT_EQ(ResultOfView(sum.View()).status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string index = sum.Index();
  const auto view = PartialView::Parse(index, {});
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(sum.Merge(*view).ok());
  EXPECT_TRUE(sum.Add(absl::Span<const PartialSum::Update>()).ok());
  EXPECT_TRUE(std::move(sum).TakePlanes().empty());
}

TEST(PartialSum, GrowsWithRanksModulesAndTensors) {
  const SumCohort cohort = MakeSumCohort("zero_pad", 11, 8);
  PartialSum sum = Make("zero_pad");
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    ASSERT_TRUE(sum.Add(cohort[i]->who, cohort[i]->adapter).ok());
    SumCohort so_far;
    for (std::size_t j = 0; j <= i; ++j) so_far.push_back(std::make_unique<SumClient>(*cohort[j]));
    ASSERT_TRUE(ResultOfSum(sum) == *LazyResultOf("zero_pad", so_far)) << i;
  }
}

}  // namespace
}  // namespace cairn
