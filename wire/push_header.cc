#include "wire/push_header.h"

#include "absl/strings/str_format.h"
#include "base/digest.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::wire {
namespace {

absl::Status CheckIdentity(const v1::PushHeader& header) {
  CAIRN_RETURN_IF_ERROR(CheckId("federation id", header.federation()));
  CAIRN_RETURN_IF_ERROR(CheckId("client id", header.client()));
  if (header.round() == 0) return absl::InvalidArgumentError("push header: round 0; rounds count from 1");
  if (header.examples() == 0) {
    return absl::InvalidArgumentError("push header: examples 0; expected at least 1, the weight of the update");
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const v1::PushHeader& header, std::uint64_t upload_bytes_max) {
  const std::size_t config_bytes = header.adapter_config().size();
  if (config_bytes == 0 || config_bytes > limits::kAdapterConfigBytesMax) {
    return absl::InvalidArgumentError(absl::StrFormat("push header: adapter_config of %d bytes; expected 1 to %d",
                                                      config_bytes, limits::kAdapterConfigBytesMax));
  }
  if (header.payload_bytes() == 0) {
    return absl::InvalidArgumentError("push header: payload_bytes 0; expected the size of the safetensors file");
  }
  if (header.payload_bytes() > upload_bytes_max) {
    return absl::InvalidArgumentError(absl::StrFormat("push header: payload_bytes %d; this server accepts at most %d",
                                                      header.payload_bytes(), upload_bytes_max));
  }
  return absl::OkStatus();
}

absl::Status CheckResume(const v1::PushHeader& header) {
  if (!header.sha256().empty() && !IsSha256Hex(header.sha256())) {
    return absl::InvalidArgumentError("push header: sha256 is not 64 lower-case hexadecimal characters");
  }
  if (header.offset() > header.payload_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("push header: offset %d is beyond payload_bytes %d", header.offset(), header.payload_bytes()));
  }
  if (header.offset() > 0 && header.sha256().empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("push header: offset %d without sha256; only a named payload can be resumed", header.offset()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPushHeader(const v1::PushHeader& header, std::uint64_t upload_bytes_max) {
  CAIRN_RETURN_IF_ERROR(CheckIdentity(header));
  CAIRN_RETURN_IF_ERROR(CheckSizes(header, upload_bytes_max));
  return CheckResume(header);
}

}  // namespace cairn::wire
