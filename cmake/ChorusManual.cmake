# The manual pages and the shells' completions, which the program itself describes: its --help and
# `chorus completion` say all that is in them.
set(chorus_manual_dir "${CMAKE_CURRENT_BINARY_DIR}/manual")

find_program(CHORUS_HELP2MAN help2man)
if(NOT CHORUS_HELP2MAN)
  message(STATUS "No help2man: manual pages are left out")
endif()
add_custom_command(OUTPUT "${chorus_manual_dir}/done"
  COMMAND "${CMAKE_COMMAND}" -D PROGRAM=$<TARGET_FILE:chorus> -D VERSION=${PROJECT_VERSION} -D "HELP2MAN=${CHORUS_HELP2MAN}"
          -D "OUTPUT=${chorus_manual_dir}" -P "${CMAKE_CURRENT_LIST_DIR}/write_manual.cmake"
  DEPENDS chorus "${CMAKE_CURRENT_LIST_DIR}/write_manual.cmake" COMMENT "Writing manual pages and completions" VERBATIM)
add_custom_target(chorus_manual ALL DEPENDS "${chorus_manual_dir}/done")

if(CHORUS_HELP2MAN)
  install(DIRECTORY "${chorus_manual_dir}/man/" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()
install(FILES "${chorus_manual_dir}/chorus.bash" RENAME chorus
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES "${chorus_manual_dir}/chorus.zsh" RENAME _chorus
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
install(FILES "${chorus_manual_dir}/chorus.fish"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
