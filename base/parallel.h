// A loop whose iterations do not depend on each other.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace cairn {

// What a number of threads means where 0 is one a processor. 1 or more.
int ThreadsOf(int threads);

// Calls body(worker, i) for every i in [0, count), on `threads` threads at most, of which the caller is one. `worker`
// is below `threads`, and no two calls with the same worker overlap: it may index scratch memory. After an error no
// further iteration begins, and the error of the lowest i that failed is returned.
absl::Status ParallelFor(int threads, std::int64_t count,
                         absl::FunctionRef<absl::Status(int worker, std::int64_t i)> body);

}  // namespace cairn
