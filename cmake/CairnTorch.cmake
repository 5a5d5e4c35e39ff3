# cairn_torch: libtorch, Debian's or that of a Python wheel (-DCMAKE_PREFIX_PATH=.../site-packages/torch).
# Debian's TorchConfig.cmake asks for dependencies that only a static libtorch needs, a wheel's for the CUDA toolkit; a few
# shared libraries are all it takes.
find_library(TORCH_CPU_LIBRARY torch_cpu REQUIRED)
find_library(TORCH_LIBRARY torch REQUIRED)
find_library(C10_LIBRARY c10 REQUIRED)
find_library(TORCH_CUDA_LIBRARY torch_cuda)
find_path(TORCH_INCLUDE_DIR ATen/ATen.h REQUIRED)
add_library(cairn_torch INTERFACE)
target_link_libraries(cairn_torch INTERFACE ${TORCH_LIBRARY} ${TORCH_CPU_LIBRARY} ${C10_LIBRARY})
if(TORCH_CUDA_LIBRARY)
  # Nobody calls into it: it registers its kernels when it is loaded.
  target_link_options(cairn_torch INTERFACE "LINKER:--push-state,--no-as-needed,${TORCH_CUDA_LIBRARY},--pop-state")
endif()
target_include_directories(cairn_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIR})
