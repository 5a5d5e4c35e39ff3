// Uploads one update: resume point, stream, receipt, and again from the resume point when the stream breaks.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

struct Update {
  absl::string_view adapter_config;
  absl::string_view safetensors;
  std::uint64_t examples = 0;
  // Keeps `safetensors` alive for gRPC, which may hold slices of it for a moment after the call. None: chunks are
  // copied.
  std::shared_ptr<const void> owner;
};

absl::StatusOr<Receipt> PushUpdate(Connection& connection, const Round& round, const Update& update,
                                   const ProgressCallback& progress);

}  // namespace cairn::sdk
