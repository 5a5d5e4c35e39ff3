// A scripted Cairn server on loopback, for the SDK's tests: real gRPC and real sockets, no rounds and no disks.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/sdk/client.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::sdk {

// What one upload stream meets; the default is a server that works.
struct PushFault {
  std::optional<std::uint64_t> break_at;  // UNAVAILABLE when this many bytes of the payload are there, which are kept.
  grpc::Status answer_at_header;          // Not OK: sent without reading further.
  bool receipt_at_header = false;         // OK and a receipt, without reading further.
  bool lose_receipt = false;              // Everything is received, but the answer is UNAVAILABLE.
  bool silent = false;                    // Neither reads on nor answers.
};

struct PullFault {
  std::optional<std::uint64_t> break_at;  // UNAVAILABLE after this many bytes of the payload.
  bool wrong_bytes = false;               // Other bytes than announced, in chunks with the right checksums.
  bool flipped_bit = false;               // A chunk that its checksum does not fit.
};

// What the server has and has seen. Reached through TestingServer::With only.
struct TestingState {
  std::deque<PushFault> push_faults;  // One for each stream, from the front.
  std::deque<PullFault> pull_faults;
  grpc::Status join_answer;
  std::vector<std::string> joined;  // One entry for each Join.
  v1::AdapterSpec joined_spec;      // Of the latest Join, as it came.
  bool knows_client = false;
  std::optional<std::string> place;  // What Place answers. Not set: UNIMPLEMENTED, as of an older release.
  std::vector<v1::PlaceRequest> place_requests;
  std::map<std::string, std::string> uploads;  // Bytes so far, by the sha256 of the whole.
  std::map<std::string, v1::Receipt> receipts;
  std::vector<std::uint64_t> push_offsets;  // Of each stream that sent a header.
  std::vector<std::uint64_t> pull_offsets;
  std::vector<int> pull_forms;  // v1::PullRequest::Form
  std::string published, adapter_config = "{}";
  std::uint64_t published_version = 1;
  v1::RoundInfo round;
  std::uint64_t watch_epoch = 0;  // Watches that began in an earlier epoch end with UNAVAILABLE.
  std::uint64_t round_changes = 0;
  int watches = 0;  // Begun so far.
  int leaves = 0;
};

class TestingServer {
 public:
  TestingServer();  // Reserves an address; nobody listens there yet.
  ~TestingServer();
  void Start(std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials());
  void Stop();
  const std::string& address() const { return address_; }

  // Runs `action(TestingState&)` under the lock and wakes those who wait.
  template <typename Action>
  auto With(Action action) {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
    return action(state_);
  }
  // Blocks until `condition(const TestingState&)` holds.
  template <typename Condition>
  void WaitFor(Condition condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return condition(static_cast<const TestingState&>(state_)); });
  }

  void SetRound(const v1::RoundInfo& round);
  void BreakWatches();

 private:
  class Service;
  friend class Service;

  std::mutex mutex_;
  std::condition_variable changed_;
  TestingState state_;
  bool stopping_ = false;
  std::string address_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

// Options for a client of `server` that tries again quickly.
ClientOptions TestingOptions(const TestingServer& server);
v1::RoundInfo TestingRound(std::uint64_t number, v1::RoundPhase phase, v1::ClientProgress::State own_state);

}  // namespace cairn::sdk
