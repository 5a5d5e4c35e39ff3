// What the module libcairn_collective.so offers to server/tree/collective_loader.cc.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/tree/collective.h"

namespace cairn {

struct CollectiveFunctions {
  absl::StatusOr<std::unique_ptr<Collective>> (*join)(const CollectiveOptions& options);
  absl::StatusOr<std::unique_ptr<Rendezvous>> (*serve)(const std::string& host, int port);
};

}  // namespace cairn

// The module's one symbol.
extern "C" const cairn::CollectiveFunctions* cairn_collective_functions();
