#include "simulation/trainer_event.h"

#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using nlohmann::json;
using Kind = TrainerEvent::Kind;

TrainerEvent FromJson(const json& line) {
  const std::string name = line.at("event");
  if (name == "phase") return {.kind = Kind::kPhase, .round = line.at("round"), .phase = line.at("phase")};
  if (name == "step") {
    return {.kind = Kind::kStep,
            .round = line.at("round"),
            .step = line.at("step"),
            .steps = line.at("steps"),
            .loss = line.at("loss")};
  }
  if (name == "transfer") {
    return {
        .kind = Kind::kTransfer, .phase = line.at("direction"), .bytes = line.at("bytes"), .total = line.at("total")};
  }
  if (name == "held_out") return {.kind = Kind::kHeldOut, .round = line.at("version"), .loss = line.at("loss")};
  if (name == "done") return {.kind = Kind::kDone};
  throw json::other_error::create(501, "unknown event", &line);
}

}  // namespace

std::optional<TrainerEvent> ParseTrainerEvent(absl::string_view line) {
  try {
    return FromJson(json::parse(line.begin(), line.end()));
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace cairn
