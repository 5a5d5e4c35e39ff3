# `cmake --install BUILD --component sdk --prefix PREFIX`: the client SDK for find_package(Cairn). Only the public header is
# installed; the archives behind it are an implementation detail, which CairnConfig.cmake links in order.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cairn_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Cairn)
install(TARGETS cairn_sdk cairn_wire cairn_base cairn_proto
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(FILES ${CMAKE_SOURCE_DIR}/client/sdk/client.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cairn COMPONENT sdk)

configure_package_config_file(
  ${CMAKE_SOURCE_DIR}/cmake/CairnConfig.cmake.in ${CMAKE_BINARY_DIR}/CairnConfig.cmake
  INSTALL_DESTINATION ${cairn_config_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/CairnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/CairnConfig.cmake ${CMAKE_BINARY_DIR}/CairnConfigVersion.cmake
  DESTINATION ${cairn_config_dir} COMPONENT sdk)
