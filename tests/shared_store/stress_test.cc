// Many workers at once, some of which are killed, and an agent that removes what they sealed: at the end every byte is
// accounted for.
#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

constexpr int kWorkers = 8;
constexpr int kSteps = 100;  // Of each worker that is not killed.
constexpr int kKills = 4;
constexpr std::uint64_t kStepsBetweenKills = 50;  // Of all workers.

class StressTest : public AgentTest {
 protected:
  Child Start(int seed) {
    auto child = Child::Spawn({WorkerProgram(), "stress", socket_.native(), absl::StrCat(seed), absl::StrCat(kSteps)},
                              directory_ / "log");
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }
  // Removes every sealed object; how many there ever were.
  std::uint64_t RemoveAll(const TableView& table) {
    std::uint64_t objects = 0;
    for (std::uint32_t i = 0; i < table.entries(); ++i) {
      const auto entry = table.Read(i);
      EXPECT_TRUE(entry.ok()) << entry.status();
      objects += entry->key.generation;
      if (entry->state != ObjectState::kSealed) continue;
      EXPECT_TRUE(store_->Remove(entry->key).ok());
    }
    return objects;
  }
  std::string Log() { return ReadFile(directory_ / "log", limits::kMiB).value_or("no log"); }
};

TEST_F(StressTest, NothingIsLeftAtTheEnd) {
  Open({.budget = 30 * kSlab, .objects_max = 64});
  const auto table = TableView::Open(store_->table_fd());
  ASSERT_TRUE(table.ok());
  std::vector<Child> workers;
  for (int i = 0; i < kWorkers; ++i) workers.push_back(Start(i));
  for (int kills = 0; kills < kKills;) {
    const std::uint64_t objects = RemoveAll(*table);
    ASSERT_LE(store_->stats().mapped, 30 * kSlab);
    if (objects >= kStepsBetweenKills * (kills + 1)) {
      workers[kills].Kill();
      workers[kills] = Start(100 + kills);
      ++kills;
    }
    absl::SleepFor(absl::Microseconds(100));
  }
  for (Child& worker : workers) {
    while (!worker.ExitCode()) {
      RemoveAll(*table);
      absl::SleepFor(absl::Microseconds(100));
    }
    EXPECT_EQ(worker.ExitCode(), 0) << Log();
  }
  EXPECT_TRUE(Eventually([&] { return store_->stats().sessions == 0; }));
  EXPECT_GE(RemoveAll(*table), std::uint64_t{kWorkers} * kSteps) << "each step begins an object";
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  const SharedStoreStats stats = store_->stats();
  EXPECT_EQ(stats.objects + stats.leases + stats.waiting, 0u);
  EXPECT_TRUE(Eventually([&] { return store_->stats().mapped == 0; }))
      << "every slab was a worker's, and all workers have gone";
}

}  // namespace
}  // namespace cairn::testing
