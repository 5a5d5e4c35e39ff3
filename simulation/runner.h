// Runs an experiment: real trainer processes, a real server, real gRPC on loopback.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "simulation/experiment.h"
#include "simulation/results.h"

namespace cairn {

// Writes into `out`: adapter/ (the last version of the last federated method, stacking if it is among them),
// report.html, results.json, data/ (the parts of the text), base.safetensors, logs/ and server/. Shows its progress on
// standard output. CANCELLED on Ctrl-C; every process it started has then ended.
absl::StatusOr<Results> RunExperiment(const Experiment& experiment, const std::filesystem::path& out);

}  // namespace cairn
