// What a client does wrong in one round, or meets on the way, around its real update.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "client/sdk/client.h"
#include "tests/faults/plan.h"

namespace cairn::faults {

struct Sender {
  ClientOptions options;
  std::size_t federation = 0, client = 0;
  std::uint64_t round = 0;
  std::filesystem::path data_dir;  // Of the server at options.server.
  // The round's plan has somebody send the real update before: then its name alone, in a header, gets its receipt.
  bool sent_whole = false;
};

// Of Moment::kClientBefore. INTERNAL: something that is no update was taken for one.
absl::Status DoBefore(const Sender& sender, const Fault& fault);
// A header and a part of an upload, and then nothing until `over` says so.
void BeSlow(const Sender& sender, const std::function<bool()>& over);

}  // namespace cairn::faults
