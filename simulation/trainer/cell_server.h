// A federation's server without files or network: the pipeline that `cairn serve` runs, and what rules remember from
// round to round.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/pipeline.h"
#include "simulation/grid/grid.h"
#include "simulation/model/lora.h"

namespace cairn {

// What a participant sends.
struct Upload {
  std::string client;
  double examples = 1;
  Lora update;
};

class CellServer {
 public:
  // `base_model` is what adapters name. INVALID_ARGUMENT, NOT_FOUND: as Pipeline::Create.
  static absl::StatusOr<CellServer> Create(const GridRule& rule, std::string base_model);

  // Round `round`, from 1: what becomes of the uploads. One that is refused as it comes (UploadCheck) does not take
  // part, as with a server; INVALID_ARGUMENT when the rule cannot do without it.
  absl::StatusOr<Lora> Combine(std::uint64_t round, const std::vector<Upload>& uploads);

 private:
  // An adapter and its tensors, which the views point into.
  struct Kept {
    explicit Kept(Lora kept);
    Lora lora;
    Adapter adapter;
  };

  CellServer() = default;
  RoundMemory Memory(const Rule::Needs& needs) const;
  absl::Status Remember(const std::string& client, const Adapter& update);

  PipelineOptions options_;
  std::string base_model_;
  std::optional<Kept> last_;
  std::map<std::string, Kept> sent_;  // By client: the sum of its uploads that took part, where the rule looks at it.
};

}  // namespace cairn
