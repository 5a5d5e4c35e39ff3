#include "server/root/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "aggregators/blame.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "server/root/publish_fixture.h"
#include "server/root/summer.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
namespace reference = kernels::reference;
using testing::BytesBlob;
using testing::DenseSum;
using testing::Product;
using testing::Round;
using testing::Sent;
using PublishTest = testing::PublishFixture;

TEST_F(PublishTest, AVersionIsTheWeightedSumAndOpensAsAnAdapter) {
  const std::vector<Sent> round = Round(1);
  const VersionRow row = Published(Job(1, round));
  EXPECT_EQ(row.federation, "fed");
  EXPECT_EQ(row.version, 1u);
  ASSERT_TRUE(row.delta.has_value());
  EXPECT_EQ(row.whole.sha256, row.delta->sha256);

  auto opened = OpenAdapterDirectory(Version(1));
  ASSERT_TRUE(opened.ok()) << opened.status();
  const StoredAdapter stored = *std::move(opened);
  EXPECT_EQ(Sha256Hex(ModelBytes(1)), row.whole.sha256);
  EXPECT_EQ(ModelBytes(1).size(), row.whole.bytes);
  EXPECT_EQ(stored.adapter.config.base_model, "org/base");
  ASSERT_EQ(stored.adapter.modules.size(), 2u);
  for (std::size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(stored.adapter.modules[m].rank, 5);
    EXPECT_EQ(stored.adapter.modules[m].scale, 1);
    EXPECT_LT(reference::MaxDifference(Product(stored.adapter.modules[m]), DenseSum(round, m)), 1e-6);
  }
}

// Somebody who adds up updates elsewhere, and cannot.
class FailingSummer final : public Summer {
 public:
  explicit FailingSummer(absl::Status why) : why_(std::move(why)) {}
  void Contributed(const std::string&, std::uint64_t, const Method&, const Contribution&) override {}
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob&) override { return why_; }
  void Stop() override {}
  void Forget(const std::string&, std::uint64_t) override {}

 private:
  absl::Status why_;
};

// A worker that was stopped may have read another object's bytes: an acknowledged update is not dropped on its word.
TEST_F(PublishTest, WhateverIsWrongWithTheWorkersTheVersionIsTheSame) {
  std::vector<Sent> round;
  round.push_back({"a", 3, testing::MakeUpdate(1, testing::kTwoModules, 3, 6)});
  round.push_back({"b", 1, testing::MakeUpdate(2, testing::kTwoModules, 3, 6)});
  const VersionRow alone = Published(Job(1, round, "mean"));
  for (const absl::Status& why :
       {absl::UnavailableError("no worker has come"), BlameClient(absl::InvalidArgumentError("other bytes"), "b")}) {
    FailingSummer summer(why);
    PublishJob job = Job(1, round, "mean");
    job.summer = &summer;
    EXPECT_EQ(Published(job).whole.sha256, alone.whole.sha256) << why;
  }
}

TEST_F(PublishTest, AServerThatStopsPublishesNothing) {
  FailingSummer summer(absl::CancelledError("stopping"));
  PublishJob job = Job(1, Round(1), "zero_pad");
  job.summer = &summer;
  EXPECT_TRUE(absl::IsCancelled(Publish(job).status()));
  EXPECT_FALSE(fs::exists(Version(1)));
}

TEST_F(PublishTest, TheWholeIsAllVersionsSoFarAndTheDeltaTheLast) {
  const std::vector<Sent> first = Round(1), second = Round(2);
  const VersionRow one = Published(Job(1, first));
  PublishJob job = Job(2, second);
  job.previous = one;
  const VersionRow two = Published(job);
  const StoredAdapter whole = Open(two.whole), delta = Open(*two.delta), before = Open(one.whole);
  EXPECT_EQ(Sha256Hex(ModelBytes(2)), two.whole.sha256);
  for (std::size_t m = 0; m < 2; ++m) {
    const LoraModule& module = whole.adapter.modules[m];
    EXPECT_EQ(module.rank, 10);
    EXPECT_LT(reference::MaxDifference(Product(delta.adapter.modules[m]), DenseSum(second, m)), 1e-6);
    const auto parts = reference::DenseSum(
        {testing::ReferenceOf(before.adapter.modules[m], 1), testing::ReferenceOf(delta.adapter.modules[m], 1)});
    EXPECT_EQ(reference::MaxDifference(Product(module), parts), 0);
  }
}

