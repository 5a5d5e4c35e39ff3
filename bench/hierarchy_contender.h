// One contender: its processes, and what an order to them took.
#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/hierarchy_channel.h"
#include "bench/hierarchy_order.h"
#include "bench/hierarchy_payload.h"
#include "simulation/process.h"

namespace cairn::bench {

struct DesignFacts {
  Design design;
  const char* name;
  // Copies of each byte of payload in the hop that cannot be counted from outside: hierarchy_channel.h derives them.
  int kernel_copies, broker_copies;
};
absl::Span<const DesignFacts> AllDesigns();

struct Outcome {
  std::vector<double> handoff;  // Seconds from the landed bytes of each update to the first byte read.
  std::vector<double> hop;      // That and its part of the fold.
  double total = 0;             // Seconds of all: landing, hop and fold.
  double cpu = 0;               // Of all processes, all of it.
  double landing_cpu = 0;       // Of this, what landing took.
  double copied = 0;            // Bytes, in user space.
};

class Contender {
 public:
  struct Child {
    std::string role;
    ChildProcess process;
    std::deque<std::string> lines;
  };

  // In `directory`, which must be new. NOT_FOUND: no redis-server on this machine.
  static absl::StatusOr<std::unique_ptr<Contender>> Start(const DesignFacts& facts, const HierarchyPayload& payload,
                                                          int in_flight, const std::filesystem::path& directory);

  const DesignFacts& facts() const { return facts_; }
  const std::vector<Child>& children() const { return children_; }
  // UNAVAILABLE, with what it said last: a process ended.
  absl::StatusOr<Outcome> Run(const Order& order);

 private:
  Contender(const DesignFacts& facts, std::filesystem::path directory)
      : facts_(facts), directory_(std::move(directory)) {}
  absl::Status StartAll(HierarchyEnds ends);
  absl::Status Spawn(const std::string& role, const std::vector<std::string>& arguments);
  absl::Status StartBroker();
  absl::Status CheckAlive();
  absl::StatusOr<std::string> LineOf(Child& child);
  double CpuSeconds() const;

  const DesignFacts facts_;
  const std::filesystem::path directory_;
  std::vector<Child> children_;  // Those that take orders come last: the aggregator, then the producer.
};

}  // namespace cairn::bench
