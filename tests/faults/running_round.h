// One round under way: its clients, on threads, and what is done to processes meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/faults/diary.h"
#include "tests/faults/faulty_round.h"
#include "tests/faults/oracle.h"
#include "tests/faults/plan.h"
#include "tests/faults/process_faults.h"
#include "tests/faults/wrong_push.h"

namespace cairn::faults {

// Clients on threads, processes on the caller's.
class Running {
 public:
  Running(FaultyFederations& all, const Plan& plan, std::uint64_t round, RoundResult& result)
      : all_(all), plan_(plan), round_(round), diary_(&result.done, &all.totals()) {}

  absl::Status Run();

  // What has to be in the version.
  Acknowledged acknowledged() const;
  // With nodes: of the version that a client pulled in the end.
  const std::string& pulled_sha256() const { return pulled_sha256_; }

 private:
  const SmallFederation& federation() const { return kSmallFederations[plan_.federation]; }
  // Does what is due, and starts again what has ended, until the version is there and clients have ended.
  absl::Status Watch();
  absl::Status TendOnce(ProcessFaults& processes);

  Sender SenderOf(const Fault& fault) const;
  std::size_t GatewayOf(const Fault& fault) const;  // Of whoever it is that does wrong.
  // What the client is to do at that moment.
  void EachOf(std::size_t client, Moment moment, const std::function<void(const Fault&)>& act);
  void BeClient(std::size_t client);
  void BeLoris(const Fault& fault);
  // The client in another place, at the same time.
  void BeTwin(const Fault& fault);

  // Pushes until there is a receipt, or the round is over without it.
  absl::Status Contribute(std::size_t client);
  bool MayBeAskedAgain() const { return !all_.durable() || federation().loses_nodes(); }
  // False: the round is over.
  bool AwaitAskedAgain(std::size_t client, std::size_t& gateway, std::uint64_t generation);
  bool SendsOtherBytes(std::size_t client) const;
  // From one gateway to the next, if need be, which `gateway` then is. Gateways are counted round and round.
  absl::Status Push(std::size_t client, int variant, std::size_t& gateway);
  absl::Status DoAfterReceipt(std::size_t client);
  // Same bytes get their receipt again, for ever; others never do. In memory mode a server that was killed has
  // forgotten both.
  absl::Status DoAfter(std::size_t client, const Fault& fault);
  absl::Status PullPublished(std::size_t client);

  FaultyFederations& all_;
  const Plan& plan_;
  const std::uint64_t round_;
  Diary diary_;
  std::atomic<bool> published_ = false, over_ = false;
  std::atomic<int> left_ = 0;  // Client threads that have not ended.
  std::string pulled_sha256_;
  mutable std::mutex mutex_;
  // By client and variant of its update: Deployment::generation when it was sent.
  std::map<std::pair<std::size_t, int>, std::uint64_t> acknowledged_;
};

}  // namespace cairn::faults
