// A client's part in a federation, round after round, until its last one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/sdk/client.h"
#include "simulation/trainer/attacker.h"
#include "simulation/trainer/events.h"
#include "simulation/trainer/local_training.h"

namespace cairn {

struct FederatedDirectories {
  std::filesystem::path work;         // For pulled adapters.
  std::filesystem::path adapter_out;  // For the last published adapter. Empty: below `work`.
};

class FederatedTrainer {
 public:
  // `attacker` may be null: an honest client.
  FederatedTrainer(FederatedDirectories directories, LocalClient local, Weights base, std::unique_ptr<Client> client,
                   std::unique_ptr<Attacker> attacker = nullptr);

  // Takes part until AwaitRound says that there are no more rounds; then pulls the last version and leaves.
  absl::Status Run();

 private:
  // What a round starts from.
  struct Start {
    const Weights* weights = nullptr;  // What the adapter is trained on.
    std::optional<Lora> adapter;       // To go on with; none: a fresh one.
    const Lora* published() const { return adapter ? &*adapter : nullptr; }
  };

  absl::StatusOr<Round> NextRound();
  absl::Status TakePart(const Round& round);
  absl::StatusOr<Start> Begin(const Round& round);
  absl::StatusOr<Start> BeginWith(const Round& round, Form form, Lora pulled);
  absl::StatusOr<Lora> Train(const Round& round, const Start& start);
  absl::StatusOr<Lora> Forge(const Round& round, const Start& start, const Lora& update);
  absl::StatusOr<bool> Upload(const Round& round, const Lora& update);
  absl::StatusOr<bool> Refused(const Round& round, const absl::Status& refusal);
  absl::Status Measure(const Start& start, std::uint64_t version, std::uint64_t round);
  absl::Status Finish(std::uint64_t round);
  void BackToBase();
  ProgressCallback TellPull();

  const FederatedDirectories directories_;
  LocalClient local_;
  const Weights base_;
  Weights master_;             // The base with every merged change, in float32.
  std::string merged_;         // Round::version_sha256 of what master_ stands for. Empty: the base.
  std::optional<Lora> begun_;  // Residual rounds: what the latest one began with.
  const std::unique_ptr<Client> client_;
  const std::unique_ptr<Attacker> attacker_;
  std::optional<Lora> pulled_;  // Attackers: what was published last, as it was pulled.
  std::uint64_t refused_ = 0;   // Attackers: the round in which the server did not take what they sent. 0: none.
  Events events_;
};

}  // namespace cairn
