# Faster builds where the machine has the tools; nothing changes in what is built.
find_program(CAIRN_CCACHE ccache)
if(CAIRN_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CAIRN_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CAIRN_CCACHE})
endif()

# lld before GNU ld: linking against libtorch and gRPC is most of an incremental build.
find_program(CAIRN_MOLD mold)
find_program(CAIRN_LLD ld.lld)
if(CAIRN_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(CAIRN_LLD)
  add_link_options(-fuse-ld=lld)
endif()