// A federation may go on for ever: what it has learned never needs more rank than its weights have.
TEST_F(PublishTest, TheRankOfTheWholeStaysBoundedAndItsSumExact) {
  std::vector<reference::Matrix> expected;
  for (std::size_t m = 0; m < 2; ++m) expected.push_back(DenseSum(Round(1), m));
  VersionRow row = Published(Job(1, Round(1)));
  for (int version = 2; version <= 12; ++version) {
    PublishJob job = Job(version, Round(version));
    job.previous = row;
    row = Published(job);
    EXPECT_EQ(Published(job).whole.sha256, row.whole.sha256) << "the same bytes when it is done again";
    for (std::size_t m = 0; m < 2; ++m) {
      const reference::Matrix change = DenseSum(Round(version), m);
      for (std::size_t i = 0; i < change.values.size(); ++i) expected[m].values[i] += change.values[i];
    }
  }
  const StoredAdapter whole = Open(row.whole), delta = Open(*row.delta);
  EXPECT_EQ(whole.adapter.modules[0].rank, 15);
  EXPECT_EQ(whole.adapter.modules[1].rank, 14);
  EXPECT_EQ(delta.adapter.modules[0].rank, 5);
  for (std::size_t m = 0; m < 2; ++m) {
    EXPECT_LT(reference::MaxDifference(Product(whole.adapter.modules[m]), expected[m]), 1e-5);
  }
}

TEST_F(PublishTest, AFirstRoundOfManyUnitsHasAWholeOfItsOwn) {
  std::vector<Sent> wide;
  wide.push_back({"a", 4, testing::MakeUpdate(1, testing::kTwoModules, 40, 40)});
  const VersionRow row = Published(Job(1, wide));
  EXPECT_NE(row.whole.sha256, row.delta->sha256);
  EXPECT_EQ(Open(*row.delta).adapter.modules[0].rank, 40);
  EXPECT_EQ(Open(row.whole).adapter.modules[0].rank, 15);
}

TEST_F(PublishTest, ModulesThatNobodyTrainedStay) {
  const VersionRow one = Published(Job(1, Round(1)));
  std::vector<Sent> part;
  part.push_back({"a", 4, testing::MakeUpdate(9, {testing::kTwoModules[1]}, 2, 2)});
  for (const char* combine : {"stack", "zero_pad"}) {
    PublishJob job = Job(2, part, combine);
    job.previous = one;
    const StoredAdapter whole = Open(Published(job).whole), before = Open(one.whole);
    ASSERT_EQ(whole.adapter.modules.size(), 2u);
    EXPECT_EQ(reference::MaxDifference(Product(whole.adapter.modules[0]), Product(before.adapter.modules[0])), 0);
  }
}

TEST_F(PublishTest, SaysHowFarAVersionIsFromTheExactSum) {
  EXPECT_EQ(Published(Job(1, Round(1))).relative_error, 0);
  const auto cut = Published(Job(1, Round(1), "svd")).relative_error;
  ASSERT_TRUE(cut.has_value());
  EXPECT_GT(*cut, 0.01);
  EXPECT_LT(*cut, 1);
  EXPECT_EQ(Published(Job(1, Round(1), "zero_pad")).relative_error, std::nullopt) << "too dear to measure every round";
}

TEST_F(PublishTest, ThePublishFormIsThatOfTheFederation) {
  PublishJob job = Job(1, Round(1));
  job.method.publish = PublishForm{.kind = PublishForm::Kind::kRank, .rank = 2};
  const VersionRow row = Published(job);
  EXPECT_EQ(Open(*row.delta).adapter.modules[0].rank, 2);
  EXPECT_EQ(Open(row.whole).adapter.modules[0].rank, 2);
  EXPECT_GT(*row.relative_error, 0.01);
}

// Of a kind without factors: its config is published as it came.
TEST_F(PublishTest, TensorsByNameAreAveraged) {
  const std::string config = R"({"peft_type": "IA3", "target_modules": ["q"]})";
  const auto blob = [](std::vector<float> values) {
    const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return std::make_shared<BytesBlob>(*SerializeSafetensors({{"q.ia3_l", DType::kF32, {2, 1}, bytes}}));
  };
  PublishJob job{"fed", Method{.combine = "dense_mean"}, 1, "", {}, std::nullopt, directory_.path()};
  job.contributions.push_back({{"fed", 1, "a", "", 0, 3, config, 0}, blob({1, 2})});
  job.contributions.push_back({{"fed", 1, "b", "", 0, 1, config, 0}, blob({5, 6})});
  const VersionRow row = Published(job);
  EXPECT_EQ(row.whole.config, config);
  EXPECT_FALSE(row.delta.has_value());
  const auto stored = OpenAdapterDirectory(Version(1));
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->adapter.tensors.size(), 1u);
  const TensorView& view = stored->adapter.tensors[0].view;
  EXPECT_EQ(view.shape, (std::vector<std::int64_t>{2, 1}));
  std::vector<float> values(2);
  ToFloat(view.dtype, view.data.data(), 2, values.data());
  EXPECT_EQ(values, (std::vector<float>{2, 3}));
}

