#include "aggregators/kernels/threads.h"

#include <ATen/Parallel.h>

namespace cairn::kernels {

void SetThreads(int count) { at::set_num_threads(count); }

}  // namespace cairn::kernels
