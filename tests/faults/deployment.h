// The servers of one run: a single one, or a root and the gateways of its nodes, on loopback addresses of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "tests/faults/faulty_server.h"

namespace cairn::faults {

struct Topology {
  bool durable = true;
  std::size_t nodes = 0;       // 0: one server.
  std::optional<int> workers;  // Of each process; unset: drawn from the seed.
  std::uint64_t seed = 1;
  std::optional<bool> reads;  // Whether nodes read of each other, and so combine modules; unset: drawn.
};

inline constexpr int kWorkersMost = 4;  // Of a process.

// For one thread, but for generation() and the addresses.
class Deployment {
 public:
  // Everything that they write goes below `directory`.
  Deployment(const std::filesystem::path& directory, const Topology& topology);

  absl::Status Start();
  absl::Status Tend();
  absl::Status AwaitReady();
  // The root first: gateways must end without it.
  absl::Status Stop();

  std::size_t size() const { return servers_.size(); }
  FaultyServer& server(std::size_t i) const { return *servers_[i]; }
  FaultyServer& root() const { return *servers_.front(); }  // Decides and publishes.
  // Those to which clients connect.
  std::size_t gateways() const { return has_nodes() ? size() - 1 : 1; }
  FaultyServer& gateway(std::size_t i) const { return *servers_[has_nodes() ? i + 1 : i]; }
  bool has_nodes() const { return size() > 1; }
  std::uint64_t generation() const;  // Of all together.

 private:
  std::vector<std::unique_ptr<FaultyServer>> servers_;
};

}  // namespace cairn::faults
