// What an experiment found, as a table and as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simulation/experiment.h"
#include "simulation/trainer_group.h"

namespace cairn {

struct ClientData {
  std::size_t pretrain_bytes = 0, train_bytes = 0, held_out_bytes = 0, dropped_bytes = 0;
};

struct MethodResult {
  std::string method;
  double seconds = 0;
  std::vector<TrainerState> clients;  // In the order of the experiment's clients.
};

struct Results {
  Experiment experiment;
  std::vector<ClientData> data;  // By client.
  std::vector<MethodResult> methods;
  bool base_from_cache = false;
  double seconds = 0;

  // Held-out loss of the base, and of a method's last version. NaN when it is not there.
  double Base(std::size_t client) const;
  double Final(const MethodResult& method, std::size_t client) const;
  bool Honest(std::size_t client) const { return experiment.clients[client].attack.empty(); }
  std::size_t HonestClients() const;
  // Of a value of every client, what honest clients have on average.
  double MeanOfHonest(const std::vector<double>& values) const;
  // "mean", or "honest mean" where some attack.
  std::string MeanTitle() const;
};

// An aligned table, one line per client and the mean of the honest ones; '*' marks what is below the base, '!' those
// who attack.
std::string ResultsTable(const Results& results);

// "FLoRA stacking: below the base for 6 of 6 clients, below zero-padded averaging for 5, below alone for 3." Of honest
// clients.
std::string Verdict(const Results& results);

std::string ResultsJson(const Results& results);

}  // namespace cairn
