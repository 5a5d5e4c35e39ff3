// Updates for tests of attacks.
#pragma once

#include <cstdint>
#include <string>

#include "simulation/model/lora.h"

namespace cairn::attacks {

inline const ModelConfig kTiny{.width = 16, .layers = 1, .heads = 2, .context = 12};

// Of the tiny model, with scale 2 and a random B.
Lora TestUpdate(std::uint64_t seed, std::int64_t rank);

// ||x - factor * y|| / ||factor * y|| of what two updates do, over all modules.
double Difference(const Lora& x, const Lora& y, double factor = 1);

std::string Bytes(const Lora& lora);

}  // namespace cairn::attacks
