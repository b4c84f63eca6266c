# Every third-party lookup of the project, once. Names are those of Debian 12's packages.
find_program(SLIPWAY_CCACHE ccache)
if(SLIPWAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A PCH is compatible with ccache only with these sloppiness settings (STYLE H3). The base
  # directory makes hits survive a move of the checkout.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${SLIPWAY_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(zstd CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
# re2 asks its users for -pthread, which would keep the precompiled header from everything over gRPC.
set_target_properties(re2::re2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
find_package(Boost 1.81 CONFIG REQUIRED)
if(NOT SLIPWAY_FUZZ)
  find_package(GTest CONFIG REQUIRED)
  find_package(benchmark CONFIG REQUIRED)
endif()
pkg_check_modules(libxxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(libisal REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(lmdb REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)  # its CMake package asks for the static library's needs
find_package(leveldb CONFIG REQUIRED)
