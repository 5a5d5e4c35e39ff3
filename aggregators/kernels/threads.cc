#include "aggregators/kernels/threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace cairn::kernels {

void SetThreads(int count) {
  at::set_num_threads(count);
  // OpenBLAS may have threads of its own; other libraries have no such function.
  using SetThreadsOfBlas = void (*)(int);
  const auto set = reinterpret_cast<SetThreadsOfBlas>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) set(count);
}

}  // namespace cairn::kernels
