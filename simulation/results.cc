#include "simulation/results.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cairn {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// The method that the verdict is about: stacking, else the last federated one; null when there is none.
const MethodResult* Judged(const Results& results) {
  const MethodResult* judged = nullptr;
  for (const MethodResult& result : results.methods) {
    if (result.method == "stack") return &result;
    if (result.method != kAlone) judged = &result;
  }
  return judged;
}

// Of a method's column: its name may be long ("fair:lambda=0.01").
int WidthOf(const MethodResult& method) { return std::max(13, static_cast<int>(method.method.size()) + 1); }

std::string Row(const Results& results, const std::string& name, const std::string& rank, double base,
                const std::vector<double>& finals) {
  std::string row = absl::StrFormat("%-14s %4s %10.4f", name, rank, base);
  for (std::size_t m = 0; m < finals.size(); ++m) {
    absl::StrAppend(&row,
                    absl::StrFormat("%*.4f%c", WidthOf(results.methods[m]), finals[m], finals[m] < base ? '*' : ' '));
  }
  return row + "\n";
}

nlohmann::ordered_json ClientJson(const TrainerState& state) {
  nlohmann::ordered_json held_out = nlohmann::ordered_json::array(), losses = nlohmann::ordered_json::array();
  for (const auto& [version, loss] : state.held_out) held_out.push_back({{"version", version}, {"loss", loss}});
  for (const LossPoint& p : state.losses) losses.push_back({{"round", p.round}, {"step", p.step}, {"loss", p.loss}});
  return {{"client", state.name},
          {"held_out", held_out},
          {"bytes_sent", state.bytes_sent},
          {"bytes_received", state.bytes_received},
          {"train", losses}};
}

}  // namespace

double Results::Base(std::size_t client) const {
  for (const MethodResult& method : methods) {
    const auto found = method.clients[client].held_out.find(0);
    if (found != method.clients[client].held_out.end()) return found->second;
  }
  return kNone;
}

double Results::Final(const MethodResult& method, std::size_t client) const {
  const std::map<std::uint64_t, double>& held_out = method.clients[client].held_out;
  return held_out.empty() ? kNone : held_out.rbegin()->second;
}

std::size_t Results::HonestClients() const {
  std::size_t count = 0;
  for (std::size_t c = 0; c < experiment.clients.size(); ++c) count += Honest(c);
  return count;
}

double Results::MeanOfHonest(const std::vector<double>& values) const {
  double sum = 0;
  for (std::size_t c = 0; c < values.size(); ++c) sum += Honest(c) ? values[c] : 0;
  return HonestClients() == 0 ? kNone : sum / static_cast<double>(HonestClients());
}

std::string Results::MeanTitle() const { return HonestClients() == experiment.clients.size() ? "mean" : "honest mean"; }

std::string ResultsTable(const Results& results) {
  const std::vector<ExperimentClient>& clients = results.experiment.clients;
  std::string out = absl::StrFormat("%-14s %4s %10s", "client", "rank", "base");
  for (const MethodResult& method : results.methods) {
    absl::StrAppend(&out, absl::StrFormat("%*s ", WidthOf(method), method.method));
  }
  absl::StrAppend(&out, "\n");
  std::vector<double> bases;
  std::vector<std::vector<double>> columns(results.methods.size());
  for (std::size_t c = 0; c < clients.size(); ++c) {
    std::vector<double> finals;
    for (std::size_t m = 0; m < columns.size(); ++m) {
      finals.push_back(results.Final(results.methods[m], c));
      columns[m].push_back(finals.back());
    }
    bases.push_back(results.Base(c));
    const std::string name = absl::StrCat(clients[c].name, results.Honest(c) ? "" : "!");
    absl::StrAppend(&out, Row(results, name, absl::StrCat(clients[c].rank), bases.back(), finals));
  }
  std::vector<double> means;
  for (const std::vector<double>& column : columns) means.push_back(results.MeanOfHonest(column));
  return out + Row(results, results.MeanTitle(), "", results.MeanOfHonest(bases), means);
}

std::string Verdict(const Results& results) {
  const MethodResult* own = Judged(results);
  if (own == nullptr) return "";
  const std::size_t clients = results.experiment.clients.size(), honest = results.HonestClients();
  const auto count_below = [&](const auto& other) {
    std::size_t count = 0;
    for (std::size_t c = 0; c < clients; ++c) count += results.Honest(c) && results.Final(*own, c) < other(c);
    return count;
  };
  std::vector<std::string> parts = {absl::StrFormat("below the base for %d of %d %sclients",
                                                    count_below([&](std::size_t c) { return results.Base(c); }), honest,
                                                    honest < clients ? "honest " : "")};
  for (const MethodResult& method : results.methods) {
    if (&method == own) continue;
    parts.push_back(absl::StrFormat("below %s for %d", MethodTitle(method.method),
                                    count_below([&](std::size_t c) { return results.Final(method, c); })));
  }
  return absl::StrCat(MethodTitle(own->method), ": ", absl::StrJoin(parts, ", "), ".");
}

std::string ResultsJson(const Results& results) {
  nlohmann::ordered_json methods = nlohmann::ordered_json::array(), clients = nlohmann::ordered_json::array();
  for (const MethodResult& method : results.methods) {
    nlohmann::ordered_json states = nlohmann::ordered_json::array();
    for (const TrainerState& state : method.clients) states.push_back(ClientJson(state));
    methods.push_back({{"method", method.method}, {"seconds", method.seconds}, {"clients", states}});
  }
  for (std::size_t c = 0; c < results.experiment.clients.size(); ++c) {
    const ExperimentClient& client = results.experiment.clients[c];
    const ClientData& data = results.data[c];
    clients.push_back({{"name", client.name},
                       {"rank", client.rank},
                       {"alpha", client.alpha},
                       {"attack", client.attack},
                       {"pretrain_bytes", data.pretrain_bytes},
                       {"train_bytes", data.train_bytes},
                       {"held_out_bytes", data.held_out_bytes},
                       {"dropped_bytes", data.dropped_bytes}});
  }
  const nlohmann::ordered_json all = {{"name", results.experiment.name},
                                      {"seed", results.experiment.seed},
                                      {"rounds", results.experiment.rounds},
                                      {"seconds", results.seconds},
                                      {"unit", "nats per byte"},
                                      {"rule", results.experiment.rule},
                                      {"guards", results.experiment.guards},
                                      {"rule_modules", results.experiment.rule_modules},
                                      {"relative_to_published", results.experiment.relative_to_published},
                                      {"clients", clients},
                                      {"methods", methods}};
  return all.dump(2) + "\n";
}

}  // namespace cairn
