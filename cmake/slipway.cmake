# Targets of the project. Each library says which LAYER it stands in and what it rests on (DEPS); a
# dependency that goes up, sideways between cores or systems, or from PURE to impure stops the
# configuration.
# What was said is written to layers.tsv, which tools/check_layers holds against every #include.
#
#   slipway_library(name LAYER proto|base|core|system|platform [SYSTEM s] [PURE] [WORLD] [TEST_ONLY]
#                   [NO_PCH] SRCS … DEPS … LIBS … [OPTIONS …])
#   slipway_test(library SRCS … DEPS … LIBS … [LABELS …] [NAME n] [ARGS …] [TIMEOUT s] [SERIAL]
#                [PROGRAMS …] [AS_ROOT_ONLY])   as root, every test also runs as nobody
#   slipway_program(name SRCS … DEPS …)
#   slipway_proto(name PROTOS … [DEPS …] [GRPC])
#   slipway_bench(name SRCS … DEPS … LIBS …)
#
# DEPS are targets of ours; LIBS are imported third-party targets and are never passed on to users
# except absl, std and threads (a public header shows no other third-party type).
include_guard(GLOBAL)

# A sanitizer makes a program several times slower: its tests get as much more time.
set(SLIPWAY_TIME_FACTOR 1)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  set(SLIPWAY_TIME_FACTOR 8)
endif()
function(slipway_timeout out seconds)
  math(EXPR product "${seconds} * ${SLIPWAY_TIME_FACTOR}")
  set(${out} ${product} PARENT_SCOPE)
endfunction()

set(SLIPWAY_LAYERS proto base core system platform app)
define_property(GLOBAL PROPERTY SLIPWAY_TARGET_LINES)
define_property(TARGET PROPERTY SLIPWAY_LAYER)
define_property(TARGET PROPERTY SLIPWAY_SYSTEM)
define_property(TARGET PROPERTY SLIPWAY_PURE)
define_property(TARGET PROPERTY SLIPWAY_PART)
define_property(TARGET PROPERTY SLIPWAY_WORLD)
define_property(TARGET PROPERTY SLIPWAY_TEST_ONLY)
define_property(TARGET PROPERTY SLIPWAY_GRPC)
define_property(GLOBAL PROPERTY SLIPWAY_TESTS_LEFT_OUT)

set(SLIPWAY_ABSL absl::status absl::statusor absl::strings absl::str_format absl::time absl::span
    absl::any_invocable absl::function_ref absl::flat_hash_map absl::flat_hash_set absl::cleanup
    absl::optional)

# One flags target: a precompiled header may be reused only by targets with identical flags.
add_library(slipway_flags INTERFACE)
target_include_directories(slipway_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(slipway_flags INTERFACE ${SLIPWAY_ABSL} Threads::Threads)
target_compile_definitions(slipway_flags INTERFACE
  $<$<BOOL:${SLIPWAY_FAULTS}>:SLIPWAY_FAULTS=1> $<$<BOOL:${SLIPWAY_MUTANTS}>:SLIPWAY_MUTANTS=1>)
target_compile_options(slipway_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-sign-conversion -Wno-unknown-warning-option>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
  -Wno-missing-field-initializers)  # in designated initializers the default is meant
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT SLIPWAY_FAULTS)
  # At -O2 GCC 12 sees uninitialized variants and endless strings in code of the standard library that
  # it inlined (GCC bugs 105562, 105651, 105329). The dev and lint builds keep these warnings.
  target_compile_options(slipway_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-restrict -Wno-array-bounds)
