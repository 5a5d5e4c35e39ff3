# One way to declare each kind of target, so that every folder's file only lists names.
add_library(cairn_options INTERFACE)
target_compile_options(cairn_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
target_include_directories(cairn_options INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)

# cairn_library(NAME SOURCES … DEPS …): the static library of one folder.
function(cairn_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC cairn_options ${ARG_DEPS})
endfunction()

# cairn_test(NAME SOURCES … DEPS …): one GoogleTest program; every test case is a ctest of its own.
function(cairn_test name)
  if(NOT CAIRN_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_options ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

# cairn_fuzzer(NAME SOURCES … DEPS …): a libFuzzer program, built only with -DCAIRN_FUZZ=ON.
function(cairn_fuzzer name)
  if(NOT CAIRN_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cairn_options ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
