#include "client/sdk/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cairn::sdk {
namespace {

bool MeansTheServerIsGone(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return true;
    case grpc::StatusCode::UNKNOWN:  // gRPC's words for a connection that closed before the status came.
      return absl::StrContains(status.error_message(), "Stream removed");
    default:
      return false;
  }
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status, const Cancellation& cancellation) {
  if (status.ok()) return absl::OkStatus();
  if (absl::Status cancelled = cancellation.Check(); !cancelled.ok()) return cancelled;
  if (MeansTheServerIsGone(status)) return absl::UnavailableError(status.error_message());
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

absl::Status Annotate(const absl::Status& status, absl::string_view doing) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(doing, ": ", status.message()));
  status.ForEachPayload(
      [&annotated](absl::string_view url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

}  // namespace cairn::sdk
