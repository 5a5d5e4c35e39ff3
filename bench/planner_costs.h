// What things cost in the simulation of the planner. docs/planner.md lists them, with where they come from.
#pragma once

namespace cairn::bench {

// Measured: axpy of one leaf, in bytes/s, on one machine over time; docs/performance.md, `cairn memory`, one upload.
inline constexpr double kAxpyMin = 4.7e9, kAxpyMax = 15.5e9;
inline constexpr double kReceiveCpuPerByte = 0.54e-9;  // Seconds.
inline constexpr double kSendCpuPerByte = 0.25e-9;     // Seconds.

// Assumed.
inline constexpr double kStartSeconds = 1.0;  // Of a cold worker: process, libraries, memory map.
inline constexpr double kStartCpuSeconds = 0.6;
inline constexpr double kOtherZone = 25e6;      // Bytes/s of one client's connection to another zone, at most.
inline constexpr double kOtherZoneNodes = 0.5;  // Of a node's network, to a node of another zone: many connections.
inline constexpr double kSlowFold = 10;         // A rule that does more with every value than add it.

inline constexpr double kPartialFactor = 2;         // 64-bit sums of the largest update's 32-bit values.
inline constexpr double kBusyAtCapacity = 2.0 / 3;  // Of the narrowest resource; with M/M/1, two updates in each leaf.

}  // namespace cairn::bench
