// An experiment as plain values: what examples/licenses.yaml says, checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "simulation/grid/grid.h"

namespace cairn {

inline constexpr char kAlone[] = "alone";  // The method without a server; all others are combine rules of the server.

struct ExperimentTraining {
  std::uint32_t steps = 0, batch = 0;
  double learning_rate = 0;
  double prune = 0;  // 0: never.
};

struct ExperimentClient {
  std::string name;
  std::uint32_t rank = 0;
  double alpha = 0;
  std::vector<std::string> documents;  // File names in Experiment::data; empty: every text file of the folder `name`.
  std::string attack;                  // What it sends instead of its update; empty: it is honest.
};

struct Experiment {
  std::string name;
  std::uint64_t seed = 0;
  std::uint32_t rounds = 3;
  std::filesystem::path data;
  std::uint32_t width = 96, layers = 3, heads = 4, context = 96;
  ExperimentTraining pretraining{600, 16, 3e-3}, training{40, 8, 1e-2};
  std::vector<ExperimentClient> clients;
  std::vector<std::string> methods;
  // Of every federated method.
  std::string rule = "examples";
  std::vector<std::string> guards, rule_modules;
  bool relative_to_published = false;
  std::optional<Grid> grid;  // Instead of clients and methods.
};

// INVALID_ARGUMENT names the file, the key, what was expected and what came.
absl::StatusOr<Experiment> LoadExperiment(const std::filesystem::path& file);

// The same experiment on other text: one client per sub-folder of `directory`; ranks and alphas are taken from the
// experiment's clients in turn, and so are attacks. Of a grid: one domain per sub-folder, all of which the base model
// sees. INVALID_ARGUMENT as LoadExperiment, when methods and rules do not take so many clients.
absl::StatusOr<Experiment> WithData(Experiment experiment, const std::filesystem::path& directory);

// The same experiment with another seed. Of a grid, the cells' alone: its base model stays, and with it the directory.
Experiment WithSeed(Experiment experiment, std::uint64_t seed);

// What is read for it: each client's text, or each domain's.
std::vector<TextSource> SourcesOf(const Experiment& experiment);

// How many clients a round waits for: all whose uploads a server takes.
std::size_t ContributorsOf(const Experiment& experiment);

// Which one of those with the same attack a client is, from 0, how many they are, and which one of the experiment's
// attacks theirs is, from 0 in the order of the clients. REQUIRES that it attacks.
struct Accomplice {
  std::size_t number = 0, of = 0, attack = 0;
};
Accomplice AccompliceOf(const Experiment& experiment, const ExperimentClient& client);

// "FLoRA stacking" for "stack". A rule with options has these behind its title.
std::string MethodTitle(const std::string& method);

// The name of the federation that runs a method: its letters, digits and dots, others as '-'.
std::string FederationOf(const std::string& method);

// Whether clients of the method train B only and keep the A that all of them begin with.
bool FreezesA(const std::string& method);

}  // namespace cairn
