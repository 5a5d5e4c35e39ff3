// What rules are given of earlier rounds, and that a publication that is done again gives the same.
#include <gtest/gtest.h>

#include "server/root/publish_fixture.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using testing::Product;
using testing::Round;
using testing::Sent;
using PublishMemoryTest = testing::PublishFixture;

// The average of a round's two clients, as dense matrices.
reference::Matrix Average(const std::vector<Sent>& round, std::size_t module) {
  return reference::DenseSum({testing::ReferenceOf(round[0].update.adapter().modules[module], 0.5),
                              testing::ReferenceOf(round[1].update.adapter().modules[module], 0.5)});
}

TEST_F(PublishMemoryTest, ARuleSeesWhatTheLastRoundGave) {
  for (const char* combine : {"stack", "svd"}) {
    PublishJob job = Job(1, Round(1), combine);
    job.method.rule = "test_momentum";
    job.method.publish = *ParsePublishForm("rank=15");  // Enough: nothing is cut.
    const VersionRow one = Published(job);
    PublishJob next = Job(2, Round(2), combine);
    next.method = job.method;
    next.previous = one;
    const VersionRow two = Published(next);
    const StoredAdapter result = Open(two.delta.value_or(two.whole));
    for (std::size_t m = 0; m < 2; ++m) {
      reference::Matrix expected = Average(Round(2), m);
      const reference::Matrix last = Average(Round(1), m);
      for (std::size_t i = 0; i < last.values.size(); ++i) expected.values[i] += 0.5 * last.values[i];
      EXPECT_LT(reference::MaxDifference(Product(result.adapter.modules[m]), expected), 1e-5) << combine;
    }
    EXPECT_EQ(Published(next).whole.sha256, two.whole.sha256) << combine;
  }
}

TEST_F(PublishMemoryTest, ARuleSeesWhatClientsSentBefore) {
  PublishJob job = Job(1, Round(1));
  job.method.rule = "test_history";
  const auto first = Publish(job);
  ASSERT_TRUE(first.ok()) << first.status();
  for (const OutcomeRow& row : first->outcomes) EXPECT_EQ(row.weight, 0.5) << "nobody has a history yet";
  PublishJob next = Job(2, Round(2));
  next.method = job.method;
  next.previous = first->version;
  const std::vector<Sent> before = Round(1);
  const auto norm = [&](std::size_t client) {
    double squares = 0;
    for (const LoraModule& module : before[client].update.adapter().modules) {
      for (const double value : Product(module).values) squares += value * value;
    }
    return squares;
  };
  // Done again, before the commit or after it, the second round must not find itself in the history.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto second = Publish(next);
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_NEAR(second->outcomes[0].weight, (1 + norm(0)) / (2 + norm(0) + norm(1)), 1e-6);
    EXPECT_NEAR(second->outcomes[1].weight, (1 + norm(1)) / (2 + norm(0) + norm(1)), 1e-6);
  }
}

TEST_F(PublishMemoryTest, ARoundWithoutHistoriesEndsThem) {
  PublishJob job = Job(1, Round(1));
  job.method.rule = "test_history";
  const VersionRow one = Published(job);
  PublishJob next = Job(2, Round(2));
  next.previous = one;
  const VersionRow two = Published(next);
  PublishJob third = Job(3, Round(3));
  third.method.rule = "test_history";
  third.previous = two;
  const auto last = Publish(third);
  ASSERT_TRUE(last.ok()) << last.status();
  for (const OutcomeRow& row : last->outcomes) EXPECT_EQ(row.weight, 0.5) << "nothing is left of round 1";
}

// In warm rounds a history without the published adapter in it.
TEST_F(PublishMemoryTest, HistoriesAreMeasuredFromWhatClientsStartedFrom) {
  PublishJob job = Job(1, Round(1), "svd");
  job.method.rule = "test_history";
  job.method.relative_to_published = true;
  const VersionRow one = Published(job);
  PublishJob next = Job(2, Round(2), "svd");
  next.method = job.method;
  next.previous = one;
  Published(next);
  const StoredAdapter history = *OpenAdapter(directory_ / "history/fed/b@2.safetensors",
                                             *ReadFile(directory_ / "history/fed/b@2.json", limits::kMiB));
  const StoredAdapter start = Open(one.whole);
  for (std::size_t m = 0; m < 2; ++m) {
    const auto sent = [m](int round) { return testing::ReferenceOf(Round(round)[1].update.adapter().modules[m], 1); };
    const auto expected = reference::DenseSum({sent(1), sent(2), testing::ReferenceOf(start.adapter.modules[m], -1)});
    EXPECT_LT(reference::MaxDifference(Product(history.adapter.modules[m]), expected), 1e-5);
  }
}

}  // namespace
}  // namespace cairn
