// A worker process that does what a test tells it, and the store that it works for.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/test_directory.h"
#include "server/store/shared/store_agent.h"
#include "server/store/shared/testing.h"
#include "tests/integration/child.h"

namespace cairn::testing {

// For one thread; the process ends with this object.
class Puppet {
 public:
  explicit Puppet(const std::filesystem::path& directory);

  // Sends a command of worker_main.cc; what it answers, without "ok ". After that long, "error no answer".
  std::string Ask(absl::string_view command);
  // The two halves of Ask.
  void Tell(absl::string_view command);
  std::string Hear();
  bool Silent() const;  // Nothing to hear yet.

  Child& process() { return *process_; }

 private:
  UniqueFd socket_;
  std::optional<Child> process_;
};

// The program beside this test.
std::string WorkerProgram();

// A store with an agent, and a clock that the test moves.
class AgentTest : public ::testing::Test {
 protected:
  AgentTest() { Open({.budget = 8 * kSlab}); }
  // Another store, as `options` say.
  void Open(SharedStoreOptions options);
  void Close();
  void Advance(absl::Duration by);
  std::unique_ptr<Puppet> Connected();  // A worker that has said hello.

  const TestDirectory directory_;
  const std::filesystem::path socket_ = directory_ / "agent";
  FakeClock clock_;
  std::unique_ptr<SharedStore> store_;
  std::unique_ptr<StoreAgent> agent_;
};

}  // namespace cairn::testing
