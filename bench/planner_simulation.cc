#include "bench/planner_simulation.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "bench/planner_costs.h"

namespace cairn::bench {
namespace {

struct Event {
  double at = 0;
  bool stored = false;  // Else: an upload starts.
  int sender = 0;
  // Of events at the same time, uploads end before others begin.
  friend bool operator>(const Event& a, const Event& b) {
    return std::tuple(a.at, !a.stored, a.sender) > std::tuple(b.at, !b.stored, b.sender);
  }
};

// A server that takes one thing after another.
struct Line {
  double free_at = 0;
  double Serve(double arrival, double seconds) { return free_at = std::max(free_at, arrival) + seconds; }
};

struct Site {
  Line network;
  std::vector<Line> leaves;
  std::vector<double> stored_at;
  double folded_at = 0, seconds = 0, largest = 0;
};

class Round {
 public:
  Round(const World& world, const RoundPlan& plan)
      : world_(world),
        plan_(plan),
        sites_(world.machines.size()),
        open_(world.machines.size()),
        machine_of_(world.senders.size()) {
    for (std::size_t m = 0; m < sites_.size(); ++m) {
      const Staff& staff = plan.staff[m];
      sites_[m].leaves.resize(std::max(staff.leaves, 1));
      for (int i = 0; i < staff.cold; ++i) sites_[m].leaves[i].free_at = kStartSeconds;
    }
  }

  RoundResult Run(const std::vector<double>& starts) {
    for (std::size_t s = 0; s < starts.size(); ++s) events_.push({starts[s], false, static_cast<int>(s)});
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      event.stored ? Fold(event) : Upload(event);
    }
    Merge();
    Report();
    return std::move(result_);
  }

 private:
  // The sender's own link and the machine's network, whichever ends later; bytes pass the network in order of starts.
  void Upload(const Event& event) {
    const Sender& sender = world_.senders[event.sender];
    const int m = machine_of_[event.sender] = plan_.route(event.sender, open_);
    ++open_[m];
    const Machine& machine = world_.machines[m];
    const double bytes = static_cast<double>(sender.bytes);
    const double bandwidth = sender.zone == machine.zone ? sender.uplink : std::min(sender.uplink, kOtherZone);
    const double sent = event.at + bytes / bandwidth;
    events_.push({std::max(sent, sites_[m].network.Serve(event.at, bytes / machine.network)), true, event.sender});
    result_.cpu_seconds += bytes * kReceiveCpuPerByte;
    if (sender.zone != machine.zone) result_.bytes_between_zones += bytes;
  }

  void Fold(const Event& event) {
    const int m = machine_of_[event.sender];
    --open_[m];
    Site& site = sites_[m];
    const double bytes = static_cast<double>(world_.senders[event.sender].bytes);
    const double seconds = bytes / world_.machines[m].fold;
    Line& leaf = *std::min_element(site.leaves.begin(), site.leaves.end(),
                                   [](const Line& a, const Line& b) { return a.free_at < b.free_at; });
    const double folded = leaf.Serve(event.at, seconds);
    site.stored_at.push_back(event.at);
    site.folded_at = std::max(site.folded_at, folded);
    site.seconds += folded - event.at;
    site.largest = std::max(site.largest, bytes);
    result_.stored = std::max(result_.stored, event.at);
    result_.cpu_seconds += seconds;
    result_.bytes_folded += bytes;
  }

  // When the machine's only partial is ready: the top adds up those of its leaves.
  double TopDone(std::size_t m) {
    const Site& site = sites_[m];
    const int partials = std::min<int>(static_cast<int>(site.leaves.size()), static_cast<int>(site.stored_at.size()));
    const double seconds = partials > 1 ? partials * kPartialFactor * site.largest / world_.machines[m].fold : 0;
    result_.cpu_seconds += seconds;
    // Nobody knows which update is a node's last one before all are stored.
    return std::max(site.folded_at, result_.stored) + seconds;
  }

  void Merge() {
    std::vector<std::pair<double, std::size_t>> ready;
    for (std::size_t m = 0; m < sites_.size(); ++m) {
      if (!sites_[m].stored_at.empty()) ready.emplace_back(TopDone(m), m);
    }
    std::sort(ready.begin(), ready.end());
    const Machine& root = world_.machines[plan_.root];
    Line network, merge;
    for (const auto& [at, m] : ready) {
      const double bytes = kPartialFactor * sites_[m].largest;
      const double arrived = static_cast<int>(m) == plan_.root ? at : Send(at, m, bytes, network);
      result_.makespan = merge.Serve(arrived, bytes / root.fold);
      result_.cpu_seconds += bytes / root.fold;
    }
  }

  double Send(double at, std::size_t m, double bytes, Line& network) {
    const Machine &from = world_.machines[m], &root = world_.machines[plan_.root];
    result_.bytes_between_nodes += bytes;
    if (from.zone != root.zone) result_.bytes_between_zones += bytes;
    result_.cpu_seconds += bytes * (kSendCpuPerByte + kReceiveCpuPerByte);
    const double bandwidth = from.network * (from.zone == root.zone ? 1 : kOtherZoneNodes);
    return std::max(at + bytes / bandwidth, network.Serve(at, bytes / root.network));
  }

  void Report() {
    for (std::size_t m = 0; m < sites_.size(); ++m) {
      MachineResult machine;
      const std::vector<double>& stored = sites_[m].stored_at;  // Ascending.
      machine.updates = static_cast<int>(stored.size());
      if (machine.updates > 0) {
        ++result_.machines_used;
        machine.seconds_per_update = sites_[m].seconds / machine.updates;
      }
      for (std::size_t first = 0, last = 0; last < stored.size(); ++last) {
        while (stored[last] - stored[first] > kRateWindow) ++first;
        machine.busiest_rate = std::max(machine.busiest_rate, static_cast<double>(last - first + 1) / kRateWindow);
      }
      result_.worker_seconds += plan_.staff[m].up * result_.makespan;
      result_.machines.push_back(machine);
    }
  }

  const World& world_;
  const RoundPlan& plan_;
  std::vector<Site> sites_;
  std::vector<int> open_;
  std::vector<int> machine_of_;  // By sender.
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  RoundResult result_;
};

}  // namespace

RoundResult SimulateRound(const World& world, const std::vector<double>& starts, const RoundPlan& plan) {
  return Round(world, plan).Run(starts);
}

}  // namespace cairn::bench
