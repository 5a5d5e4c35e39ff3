// Everything an upload can be wrong in, as data.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "aggregators/testing.h"
#include "base/limits.h"
#include "proto/cairn/v1/federation.pb.h"
#include "tests/integration/remote.h"

namespace cairn::testing {

// What these updates adapt: 1.15 MB each, two chunks.
inline const std::vector<ModuleSpec> kCaseModules = {{"block.down", 5000, 3000}, {"block.up", 5000, 3000}};
inline constexpr std::int64_t kRank = 18;
inline constexpr std::uint64_t kUploadMax = 4 * limits::kMiB;

UpdateBytes GoodUpdate(std::uint64_t seed);
UpdateBytes WithModules(const std::vector<ModuleSpec>& modules);
// GoodUpdate(1) with a replacement in its configuration.
UpdateBytes WithConfig(const std::string& from, const std::string& to);

struct Attempt {
  UpdateBytes update = GoodUpdate(1);
  std::function<void(v1::PushHeader&)> edit_header = [](v1::PushHeader&) {};
  // What follows the header; unless set, the whole payload and the trailer that belongs to it.
  std::function<void(RawPush&, const v1::PushHeader&, const UpdateBytes&)> send;
};

struct Wrong {
  std::string name;
  std::function<Attempt()> make;
  absl::StatusCode code;
  std::string reason;             // The metric's label.
  std::vector<std::string> says;  // Besides the client's name.
  std::string counted = "f";      // Under which federation's label.
};

inline void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

// A chunk frame whose checksum is 0x3039.
std::string BrokenChunk(absl::string_view payload);

std::vector<Wrong> WrongAdapters();
std::vector<Wrong> WrongHeaders();  // For round 2 of federation "f".
std::vector<Wrong> WrongStreams();

}  // namespace cairn::testing
