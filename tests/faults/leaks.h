// What must not be left over: after each round, and after the server has ended.
#pragma once

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/faulty_server.h"

namespace cairn::faults {

// Objects in the shared store of a running server, by their state. None of either without such a store.
struct ObjectCount {
  std::size_t writing = 0, sealed = 0, removed = 0, spilled = 0;
  std::size_t all() const { return writing + sealed + removed + spilled; }
};
absl::StatusOr<ObjectCount> CountObjects(const std::filesystem::path& node_dir);

// When nothing is under way every object has gone, soon: INTERNAL otherwise. `parked`: uploads in memory that were
// broken off keep theirs until the next round is published.
absl::Status AwaitNoObjects(FaultyServer& server, std::size_t parked);

// Slabs that the server and its workers have open: bounded by the budget, however many rounds there were.
absl::Status CheckSlabs(FaultyServer& server, std::uint64_t budget);

// Names in /dev/shm.
std::set<std::string> SharedMemoryNames();

// After the server has ended: no process of `directory`, no socket, no unfinished upload, update or spilled object.
absl::Status CheckNothingLeft(const std::filesystem::path& directory, const std::filesystem::path& data_dir);

}  // namespace cairn::faults
