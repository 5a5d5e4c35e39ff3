// Whether a worker may hand over what it names: keys are readable by all workers, and what the dispatcher is given it
// reads, and removes when it is done.
#pragma once

#include <set>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/store/shared/object_table.h"

namespace cairn::tree {

// PERMISSION_DENIED: a plane that no worker made (an update), or another one did, or that was handed over before (it is
// among `known`, or here twice). INVALID_ARGUMENT: no key. FAILED_PRECONDITION: it is not sealed. `find`'s errors: no
// such object.
absl::Status CheckPlanes(const v1::SealedPartial& partial, const ProcessId& worker, const std::set<ObjectKey>& known,
                         absl::FunctionRef<absl::StatusOr<ObjectEntry>(const ObjectKey&)> find);

}  // namespace cairn::tree