endif()
find_program(SLIPWAY_MOLD mold)
if(SLIPWAY_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Precompiled: the standard library and Abseil, never headers of ours (STYLE H3, TOOLCHAIN T9).
set(SLIPWAY_PCH_HEADERS <algorithm> <array> <atomic> <cstdint> <cstring> <functional> <map> <memory>
    <optional> <set> <string> <unordered_map> <utility> <variant> <vector> <absl/status/status.h>
    <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/strings/string_view.h>
    <absl/strings/str_split.h> <absl/strings/str_join.h> <absl/time/time.h> <absl/types/span.h>
    <absl/functional/any_invocable.h>)
file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cc "")
add_library(slipway_pch OBJECT ${CMAKE_BINARY_DIR}/pch/empty.cc)
target_link_libraries(slipway_pch PRIVATE slipway_flags)
target_precompile_headers(slipway_pch PRIVATE ${SLIPWAY_PCH_HEADERS})
if(NOT SLIPWAY_FUZZ)
  add_library(slipway_test_pch OBJECT ${CMAKE_BINARY_DIR}/pch/empty.cc)
  target_link_libraries(slipway_test_pch PRIVATE slipway_flags GTest::gtest GTest::gmock)
  target_precompile_headers(slipway_test_pch PRIVATE ${SLIPWAY_PCH_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)
endif()

function(_slipway_rank layer out)
  list(FIND SLIPWAY_LAYERS "${layer}" rank)
  if(rank EQUAL -1)
    message(FATAL_ERROR "unknown LAYER '${layer}'; layers are ${SLIPWAY_LAYERS}")
  endif()
  set(${out} ${rank} PARENT_SCOPE)
endfunction()

# The part of the house that a target of this folder belongs to: src/cas/store is of `cas`. Outside src
# each target stands for itself.
function(_slipway_part name out)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  if(folder MATCHES "^src/([^/]+)")
    set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
  else()
    set(${out} ${name} PARENT_SCOPE)
  endif()
endfunction()

# Refuses what STYLE S1, S3 and S5 forbid. `kind` is library, test or program.
function(_slipway_check_deps name kind layer system pure)
  _slipway_rank(${layer} own_rank)
  _slipway_part(${name} part)
  if(kind STREQUAL "library" AND layer STREQUAL "system" AND NOT system)
    message(FATAL_ERROR "${name}: a library of LAYER system says of which SYSTEM it is")
  endif()
  foreach(dep IN LISTS ARGN)
    if(NOT TARGET ${dep})
      message(FATAL_ERROR "${name}: DEPS names '${dep}', which is not a target (yet); a dependency is declared before its user")
    endif()
    get_target_property(dep_layer ${dep} SLIPWAY_LAYER)
    if(NOT dep_layer)
      message(FATAL_ERROR "${name}: '${dep}' is not a library of ours; third-party targets go under LIBS")
    endif()
    get_target_property(dep_system ${dep} SLIPWAY_SYSTEM)
    get_target_property(dep_pure ${dep} SLIPWAY_PURE)
    get_target_property(dep_world ${dep} SLIPWAY_WORLD)
    get_target_property(dep_test_only ${dep} SLIPWAY_TEST_ONLY)
    _slipway_rank(${dep_layer} dep_rank)
    if(dep_rank GREATER own_rank)
      message(FATAL_ERROR "${name} (layer ${layer}) must not depend on ${dep} (layer ${dep_layer}): a dependency goes down, never up")
    endif()
    get_target_property(dep_part ${dep} SLIPWAY_PART)
    if(pure AND NOT dep_pure)
      message(FATAL_ERROR "${name} is PURE and must not depend on ${dep}, which is not")
    endif()
    if(layer STREQUAL "core" AND dep_layer STREQUAL "core" AND NOT dep_part STREQUAL part)
      message(FATAL_ERROR "${name} (core ${part}) must not depend on ${dep} (core ${dep_part}): cores rest on base alone")
    endif()
    if(layer STREQUAL "system" AND dep_layer STREQUAL "system" AND NOT dep_system STREQUAL system)
      message(FATAL_ERROR "${name} (system ${system}) must not depend on ${dep} (system ${dep_system}): systems meet in src/platform only")
    endif()
    if(dep_test_only AND NOT kind STREQUAL "test" AND NOT _slipway_test_only)
      message(FATAL_ERROR "${name} must not depend on ${dep}, which is for tests only")
    endif()
    if(dep_world AND kind STREQUAL "library" AND NOT layer STREQUAL "platform" AND NOT _slipway_test_only)
      message(FATAL_ERROR "${name} must not depend on ${dep}: only apps, platform and tests reach the real world")
    endif()
  endforeach()
endfunction()

# Whether one of the libraries links gRPC, whose locks the thread sanitizer cannot see (TOOLCHAIN T2).
function(_slipway_links_grpc out)
  set(${out} FALSE PARENT_SCOPE)
  foreach(dep IN LISTS ARGN)
    if(dep MATCHES "^gRPC::")
      set(${out} TRUE PARENT_SCOPE)
    elseif(TARGET ${dep})
      get_target_property(flag ${dep} SLIPWAY_GRPC)
      if(flag)
        set(${out} TRUE PARENT_SCOPE)
      endif()
    endif()
  endforeach()
endfunction()

function(_slipway_record kind name layer pure srcs deps)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE ";" " " srcs "${srcs}")
  string(REPLACE ";" " " deps "${deps}")
  set_property(GLOBAL APPEND PROPERTY SLIPWAY_TARGET_LINES
    "${kind}\t${name}\t${folder}\t${layer}\t${pure}\t${srcs}\t${deps}")