TEST_F(PublishTest, LoraThroughDenseMeanKeepsItsConfigAndItsFactorsApart) {
  std::vector<Sent> one;
  one.push_back({"a", 4, testing::MakeUpdate(1, testing::kTwoModules, 2, 6)});
  PublishJob job = Job(1, one, "dense_mean");
  const VersionRow row = Published(job);
  EXPECT_EQ(row.whole.config, one[0].update.bytes().config_json);
  job = Job(2, one, "dense_mean");
  job.previous = row;
  const StoredAdapter again = Open(Published(job).whole);
  EXPECT_EQ(again.adapter.modules[0].scale, 3);
  EXPECT_EQ(reference::MaxDifference(Product(again.adapter.modules[0]), Product(one[0].update.adapter().modules[0])),
            0);
}

// A recovered run publishes the same bytes as a run without faults.
TEST_F(PublishTest, BytesDependNeitherOnTheAttemptNorOnTheOrderOfArrival) {
  PublishJob job = Job(1, Round(1));
  const VersionRow once = Published(job);
  const std::string bytes = ModelBytes(1);
  std::swap(job.contributions[0], job.contributions[1]);
  const VersionRow again = Published(job);
  EXPECT_EQ(once.whole.sha256, again.whole.sha256);
  EXPECT_EQ(once.whole.config, again.whole.config);
  EXPECT_TRUE(ModelBytes(1) == bytes);
  EXPECT_FALSE(fs::exists(Version(1).string() + ".writing"));
}

TEST_F(PublishTest, AnAttemptThatDiedHalfwayDoesNotMatter) {
  fs::create_directories(Version(1).string() + ".writing/adapter_model.safetensors");
  fs::create_directories(directory_ / "adapters/fed");
  std::ofstream(directory_ / "adapters/fed/writing.safetensors") << "half";
  Published(Job(1, Round(1)));
  EXPECT_TRUE(OpenAdapterDirectory(Version(1)).ok());
  EXPECT_FALSE(fs::exists(Version(1).string() + ".writing"));
  EXPECT_FALSE(fs::exists(directory_ / "adapters/fed/writing.safetensors"));
}

// Readers of a version that is published again must find one at every moment.
TEST_F(PublishTest, AVersionIsExchangedWithoutAGap) {
  const PublishJob job = Job(1, Round(1));
  Published(job);
  std::atomic<bool> stop = false;
  std::atomic<int> missing = 0, looked = 0;
  std::thread reader([&] {
    while (!stop) {
      struct stat ignored;
      if (::stat(Version(1).c_str(), &ignored) != 0) ++missing;
      ++looked;
    }
  });
  while (looked == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) Published(job);
  stop = true;
  reader.join();
  EXPECT_EQ(missing, 0);
}

TEST_F(PublishTest, LatestPointsAtTheVersionNamed) {
  Published(Job(1, Round(1)));
  Published(Job(2, Round(2)));
  const fs::path latest = directory_ / "published/fed/latest";
  ASSERT_TRUE(PointLatestAt(directory_.path(), "fed", 1).ok());
  EXPECT_EQ(fs::read_symlink(latest), "v00001");  // Relative: the data directory may move.
  ASSERT_TRUE(PointLatestAt(directory_.path(), "fed", 2).ok());
  EXPECT_EQ(fs::read_symlink(latest), "v00002");
  EXPECT_TRUE(OpenAdapterDirectory(latest).ok());
}

TEST_F(PublishTest, RulesThatPublishTheAdapterItselfHaveNoDelta) {
  std::vector<Sent> equal;
  equal.push_back({"a", 3, testing::MakeUpdate(1, testing::kTwoModules, 2, 2)});
  equal.push_back({"b", 1, testing::MakeUpdate(2, testing::kTwoModules, 2, 2)});
  PublishJob job = Job(1, equal, "mean");
  const VersionRow one = Published(job);
  EXPECT_FALSE(one.delta.has_value());
  EXPECT_EQ(Open(one.whole).adapter.modules[0].rank, 2);

  job = Job(2, Round(1), "zero_pad");
  job.previous = one;
  const VersionRow two = Published(job);
  EXPECT_FALSE(two.delta.has_value());
  EXPECT_EQ(Open(two.whole).adapter.modules[0].rank, 3) << "the version before must not be added";
}

