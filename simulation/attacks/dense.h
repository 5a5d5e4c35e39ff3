// Updates as plain vectors, and back to factors.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "simulation/attacks/statistics.h"
#include "simulation/model/lora.h"

namespace cairn::attacks {

// scale * B * A of every module of `like`, ascending by name, row by row. Modules that `lora` lacks are zero.
// INVALID_ARGUMENT: it has one that `like` lacks, or of other dimensions. Throws c10::Error, as FromValues does.
absl::StatusOr<Vector> ValuesOf(const Lora& lora, const Lora& like);

// Factors of such a vector, with the scale that `like` has. By the singular value decomposition of every module: the
// best of rank `rank`, with zeros where a module needs less. rank 0: as many units as the values need, so that only
// rounding to float32 is lost, at most limits::kUsualRankMax; one rank for all modules.
Lora FromValues(const Vector& values, const Lora& like, std::int64_t rank);

}  // namespace cairn::attacks
