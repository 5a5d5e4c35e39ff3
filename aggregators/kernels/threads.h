// How many threads libtorch's own loops use.
#pragma once

namespace cairn::kernels {

// From now on, for the whole process. `count` >= 1. For the BLAS library under it see aggregators/threads.h.
void SetThreads(int count);

}  // namespace cairn::kernels
