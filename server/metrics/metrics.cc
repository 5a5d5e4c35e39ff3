// The only file that sees prometheus-cpp.
#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/limits.h"

namespace cairn {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Seconds. A round waits for people and machines: from a second to a day.
const Buckets kPhaseBuckets = {1, 3, 10, 30, 60, 180, 600, 1'800, 3'600, 10'800, 43'200, 86'400};
const Buckets kAggregationBuckets = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300};
// From a hand-off of microseconds to a long upload.
const Buckets kStepBuckets = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300};
// Bytes: 64 KiB to 64 GiB by factors of 8.
const Buckets kUpdateBuckets = {65'536.0,      524'288.0,       4'194'304.0,     33'554'432.0,
                                268'435'456.0, 2'147'483'648.0, 17'179'869'184.0};

const char* NameOf(Metrics::Step step) {
  switch (step) {
    case Metrics::Step::kReceive:
      return "receive";
    case Metrics::Step::kWrite:
      return "write";
    case Metrics::Step::kSeal:
      return "seal";
    case Metrics::Step::kQueue:
      return "queue";
    case Metrics::Step::kFold:
      return "fold";
    case Metrics::Step::kMerge:
      return "merge";
    case Metrics::Step::kPublish:
      return "publish";
  }
  return "";
}

