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
constexpr absl::Duration kDuration = absl::Milliseconds(1000);

class StressTest : public AgentTest {
 protected:
  Child Start(int seed) {
    auto child = Child::Spawn({WorkerProgram(), "stress", socket_.native(), absl::StrCat(seed),
                               absl::StrCat(absl::ToInt64Milliseconds(kDuration))},
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
  const absl::Time end = absl::Now() + kDuration;
  for (int kills = 0; absl::Now() < end;) {
    RemoveAll(*table);
    ASSERT_LE(store_->stats().mapped, 30 * kSlab);
    if (end - absl::Now() < kDuration * (4 - kills) / 5 && kills < 4) {
      workers[kills].Kill();
      workers[kills] = Start(100 + kills);  // It runs longer than the others.
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
  const std::uint64_t objects = RemoveAll(*table);
  const SharedStoreStats stats = store_->stats();
  EXPECT_GT(objects, 1000u);
  EXPECT_EQ(stats.objects + stats.leases + stats.waiting, 0u);
  EXPECT_EQ(stats.budget_used, 0u);
  EXPECT_EQ(stats.mapped, 0u) << "every slab was a worker's, and all workers have gone";
  std::printf("%lu objects by %d workers\n", objects, kWorkers);
}

}  // namespace
}  // namespace cairn::testing