endfunction()

function(slipway_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PURE;WORLD;TEST_ONLY;NO_PCH" "LAYER;SYSTEM" "SRCS;DEPS;LIBS;OPTIONS;LIBS_PUBLIC")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(SLIPWAY_FUZZ AND arg_TEST_ONLY)
    return()
  endif()
  set(_slipway_test_only ${arg_TEST_ONLY})
  set(pure FALSE)
  if(arg_PURE)
    set(pure TRUE)
  endif()
  _slipway_check_deps(${name} library "${arg_LAYER}" "${arg_SYSTEM}" ${pure} ${arg_DEPS})
  add_library(${name} STATIC ${arg_SRCS})
  set_target_properties(${name} PROPERTIES SLIPWAY_LAYER "${arg_LAYER}" SLIPWAY_SYSTEM "${arg_SYSTEM}"
    SLIPWAY_PURE ${pure} SLIPWAY_WORLD "${arg_WORLD}" SLIPWAY_TEST_ONLY "${arg_TEST_ONLY}")
  _slipway_part(${name} part)
  _slipway_links_grpc(grpc ${arg_DEPS} ${arg_LIBS})
  set_target_properties(${name} PROPERTIES SLIPWAY_GRPC ${grpc} SLIPWAY_PART ${part})
  target_link_libraries(${name} PUBLIC slipway_flags ${arg_DEPS} ${arg_LIBS_PUBLIC} PRIVATE ${arg_LIBS})
  if(arg_OPTIONS)
    target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  endif()
  if(NOT arg_NO_PCH AND NOT arg_OPTIONS AND NOT arg_LIBS_PUBLIC)
    target_precompile_headers(${name} REUSE_FROM slipway_pch)
  endif()
  _slipway_record(library ${name} "${arg_LAYER}" ${pure} "${arg_SRCS}" "${arg_DEPS}")
endfunction()

# A test binary beside its library. Runs under tools/run_test, which counts tests and refuses a skip
# that tests/expected_skips.txt does not name.
function(slipway_test library)
  if(SLIPWAY_FUZZ)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "AS_ROOT_ONLY;SERIAL" "NAME;TIMEOUT" "SRCS;DEPS;LIBS;LABELS;ARGS;PROGRAMS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${library}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(name ${library}_test)
  if(arg_NAME)
    set(name ${arg_NAME})
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  slipway_timeout(arg_TIMEOUT ${arg_TIMEOUT})
  set(deps ${arg_DEPS})
  if(TARGET ${library})
    list(PREPEND deps ${library})
  endif()
  _slipway_check_deps(${name} test app "" FALSE ${deps})
  _slipway_links_grpc(grpc ${deps} ${arg_LIBS})
  if(grpc AND SLIPWAY_THREAD_SANITIZER)
    set_property(GLOBAL APPEND PROPERTY SLIPWAY_TESTS_LEFT_OUT ${name})
    return()
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE slipway_flags ${deps} ${arg_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SLIPWAY_TEST_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}"
    SLIPWAY_TEST_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_precompile_headers(${name} REUSE_FROM slipway_test_pch)
  if(arg_PROGRAMS)
    add_dependencies(${name} ${arg_PROGRAMS})
  endif()
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tools/run_test $<TARGET_FILE:${name}> ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "SLIPWAY_BUILD_DIR=${CMAKE_BINARY_DIR}" RUN_SERIAL "${arg_SERIAL}")
  # Root ignores permissions: run by root, the suite runs once more as nobody. Whether it is root that
  # runs it shows when it runs (run_test, tools/test).
  if(NOT arg_AS_ROOT_ONLY)
    add_test(NAME ${name}@plain
      COMMAND ${CMAKE_SOURCE_DIR}/tools/run_test --unprivileged $<TARGET_FILE:${name}> ${arg_ARGS})
    set_tests_properties(${name}@plain PROPERTIES LABELS "${arg_LABELS};plain" TIMEOUT ${arg_TIMEOUT}
      SKIP_RETURN_CODE 77
      ENVIRONMENT "SLIPWAY_BUILD_DIR=${CMAKE_BINARY_DIR}" RUN_SERIAL "${arg_SERIAL}")
  endif()
  _slipway_record(test ${name} app FALSE "${arg_SRCS}" "${deps}")
