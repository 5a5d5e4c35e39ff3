// How many threads matrix products and decompositions use.
#pragma once

namespace cairn {

// From now on, for the whole process: libtorch's loops and those of the BLAS library under it. `count` >= 1.
void SetMatrixThreads(int count);

}  // namespace cairn
