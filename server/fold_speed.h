// How many bytes of updates a machine can take in a second, for the planner.
#pragma once

#include <cstdint>

namespace cairn {

// Of one core, measured by adding up a few updates of 2 MiB: some 10 ms.
double MeasureFoldSecondsPerByte();

// Where nobody set another capacity: what the cores can receive, write and fold, and a network of 10 Gbit/s can bring.
double UpdateCapacity(std::uint32_t cores, double fold_seconds_per_byte);

// Seconds a byte when nothing could be measured: 2 GB/s.
inline constexpr double kFoldSecondsPerByteUsual = 5e-10;

}  // namespace cairn
