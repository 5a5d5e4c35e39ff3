// Answers clients that ask where to send their updates. Those that ask at about the same time share one plan, whose
// cost grows with the number of clients. For one thread; time is an argument.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/root/client_places.h"

namespace cairn {

class Placer {
 public:
  using Done = std::function<void(absl::StatusOr<std::string>)>;
  // From one plan to the next, at least: a plan of 10 000 clients takes some milliseconds.
  static constexpr absl::Duration kPlanInterval = absl::Milliseconds(50);

  explicit Placer(Metrics* metrics) : metrics_(metrics) {}  // Which outlives it.
  ~Placer();                                                // Whoever still waits gets UNAVAILABLE.

  // A node that cannot take part is logged.
  void NodeCame(const std::string& node, const ClientsOffer& offer);
  ClientPlaces& places() { return places_; }

  // `done` is told the address, or an empty text, at once or by Run.
  void Ask(const PlaceQuery& query, absl::Time now, Done done);
  // Plans for those who wait, if it is time.
  void Run(absl::Time now);
  absl::Time next_alarm() const { return waiting_.empty() ? absl::InfiniteFuture() : plan_at_; }

 private:
  struct Waiting {
    PlaceQuery query;
    Done done;
  };
  void Plan();
  void Report(planner::Plan plan);

  Metrics* metrics_;
  ClientPlaces places_;
  std::vector<Waiting> waiting_;
  absl::Time plan_at_ = absl::InfinitePast();
};

}  // namespace cairn
