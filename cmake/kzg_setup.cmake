# The Ethereum setup in its binary form, installed beside the program `kzg` so that nobody has to look
# for it. Its text is no part of the project: tools/kzg_setup_text finds it, in the test data or in the
# npm package c-kzg, which `make deps` fetches. A build without it works and says so.
set(SLIPWAY_KZG_SETUP_TEXT "" CACHE FILEPATH "trusted_setup.txt of the Ethereum ceremony; empty: where it is found")
# SHA-256 of the text that the ceremony published.
set(SLIPWAY_KZG_SETUP_SHA256 d39b9f2d047cc9dca2de58f264b6a09448ccd34db967881a6713eacacf0f26b7)

set(kzg_setup_text "${SLIPWAY_KZG_SETUP_TEXT}")
if(NOT kzg_setup_text)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/kzg_setup_text
    OUTPUT_VARIABLE kzg_setup_text OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
set(kzg_setup_sha256 "")
if(kzg_setup_text AND EXISTS "${kzg_setup_text}")
  file(SHA256 "${kzg_setup_text}" kzg_setup_sha256)
endif()
if(kzg_setup_sha256 STREQUAL SLIPWAY_KZG_SETUP_SHA256)
  set(kzg_setup_file ${CMAKE_BINARY_DIR}/share/slipway/kzg/ethereum.tbl)
  add_custom_command(OUTPUT ${kzg_setup_file}
    COMMAND kzg --quiet --setup ${kzg_setup_text} --precompute none setup precompute -o ${kzg_setup_file}
    DEPENDS ${kzg_setup_text} kzg
    COMMENT "Generating ethereum.tbl" VERBATIM)
  add_custom_target(kzg_setup_file ALL DEPENDS ${kzg_setup_file})
  install(FILES ${kzg_setup_file} DESTINATION share/slipway/kzg)
elseif(kzg_setup_sha256)
  message(WARNING "kzg: ${kzg_setup_text} is not the setup of the Ethereum ceremony (SHA-256 ${kzg_setup_sha256}); the program is built without one")
else()
  message(STATUS "kzg: no trusted setup was found (make deps fetches it); the program is built without one")
endif()
