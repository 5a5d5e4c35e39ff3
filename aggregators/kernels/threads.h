// How many threads matrix products and decompositions use.
#pragma once

namespace cairn::kernels {

// From now on, for the whole process: libtorch's own loops and those of the BLAS library under it. `count` >= 1.
void SetThreads(int count);

}  // namespace cairn::kernels
