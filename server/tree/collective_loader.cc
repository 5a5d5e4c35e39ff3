#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/module.h"
#include "base/status_macros.h"
#include "server/tree/collective.h"
#include "server/tree/collective_functions.h"

namespace cairn {
namespace {

constexpr char kModule[] = "libcairn_collective.so";

absl::StatusOr<const CollectiveFunctions*> Functions() {
  CAIRN_ASSIGN_OR_RETURN(void* const handle, LoadModule(kModule));
  void* const symbol = dlsym(handle, "cairn_collective_functions");
  if (symbol == nullptr) return absl::FailedPreconditionError(absl::StrCat("cannot use ", kModule, ": ", dlerror()));
  return reinterpret_cast<decltype(&cairn_collective_functions)>(symbol)();
}

absl::Status Check(const CollectiveOptions& options) {
  CAIRN_RETURN_IF_ERROR(CheckId("attempt", options.attempt));
  if (options.size < 1 || options.rank < 0 || options.rank >= options.size) {
    return absl::InvalidArgumentError(absl::StrCat("expected a rank from 0 to below the size of the group, got ",
                                                   options.rank, " of ", options.size));
  }
  // Gloo takes 0 and less as no limit.
  if (options.timeout >= absl::Milliseconds(1) && options.timeout < absl::InfiniteDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("timeout: expected a millisecond or more, got ", absl::FormatDuration(options.timeout)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Collective>> Collective::Join(const CollectiveOptions& options) {
  CAIRN_RETURN_IF_ERROR(Check(options));
  CAIRN_ASSIGN_OR_RETURN(const CollectiveFunctions* const functions, Functions());
  return functions->join(options);
}

absl::StatusOr<std::unique_ptr<Rendezvous>> Rendezvous::Serve(const std::string& host, int port) {
  if (port < 0 || port > 65'535) {
    return absl::InvalidArgumentError(absl::StrCat("port: expected 0 to 65535, got ", port));
  }
  CAIRN_ASSIGN_OR_RETURN(const CollectiveFunctions* const functions, Functions());
  return functions->serve(host, port);
}

}  // namespace cairn
