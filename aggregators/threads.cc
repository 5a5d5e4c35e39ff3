#include "aggregators/threads.h"

#include <dlfcn.h>

#include "aggregators/kernels/threads.h"

namespace cairn {

void SetMatrixThreads(int count) {
  kernels::SetThreads(count);
  // OpenBLAS may have threads of its own; other libraries have no such function.
  using SetBlasThreads = void (*)(int);
  const auto set = reinterpret_cast<SetBlasThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) set(count);
}

}  // namespace cairn
