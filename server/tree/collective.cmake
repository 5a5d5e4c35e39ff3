# Programs link the loader; the module comes along with what libtorch has and headers are there for: Gloo (Debian:
# libgloo-dev), or NCCL (a CUDA wheel of torch, which brings the wheels with its headers along).
cairn_library(cairn_collective SOURCES collective_loader.cc
  DEPS cairn_base absl::span absl::status absl::statusor absl::time)
option(CAIRN_GLOO "Sums over processes through Gloo, where its headers are there" ON)
option(CAIRN_NCCL "Sums over processes from GPU to GPU, where libtorch has CUDA and NCCL's headers are there" ON)
find_path(GLOO_INCLUDE_DIR gloo/config.h)
find_library(C10_CUDA_LIBRARY c10_cuda)
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${TORCH_INCLUDE_DIR}/../../nvidia/nccl/include)
if(TORCH_CUDA_LIBRARY)
  find_package(CUDAToolkit QUIET)  # Its headers; wheels have not all of them.
endif()

add_library(cairn_backends INTERFACE)
if(CAIRN_GLOO AND GLOO_INCLUDE_DIR)
  target_sources(cairn_backends INTERFACE collective_gloo.cc)
  target_compile_definitions(cairn_backends INTERFACE USE_C10D_GLOO)
  target_include_directories(cairn_backends SYSTEM INTERFACE ${GLOO_INCLUDE_DIR})
endif()
if(CAIRN_NCCL AND TORCH_CUDA_LIBRARY AND C10_CUDA_LIBRARY AND NCCL_INCLUDE_DIR AND CUDAToolkit_FOUND)
  target_sources(cairn_backends INTERFACE collective_nccl.cc)
  target_compile_definitions(cairn_backends INTERFACE USE_C10D_NCCL)
  target_include_directories(cairn_backends SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS}
    ${TORCH_INCLUDE_DIR}/torch/csrc/api/include)
  target_link_libraries(cairn_backends INTERFACE ${TORCH_CUDA_LIBRARY} ${C10_CUDA_LIBRARY})
endif()
get_target_property(cairn_backend_sources cairn_backends INTERFACE_SOURCES)
if(NOT cairn_backend_sources)
  message(STATUS "No headers of Gloo (libgloo-dev) or NCCL: without libcairn_collective.so, rounds are not sharded over processes")
  return()
endif()
add_library(cairn_collective_module MODULE collective.cc)
target_link_libraries(cairn_collective_module PRIVATE cairn_options cairn_backends cairn_base cairn_torch)
set_target_properties(cairn_collective_module PROPERTIES
  OUTPUT_NAME cairn_collective LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
add_dependencies(cairn_collective cairn_collective_module)
cairn_test(collective_test SOURCES collective_test.cc DEPS cairn_collective)
