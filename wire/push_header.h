// What can be said about a PushHeader without knowing any federation: the gateway's first check of an upload.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "proto/cairn/v1/federation.pb.h"

namespace cairn::wire {

// INVALID_ARGUMENT, naming the field, what was expected and what came:
//   federation, client  not ids (base/ids.h)
//   round, examples     0
//   adapter_config      empty, or beyond limits::kAdapterConfigBytesMax
//   payload_bytes       0, or above `upload_bytes_max`: final, so not RESOURCE_EXHAUSTED, which clients retry
//   sha256              neither empty nor a digest (base/digest.h)
//   offset              beyond payload_bytes, or not 0 without a sha256. payload_bytes itself is fine: only the trailer
//   is left.
absl::Status CheckPushHeader(const v1::PushHeader& header, std::uint64_t upload_bytes_max);

}  // namespace cairn::wire
