// What must not be left over: after each round, and after the servers have ended.
#pragma once

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/deployment.h"
#include "tests/faults/faulty_server.h"

namespace cairn::faults {

// Objects in the shared store of a running server, by their state. None of either without such a store.
struct ObjectCount {
  std::size_t writing = 0, sealed = 0, removed = 0, spilled = 0;
  std::size_t all() const { return writing + sealed + removed + spilled; }
};
absl::StatusOr<ObjectCount> CountObjects(const std::filesystem::path& node_dir);

// When nothing is under way every object has gone, soon: INTERNAL otherwise. `parked`: uploads in memory that were
// broken off keep theirs until the next round is published. `server` is one of the deployment.
absl::Status AwaitNoObjects(Deployment& deployment, FaultyServer& server, std::size_t parked);

// The same of files of acknowledged updates.
absl::Status AwaitNoUpdates(Deployment& deployment, const FaultyServer& server, const std::string& federation);

// The same of sums, which lie in files without names.
absl::Status AwaitNoSums(Deployment& deployment, FaultyServer& server);

// Slabs that the server and its workers have open: bounded by the budget, however many rounds there were.
absl::Status CheckSlabs(FaultyServer& server, std::uint64_t budget);

// Names in /dev/shm.
std::set<std::string> SharedMemoryNames();

// After the servers have ended. No process has this directory in its arguments.
absl::Status CheckNoProcess(const std::filesystem::path& directory);
// No socket, unfinished upload, update, spilled object or sum.
absl::Status CheckNothingLeft(const std::filesystem::path& data_dir);

}  // namespace cairn::faults