std::string Text(absl::string_view view) { return std::string(view); }

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  Family<Counter>& CounterFamily(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& GaugeFamily(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& HistogramFamily(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  Family<Gauge>& build_info = GaugeFamily("cairn_build_info", "1; the version is in the label.");
  Family<Gauge>& round = GaugeFamily("cairn_round", "Number of the current round, from 1; 0 before the first.");
  Family<Gauge>& phase =
      GaugeFamily("cairn_round_phase", "1 for the phase that the current round is in, 0 for others.");
  Family<Gauge>& contributions = GaugeFamily("cairn_round_contributions", "Updates acknowledged in the current round.");
  Family<Gauge>& contributions_wanted =
      GaugeFamily("cairn_round_contributions_wanted", "Updates that close the current round at once.");
  Family<Counter>& rounds = CounterFamily("cairn_rounds_total", "Rounds that ended, by outcome.");
  Family<Histogram>& phase_seconds =
      HistogramFamily("cairn_round_phase_seconds", "Time spent in each phase of a round.");
  Family<Counter>& updates =
      CounterFamily("cairn_updates_total", "Updates by outcome; reason says why one was rejected.");
  Family<Histogram>& update_bytes = HistogramFamily("cairn_update_bytes", "Payload size of acknowledged updates.");
  Family<Gauge>& in_flight = GaugeFamily("cairn_inflight_uploads", "Uploads in progress.");
  Family<Counter>& received = CounterFamily("cairn_received_bytes_total", "Payload bytes received from clients.");
  Family<Counter>& sent = CounterFamily("cairn_sent_bytes_total", "Payload bytes sent to clients.");
  Family<Counter>& node_bytes = CounterFamily(
      "cairn_node_bytes_total",
      "Payload bytes that nodes brought to the root (updates, or sums of them), or read of each other (parts).");
  Family<Gauge>& node_clients = GaugeFamily("cairn_node_clients", "Clients whose updates are sent to the node.");
  Family<Histogram>& step_seconds =
      HistogramFamily("cairn_step_seconds", "Time of each step from an update's first byte to the published version.");
  Family<Histogram>& aggregation =
      HistogramFamily("cairn_aggregation_seconds", "Time to combine and publish one round.");
  Family<Gauge>& published_error =
      GaugeFamily("cairn_published_relative_error",
                  "Distance of the latest version from the exact weighted sum of its round's updates (Frobenius).");
  Family<Gauge>& module_error =
      GaugeFamily("cairn_published_module_relative_error", "The same for each module, by its path in the base model.");
  Family<Gauge>& client_weight =
      GaugeFamily("cairn_client_weight", "How much the client counts in the latest version.");
  Family<Gauge>& client_distance =
      GaugeFamily("cairn_client_distance", "Distance of the client's update from the latest version's (Frobenius).");
  Family<Gauge>& client_cosine =
      GaugeFamily("cairn_client_cosine", "Cosine of the angle between the client's update and the latest version's.");
  Family<Counter>& client_dropped =
      CounterFamily("cairn_client_dropped_total", "Published rounds in which the client was voted down.");
  Family<Gauge>& clients_dropped =
      GaugeFamily("cairn_clients_dropped", "Clients that were voted down in the latest version's round.");
  Gauge& memory_used = GaugeFamily("cairn_memory_used_bytes", "Bytes of the memory budget in use.").Add({});
  Gauge& memory_budget = GaugeFamily("cairn_memory_budget_bytes", "The memory budget.").Add({});

  std::mutex mutex;
  std::map<std::string, std::set<std::string>> modules;  // With an error, by federation. Guarded by `mutex`.
  std::map<std::string, Gauge*> phase_now;               // By federation. Guarded by `mutex`.
  std::map<std::string, Gauge*> nodes;                   // Of node_clients. Guarded by `mutex`.

  // The series of one client. Null: none.
  struct Client {
    Gauge *weight = nullptr, *distance = nullptr, *cosine = nullptr;
    Counter* dropped = nullptr;
  };
  std::map<std::string, std::map<std::string, Client>> clients;  // By federation and client. Guarded by `mutex`.

  void Show(const std::string& federation, const ClientFigures& figures, Client& client);
  void Remove(const Client& client);
};

void Metrics::Families::Show(const std::string& federation, const ClientFigures& figures, Client& client) {
  const prometheus::Labels labels = {{"federation", federation}, {"client", figures.client}};
  const auto set = [&labels](Family<Gauge>& family, Gauge*& gauge, const std::optional<double>& value) {
    if (value) {
      gauge = &family.Add(labels);
      gauge->Set(*value);
    } else if (gauge != nullptr) {
      family.Remove(std::exchange(gauge, nullptr));
    }
  };
  set(client_weight, client.weight, figures.weight);
  set(client_distance, client.distance, figures.distance);
  set(client_cosine, client.cosine, figures.cosine);
  client.dropped = &client_dropped.Add(labels);
}

void Metrics::Families::Remove(const Client& client) {
  client_weight.Remove(client.weight);
  if (client.distance != nullptr) client_distance.Remove(client.distance);
  if (client.cosine != nullptr) client_cosine.Remove(client.cosine);
  client_dropped.Remove(client.dropped);
}

Metrics::Metrics(absl::string_view version) : families_(std::make_unique<Families>()) {
  families_->build_info.Add({{"version", Text(version)}}).Set(1);
}

Metrics::~Metrics() = default;

void Metrics::SetRound(absl::string_view federation, std::uint64_t round, absl::string_view phase) {
  families_->round.Add({{"federation", Text(federation)}}).Set(static_cast<double>(round));
  Gauge& now = families_->phase.Add({{"federation", Text(federation)}, {"phase", Text(phase)}});
  std::lock_guard lock(families_->mutex);
  Gauge*& before = families_->phase_now[Text(federation)];
  if (before != nullptr) before->Set(0);
  now.Set(1);
  before = &now;
}

void Metrics::SetContributions(absl::string_view federation, std::uint64_t have, std::uint64_t want) {
  families_->contributions.Add({{"federation", Text(federation)}}).Set(static_cast<double>(have));
  families_->contributions_wanted.Add({{"federation", Text(federation)}}).Set(static_cast<double>(want));
}

void Metrics::RoundFinished(absl::string_view federation, absl::string_view outcome) {
  families_->rounds.Add({{"federation", Text(federation)}, {"outcome", Text(outcome)}}).Increment();
}

void Metrics::SetPublishedError(absl::string_view federation, double relative_error) {
  families_->published_error.Add({{"federation", Text(federation)}}).Set(relative_error);
}

void Metrics::SetPublishedError(absl::string_view federation, absl::string_view module, double relative_error) {
  {
    std::lock_guard lock(families_->mutex);
    std::set<std::string>& modules = families_->modules[Text(federation)];
    if (modules.count(Text(module)) == 0 && modules.size() >= limits::kMetricModulesMax) return;
    modules.insert(Text(module));
  }
  families_->module_error.Add({{"federation", Text(federation)}, {"module", Text(module)}}).Set(relative_error);
}

void Metrics::SetClients(absl::string_view federation, absl::Span<const ClientFigures> clients) {
  const std::string name = Text(federation);
  const auto dropped = std::count_if(clients.begin(), clients.end(), [](const auto& client) { return client.dropped; });
  families_->clients_dropped.Add({{"federation", name}}).Set(static_cast<double>(dropped));
  if (clients.size() > limits::kClientsShownMax) clients = {};
  std::lock_guard lock(families_->mutex);
  std::map<std::string, Families::Client> before = std::exchange(families_->clients[name], {});
  for (const ClientFigures& figures : clients) {
    Families::Client& client = families_->clients[name][figures.client];
    if (const auto known = before.find(figures.client); known != before.end()) {
      client = known->second;
      before.erase(known);
    }
    families_->Show(name, figures, client);
  }
  for (const auto& [id, client] : before) families_->Remove(client);
}

void Metrics::ClientDropped(absl::string_view federation, absl::string_view client) {
  std::lock_guard lock(families_->mutex);
  const std::map<std::string, Families::Client>& clients = families_->clients[Text(federation)];
  const auto found = clients.find(Text(client));
  if (found != clients.end()) found->second.dropped->Increment();
}

void Metrics::ObservePhase(absl::string_view federation, absl::string_view phase, double seconds) {
  families_->phase_seconds.Add({{"federation", Text(federation)}, {"phase", Text(phase)}}, kPhaseBuckets)
      .Observe(seconds);
}

void Metrics::UpdateAccepted(absl::string_view federation, std::uint64_t bytes) {
  families_->updates.Add({{"federation", Text(federation)}, {"outcome", "accepted"}, {"reason", ""}}).Increment();
  families_->update_bytes.Add({{"federation", Text(federation)}}, kUpdateBuckets).Observe(static_cast<double>(bytes));
}

void Metrics::UpdateRejected(absl::string_view federation, absl::string_view reason) {
  families_->updates.Add({{"federation", Text(federation)}, {"outcome", "rejected"}, {"reason", Text(reason)}})
      .Increment();
}

void Metrics::InFlight(absl::string_view federation, int delta) {
  families_->in_flight.Add({{"federation", Text(federation)}}).Increment(delta);
}

void Metrics::BytesReceived(absl::string_view federation, std::uint64_t bytes) {
  families_->received.Add({{"federation", Text(federation)}}).Increment(static_cast<double>(bytes));
}

void Metrics::NodeBytes(absl::string_view federation, absl::string_view kind, std::uint64_t bytes) {
  families_->node_bytes.Add({{"federation", Text(federation)}, {"kind", Text(kind)}})
      .Increment(static_cast<double>(bytes));
}

void Metrics::SetNodeClients(absl::Span<const NodeClients> nodes) {
  std::lock_guard lock(families_->mutex);
  std::map<std::string, Gauge*> before = std::exchange(families_->nodes, {});
  for (const NodeClients& each : nodes) {
    Gauge*& gauge = families_->nodes[each.node];
    gauge = &families_->node_clients.Add({{"node", each.node}});
    gauge->Set(static_cast<double>(each.clients));
    before.erase(each.node);
  }
  for (const auto& [node, gauge] : before) families_->node_clients.Remove(gauge);
}

void Metrics::BytesSent(absl::string_view federation, std::uint64_t bytes) {
  families_->sent.Add({{"federation", Text(federation)}}).Increment(static_cast<double>(bytes));
}

void Metrics::ObserveStep(absl::string_view federation, Step step, double seconds) {
  families_->step_seconds.Add({{"federation", Text(federation)}, {"step", NameOf(step)}}, kStepBuckets)
      .Observe(seconds);
}

void Metrics::ObserveAggregation(absl::string_view federation, absl::string_view combine, double seconds) {
  families_->aggregation.Add({{"federation", Text(federation)}, {"combine", Text(combine)}}, kAggregationBuckets)
      .Observe(seconds);
}

void Metrics::SetMemory(std::uint64_t used_bytes, std::uint64_t budget_bytes) {
  families_->memory_used.Set(static_cast<double>(used_bytes));
  families_->memory_budget.Set(static_cast<double>(budget_bytes));
}

std::string Metrics::Render() const { return prometheus::TextSerializer().Serialize(families_->registry.Collect()); }

}  // namespace cairn