TEST_F(PublishTest, WhatTheRuleRefusesPublishesNothing) {
  const auto row = Publish(Job(1, Round(1), "mean"));
  EXPECT_EQ(row.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(Version(1)));
}

// Not permissions, which do not hold for root: a file where a directory must be.
TEST_F(PublishTest, ADiskErrorIsAStatusThatNamesThePlace) {
  for (const char* blocked : {"adapters", "published"}) {
    std::ofstream(directory_ / blocked) << "in the way";
    const auto row = Publish(Job(1, Round(1)));
    EXPECT_FALSE(row.ok());
    EXPECT_THAT(row.status().message(), HasSubstr((directory_ / blocked).string()));
    fs::remove(directory_ / blocked);
    EXPECT_FALSE(fs::exists(Version(1)));
  }
  EXPECT_TRUE(Publish(Job(1, Round(1))).ok()) << "and the next attempt succeeds";
}

TEST_F(PublishTest, APreviousAdapterThatIsGoneIsAStatus) {
  PublishJob job = Job(2, Round(2));
  job.previous = Published(Job(1, Round(1)));
  fs::remove(AdapterPath(directory_.path(), "fed", job.previous->whole.sha256));
  EXPECT_EQ(Publish(job).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(Version(2)));
}

// A client could never receive it, and the next round could not be begun.
TEST_F(PublishTest, AVersionTooLargeToBeSentIsNotWritten) {
  PublishJob first = Job(1, Round(1)), second = Job(2, Round(2));
  second.previous = Published(first);
  const fs::path adapters = directory_ / "adapters/fed";
  const auto files = std::distance(fs::directory_iterator(adapters), fs::directory_iterator());
  // The change fits, the sum of both does not.
  second.bytes_max = second.previous->whole.bytes + 512;
  for (const PublishJob& job : {second, [&] {
                                  first.bytes_max = 100;
                                  return first;
                                }()}) {
    const absl::Status status = Publish(job).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("more than the " + std::to_string(job.bytes_max)));
    EXPECT_FALSE(fs::exists(adapters / "writing.safetensors"));
    EXPECT_FALSE(fs::exists(Version(2)));
  }
  EXPECT_LE(std::distance(fs::directory_iterator(adapters), fs::directory_iterator()), files + 1) << "the change";
}

// The rank is known only once the result was decomposed.
TEST_F(PublishTest, ACutThatIsTooLargeIsRemovedAgain) {
  PublishJob job = Job(1, Round(1));
  job.method.publish = *ParsePublishForm("energy=1");
  job.bytes_max = 100;
  EXPECT_EQ(Publish(job).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::is_empty(directory_ / "adapters/fed"));
}

// Neither the end of the server, nor the client's fault.
TEST_F(PublishTest, AFileThatIsCutShortWhileItIsReadIsDataLoss) {
  PublishJob job = Job(1, Round(1));
  const fs::path path = directory_ / "b.safetensors";
  ASSERT_TRUE(WriteFileAtomically(path, Round(1)[1].update.bytes().safetensors).ok());
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  job.contributions[1].payload = std::make_shared<testing::MappedBlob>(*std::move(file));
  fs::resize_file(path, 0);
  const absl::Status lost = Publish(job).status();
  EXPECT_TRUE(absl::IsDataLoss(lost)) << lost;
  EXPECT_TRUE(Publish(Job(1, Round(1))).ok());
}

TEST_F(PublishTest, NamesTheClientWhoseUpdateIsToBlame) {
  PublishJob job = Job(1, Round(1));
  job.contributions[1].payload = std::make_shared<BytesBlob>("no safetensors file");
  EXPECT_EQ(BlamedClient(Publish(job).status()), "b");
  job = Job(1, Round(1));
  std::string bytes = Round(1)[1].update.bytes().safetensors;
  bytes.replace(bytes.size() - 4, 4, "\xff\xff\xff\xff");  // NaN
  job.contributions[1].payload = std::make_shared<BytesBlob>(bytes);
  EXPECT_EQ(BlamedClient(Publish(job).status()), "b");
}

}  // namespace
}  // namespace cairn
