#include "simulation/experiment.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/yaml.h"
#include "proto/cairn/v1/simulation.pb.h"
#include "simulation/attacks/attack_spec.h"
#include "simulation/data/corpus.h"
#include "simulation/grid/grid_config.h"
#include "simulation/method_check.h"

namespace cairn {
namespace {

// "fair" of "fair:lambda=0.01".
std::string NameOf(const std::string& method) { return method.substr(0, method.find(':')); }

absl::Status Wrong(absl::string_view key, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat("key \"", key, "\": expected ", expected, ", got ", got));
}

ExperimentTraining TrainingOf(const v1::SimulatedTraining& proto, const ExperimentTraining& defaults) {
  return {proto.steps() > 0 ? proto.steps() : defaults.steps, proto.batch() > 0 ? proto.batch() : defaults.batch,
          proto.learning_rate() != 0 ? proto.learning_rate() : defaults.learning_rate, proto.prune()};
}

ExperimentClient ClientOf(const v1::SimulatedClient& proto) {
  return {proto.name(),
          proto.rank(),
          proto.alpha() != 0 ? proto.alpha() : 2.0 * proto.rank(),
          {proto.documents().begin(), proto.documents().end()},
          proto.attack()};
}

absl::StatusOr<Experiment> FromProto(const v1::SimulationConfig& proto) {
  Experiment out;
  out.name = proto.name();
  out.seed = proto.seed();
  if (proto.rounds() > 0) out.rounds = proto.rounds();
  out.data = proto.data();
  if (proto.model().width() > 0) out.width = proto.model().width();
  if (proto.model().layers() > 0) out.layers = proto.model().layers();
  if (proto.model().heads() > 0) out.heads = proto.model().heads();
  if (proto.model().context() > 0) out.context = proto.model().context();
  out.pretraining = TrainingOf(proto.pretraining(), out.pretraining);
  out.training = TrainingOf(proto.training(), out.training);
  for (const v1::SimulatedClient& client : proto.clients()) out.clients.push_back(ClientOf(client));
  out.methods.assign(proto.methods().begin(), proto.methods().end());
  if (!proto.rule().empty()) out.rule = proto.rule();
  out.guards.assign(proto.guards().begin(), proto.guards().end());
  out.rule_modules.assign(proto.rule_modules().begin(), proto.rule_modules().end());
  out.relative_to_published = proto.relative_to_published();
  if (proto.has_grid()) {
    CAIRN_ASSIGN_OR_RETURN(out.grid, GridFromProto(proto.grid(), proto.seed()));
  }
  if (out.methods.empty() && !out.grid) out.methods = {kAlone, "zero_pad", "svd", "stack"};
  return out;
}

absl::Status CheckPrune(const Experiment& experiment) {
  const double prune = experiment.training.prune;
  if (!(prune >= 0 && prune < 1)) {
    return Wrong("training.prune", "more than 0 and less than 1, or nothing", absl::StrCat(prune));
  }
  if (experiment.pretraining.prune == 0) return absl::OkStatus();
  return Wrong("pretraining.prune", "nothing: the base model has no rank", absl::StrCat(experiment.pretraining.prune));
}

absl::Status CheckTraining(absl::string_view key, const ExperimentTraining& training) {
  if (training.learning_rate > 0 && training.learning_rate <= 1) return absl::OkStatus();
  return Wrong(absl::StrCat(key, ".learning_rate"), "more than 0, at most 1", absl::StrCat(training.learning_rate));
}

absl::Status CheckAttacks(const Experiment& experiment) {
  std::size_t honest = 0;
  for (const ExperimentClient& client : experiment.clients) {
    honest += client.attack.empty();
    if (client.attack.empty()) continue;
    const absl::Status known = ParseAttack(client.attack).status();
    if (known.ok()) continue;
    return Wrong(absl::StrCat("attack of client ", client.name), "an attack", known.message());
  }
  if (honest > 0) return absl::OkStatus();
  return Wrong("clients", "at least one that does not attack", "none");
}

absl::Status CheckClients(const Experiment& experiment) {
  if (experiment.clients.size() < 2) {
    return Wrong("clients", "at least 2", absl::StrCat(experiment.clients.size()));
  }
  std::set<std::string> names;
  for (const ExperimentClient& client : experiment.clients) {
    CAIRN_RETURN_IF_ERROR(CheckId("clients.name", client.name));
    if (!names.insert(client.name).second) return Wrong("clients.name", "each name once", client.name);
    if (client.rank < 1 || client.rank > limits::kRankMax) {
      return Wrong(absl::StrCat("rank of client ", client.name), absl::StrCat("1 to ", limits::kRankMax),
                   absl::StrCat(client.rank));
    }
    if (!(client.alpha > 0)) {
      return Wrong(absl::StrCat("alpha of client ", client.name), "more than 0", absl::StrCat(client.alpha));
    }
    if (client.documents.empty()) {
      return Wrong(absl::StrCat("documents of client ", client.name), "at least one file name", "none");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMethod(const std::string& method) {
  if (method == kAlone) return absl::OkStatus();
  const absl::Status known = MakeAggregator(method).status();
  if (!known.ok()) return Wrong("methods", "alone, or a combine rule", absl::StrCat(method, ": ", known.message()));
  if (NameOf(method) != "core_mean") return CheckId("methods", FederationOf(method));
  return Wrong("methods", "a rule for adapters without a core between their factors, as the trainer has them", method);
}

absl::Status CheckMethods(const Experiment& experiment) {
  std::set<std::string> seen;
  for (const std::string& method : experiment.methods) {
    CAIRN_RETURN_IF_ERROR(CheckMethod(method));
    if (!seen.insert(FederationOf(method)).second) return Wrong("methods", "each method at most once", method);
    if (method == kAlone) continue;
    const absl::Status uploads = CheckUploads(experiment);
    if (!uploads.ok()) return Wrong("clients", "what a server takes", uploads.message());
    const absl::Status taken = CheckTakesClients(method, experiment);
    if (!taken.ok()) return Wrong("methods", "rules that take these clients' ranks", taken.message());
    const absl::Status weighed = CheckWeighing(method, experiment);
    if (!weighed.ok()) return Wrong("rule", "what these clients and methods allow", weighed.message());
  }
  return absl::OkStatus();
}

absl::Status CheckWithGrid(const Experiment& experiment) {
  if (!experiment.clients.empty() || !experiment.methods.empty()) {
    return Wrong("grid", "a grid, or clients and methods", "both");
  }
  if (experiment.rule != Experiment().rule || !experiment.guards.empty()) {
    return Wrong("grid", "rules in grid.rules", "rule or guards beside them");
  }
  if (!experiment.rule_modules.empty() || experiment.relative_to_published) {
    return Wrong("grid", "rules that look at whole updates", "rule_modules or relative_to_published");
  }
  if (experiment.training.prune != 0) {
    return Wrong("training.prune", "nothing in a grid: its rounds merge", absl::StrCat(experiment.training.prune));
  }
  return CheckGrid(*experiment.grid);
}

absl::Status Check(const Experiment& experiment) {
  if (experiment.name.empty()) return Wrong("name", "a name", "nothing");
  if (experiment.data.empty()) return Wrong("data", "a directory", "nothing");
  CAIRN_RETURN_IF_ERROR(CheckTraining("pretraining", experiment.pretraining));
  CAIRN_RETURN_IF_ERROR(CheckTraining("training", experiment.training));
  CAIRN_RETURN_IF_ERROR(CheckPrune(experiment));
  if (experiment.grid) return CheckWithGrid(experiment);
  CAIRN_RETURN_IF_ERROR(CheckClients(experiment));
  CAIRN_RETURN_IF_ERROR(CheckAttacks(experiment));
  return CheckMethods(experiment);
}

}  // namespace

absl::StatusOr<Experiment> LoadExperiment(const std::filesystem::path& file) {
  v1::SimulationConfig proto;
  CAIRN_RETURN_IF_ERROR(LoadYamlFile(file, &proto));
  const auto in_file = [&file](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(file.string(), ": ", status.message()));
  };
  absl::StatusOr<Experiment> experiment = FromProto(proto);
  if (!experiment.ok()) return in_file(experiment.status());
  const absl::Status status = Check(*experiment);
  if (!status.ok()) return in_file(status);
  return experiment;
}

absl::StatusOr<Experiment> WithData(Experiment experiment, const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ClientCorpus> corpora, ReadFolders(directory));
  experiment.data = directory;
  if (experiment.grid) {
    experiment.grid->domains.clear();
    for (const ClientCorpus& corpus : corpora) experiment.grid->domains.push_back({corpus.client, {}});
    return experiment;
  }
  const std::vector<ExperimentClient> given = std::move(experiment.clients);
  experiment.clients.clear();
  for (std::size_t i = 0; i < corpora.size(); ++i) {
    const ExperimentClient& like = given[i % given.size()];
    experiment.clients.push_back({corpora[i].client, like.rank, like.alpha, {}, like.attack});
  }
  CAIRN_RETURN_IF_ERROR(CheckAttacks(experiment));
  CAIRN_RETURN_IF_ERROR(CheckMethods(experiment));
  return experiment;
}

Experiment WithSeed(Experiment experiment, std::uint64_t seed) {
  if (experiment.grid) {
    experiment.grid->seeds = {seed};
  } else {
    experiment.seed = seed;
  }
  return experiment;
}

std::vector<TextSource> SourcesOf(const Experiment& experiment) {
  if (experiment.grid) return experiment.grid->domains;
  std::vector<TextSource> sources;
  for (const ExperimentClient& client : experiment.clients) sources.push_back({client.name, client.documents});
  return sources;
}

std::size_t ContributorsOf(const Experiment& experiment) {
  return std::count_if(experiment.clients.begin(), experiment.clients.end(), [](const ExperimentClient& client) {
    return client.attack.empty() || !IsRefused(*ParseAttack(client.attack));
  });
}

Accomplice AccompliceOf(const Experiment& experiment, const ExperimentClient& client) {
  Accomplice out;
  std::set<std::string> others;  // Attacks that come first.
  for (const ExperimentClient& other : experiment.clients) {
    if (other.attack != client.attack) {
      if (out.of == 0 && !other.attack.empty()) others.insert(other.attack);
      continue;
    }
    if (other.name == client.name) out.number = out.of;
    ++out.of;
  }
  out.attack = others.size();
  return out;
}

std::string MethodTitle(const std::string& method) {
  static const auto& titles =
      *new std::map<std::string, std::string>{{"stack", "FLoRA stacking"},      {"zero_pad", "zero-padded averaging"},
                                              {"mean", "FedIT averaging"},      {"svd", "FlexLoRA (SVD)"},
                                              {"residual", "FedEx-LoRA"},       {"fair", "LoRA-FAIR"},
                                              {"hetlora", "HetLoRA averaging"}, {"ffa", "FFA-LoRA"},
                                              {"rank_cluster", "LoRA-LEGO"}};
  const std::string name = NameOf(method);
  const auto title = titles.find(name);
  return (title == titles.end() ? name : title->second) + method.substr(name.size());
}

std::string FederationOf(const std::string& method) {
  std::string name = method;
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_') c = '-';
  }
  return name;
}

bool FreezesA(const std::string& method) { return NameOf(method) == "ffa"; }

}  // namespace cairn
