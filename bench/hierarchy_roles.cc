#include "bench/hierarchy_roles.h"

#include <chrono>
#include <cstdio>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "bench/cpu_time.h"
#include "bench/hierarchy_agent.h"
#include "bench/hierarchy_landing.h"
#include "bench/hierarchy_order.h"
#include "bench/hierarchy_payload.h"
#include "bench/hierarchy_reducer.h"
#include "bench/hierarchy_sockets.h"

namespace cairn::bench {
namespace {

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

absl::Status Obey(absl::FunctionRef<absl::Status(const Order&)> carry_out) {
  Say("ready");
  for (std::string line; std::getline(std::cin, line);) {
    CAIRN_ASSIGN_OR_RETURN(const Order order, ParseOrder(line));
    CAIRN_RETURN_IF_ERROR(carry_out(order));
  }
  return absl::OkStatus();
}

absl::Status LandOne(const HierarchyEnds& ends, bool land, absl::Span<char> room, ProducerReport& report) {
  const double before = SecondsOn(CLOCK_THREAD_CPUTIME_ID);
  if (land) CAIRN_RETURN_IF_ERROR(Land(ends.payload, room));
  report.landing_cpu += static_cast<std::int64_t>(1e9 * (SecondsOn(CLOCK_THREAD_CPUTIME_ID) - before));
  report.landed_at.push_back(Now());
  return absl::OkStatus();
}

absl::Status Produce(const HierarchyEnds& ends, const Order& order, Outbox& outbox) {
  ProducerReport report{.start = Now()};
  int folded = 0;
  const auto await_fold = [&] {
    char one;
    ++folded;
    return ReceiveValue(ends.peer, one);
  };
  for (int sent = 0; sent < order.updates; ++sent) {
    if (sent - folded == order.in_flight) CAIRN_RETURN_IF_ERROR(await_fold());
    CAIRN_ASSIGN_OR_RETURN(const absl::Span<char> room, outbox.Room());
    CAIRN_RETURN_IF_ERROR(LandOne(ends, order.land, room, report));
    CAIRN_RETURN_IF_ERROR(outbox.Send());
  }
  while (folded < order.updates) CAIRN_RETURN_IF_ERROR(await_fold());
  Say(TextOf(report));
  return absl::OkStatus();
}

// Sees one that has arrived.
absl::string_view Reach(absl::string_view bytes, AggregatorReport& report) {
  [[maybe_unused]] const volatile char first = *static_cast<const volatile char*>(bytes.data());
  report.there_at.push_back(Now());
  return bytes;
}

void CountFolded(std::size_t updates, AggregatorReport& report) {
  report.folded_at.insert(report.folded_at.end(), updates, Now());
}

// Whether one more belongs to those that are folded together.
bool WantsMore(const Order& order, std::size_t there, std::size_t taken, Inbox& inbox) {
  if (there >= static_cast<std::size_t>(order.updates)) return false;
  return order.batch == 0 ? inbox.Waiting() : taken < static_cast<std::size_t>(order.batch);
}

absl::Status FoldWaiting(const Order& order, Inbox& inbox, Reducer& reducer, AggregatorReport& report,
                         std::vector<Arrival>& arrivals) {
  std::vector<absl::string_view> updates;
  do {
    CAIRN_ASSIGN_OR_RETURN(Arrival arrival, inbox.Take());
    updates.push_back(Reach(arrival.bytes, report));
    arrivals.push_back(std::move(arrival));
  } while (WantsMore(order, report.there_at.size(), updates.size(), inbox));
  if (order.fold) CAIRN_RETURN_IF_ERROR(reducer.Fold(updates));
  CountFolded(updates.size(), report);
  return absl::OkStatus();
}

absl::Status Aggregate(const HierarchyEnds& ends, const Order& order, Inbox& inbox, Reducer& reducer) {
  AggregatorReport report;
  while (report.folded_at.size() < static_cast<std::size_t>(order.updates)) {
    std::vector<Arrival> arrivals;
    CAIRN_RETURN_IF_ERROR(FoldWaiting(order, inbox, reducer, report, arrivals));
    for (Arrival& arrival : arrivals) {
      if (arrival.valid && !arrival.valid()) return absl::DataLossError("an update that was not there any more");
      arrival = {};
      CAIRN_RETURN_IF_ERROR(SendValue(ends.peer, '1'));
    }
  }
  report.copied = static_cast<std::int64_t>(inbox.TakeCopied());
  Say(TextOf(report));
  return absl::OkStatus();
}

absl::Status LandAndFold(const HierarchyEnds& ends, const Order& order, Reducer& reducer,
                         const std::vector<Landing>& landings) {
  ProducerReport produced{.start = Now()};
  AggregatorReport folded;
  const auto together = static_cast<std::size_t>(order.batch == 0 ? order.in_flight : order.batch);
  for (int i = 0; i < order.updates;) {
    std::vector<absl::string_view> updates;
    for (; i < order.updates && updates.size() < together; ++i) {
      const Landing& landing = landings[updates.size()];
      CAIRN_RETURN_IF_ERROR(LandOne(ends, order.land, landing.room(), produced));
      updates.push_back(Reach(landing.bytes(), folded));
    }
    if (order.fold) CAIRN_RETURN_IF_ERROR(reducer.Fold(updates));
    CountFolded(updates.size(), folded);
  }
  Say(TextOf(produced));
  Say(TextOf(folded));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Reducer>> ReducerFor(const HierarchyEnds& ends) {
  if (ends.design == Design::kFloor) return MakeAxpy();
  CAIRN_ASSIGN_OR_RETURN(const std::string config,
                         ReadFile(ends.directory / kAdapterConfigFile, limits::kAdapterConfigBytesMax));
  return MakeReducer(config);
}

absl::Status BeAlone(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(const auto reducer, ReducerFor(ends));
  std::vector<Landing> landings;
  for (int i = 0; i < ends.in_flight; ++i) {
    CAIRN_ASSIGN_OR_RETURN(Landing landing, Landing::Make(ends.bytes));
    landings.push_back(std::move(landing));
  }
  return Obey([&](const Order& order) { return LandAndFold(ends, order, *reducer, landings); });
}

absl::Status BeAggregator(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(const auto reducer, ReducerFor(ends));
  CAIRN_ASSIGN_OR_RETURN(const auto inbox, MakeInbox(ends));
  return Obey([&](const Order& order) { return Aggregate(ends, order, *inbox, *reducer); });
}

absl::Status BeProducer(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(const auto outbox, MakeOutbox(ends));
  return Obey([&](const Order& order) { return Produce(ends, order, *outbox); });
}

absl::Status BeAgent(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(const auto agent, Agent::Start(ends));
  return Obey([](const Order&) { return absl::InvalidArgumentError("an agent takes no orders"); });
}

absl::Status Play(const std::string& role, const HierarchyEnds& ends) {
  if (role == "agent") return BeAgent(ends);
  if (role == "producer") return BeProducer(ends);
  if (role == "aggregator") return BeAggregator(ends);
  if (role == "alone") return BeAlone(ends);
  return absl::InvalidArgumentError(absl::StrCat("no role \"", role, "\""));
}

}  // namespace

absl::Status PlayRole(const std::string& role, const HierarchyEnds& ends) {
  const absl::Status status = Play(role, ends);
  if (!status.ok()) Say(absl::StrCat(role, ": ", status.ToString()));
  return status;
}

}  // namespace cairn::bench