endfunction()

function(slipway_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;LIBS")
  _slipway_check_deps(${name} program app "" FALSE ${arg_DEPS})
  add_executable(${name} ${arg_SRCS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE slipway_flags ${arg_DEPS} ${arg_LIBS})
  target_precompile_headers(${name} REUSE_FROM slipway_pch)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
  _slipway_record(program ${name} app FALSE "${arg_SRCS}" "${arg_DEPS}")
endfunction()

# Generated code: one library a package, optimised a little and without debug information.
function(slipway_proto name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GRPC" "" "PROTOS;DEPS")
  add_library(${name} STATIC ${arg_PROTOS})
  set_target_properties(${name} PROPERTIES SLIPWAY_LAYER proto SLIPWAY_SYSTEM "" SLIPWAY_PURE FALSE)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${arg_DEPS})
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto)
  target_compile_options(${name} PRIVATE -O1 -g0 -w)
  protobuf_generate(TARGET ${name} LANGUAGE cpp)
  if(arg_GRPC)
    target_link_libraries(${name} PUBLIC gRPC::grpc++)
    set_target_properties(${name} PROPERTIES SLIPWAY_GRPC TRUE)
    protobuf_generate(TARGET ${name} LANGUAGE grpc GENERATE_EXTENSIONS .grpc.pb.h .grpc.pb.cc
      PLUGIN "protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>")
  endif()
  _slipway_record(proto ${name} proto FALSE "${arg_PROTOS}" "${arg_DEPS}")
endfunction()

function(slipway_finish)
  get_property(lines GLOBAL PROPERTY SLIPWAY_TARGET_LINES)
  list(JOIN lines "\n" text)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/layers.tsv CONTENT "${text}\n")
  get_property(left_out GLOBAL PROPERTY SLIPWAY_TESTS_LEFT_OUT)
  list(JOIN left_out "\n" left_out)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/tests_left_out.txt CONTENT "${left_out}\n")
endfunction()

# fuzz/<name>_fuzz.cc with its corpus in fuzz/corpus/<name>. Under the fuzz preset: a libFuzzer
# binary. Otherwise: an ordinary test that replays the corpus through the same entry point.
function(slipway_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS;LIBS")
  set(target ${name}_fuzz)
  if(SLIPWAY_FUZZ)
    add_executable(${target} ${name}_fuzz.cc)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${target} ${name}_fuzz.cc ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
    add_test(NAME ${target} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(${target} PROPERTIES LABELS "fuzz" TIMEOUT 60)
  endif()
  _slipway_check_deps(${target} test app "" FALSE ${arg_DEPS})
  target_link_libraries(${target} PRIVATE slipway_flags ${arg_DEPS} ${arg_LIBS})
  _slipway_record(test ${target} app FALSE "${name}_fuzz.cc" "${arg_DEPS}")
endfunction()

# A program of bench/, in <build>/bench. Built by the target `bench` only, never by `all`.
function(slipway_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;LIBS")
  if(NOT TARGET bench)
    add_custom_target(bench)
  endif()
  _slipway_check_deps(${name} test app "" FALSE ${arg_DEPS})
  add_executable(${name} EXCLUDE_FROM_ALL ${arg_SRCS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  target_link_libraries(${name} PRIVATE slipway_flags ${arg_DEPS} ${arg_LIBS})
  add_dependencies(bench ${name})
  _slipway_record(test ${name} app FALSE "${arg_SRCS}" "${arg_DEPS}")
endfunction()
