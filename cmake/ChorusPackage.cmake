# `cpack -G DEB` in the build folder makes two Debian packages: chorus (program, unit, configuration,
# documents) and libchorus-dev (headers, static library).

# The unit names the program where it is being installed, which is known only then.
install(CODE "
  set(CHORUS_PROGRAM_PATH \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/chorus\")
  set(CHORUS_DOC_PATH \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
  file(READ \"${chorus_SOURCE_DIR}/deploy/systemd/chorus.service\" unit)
  string(REPLACE /usr/local/bin/chorus \"\${CHORUS_PROGRAM_PATH}\" unit \"\${unit}\")
  string(REPLACE /usr/local/share/doc/chorus \"\${CHORUS_DOC_PATH}\" unit \"\${unit}\")
  file(WRITE \"${CMAKE_CURRENT_BINARY_DIR}/systemd/chorus.service\" \"\${unit}\")
  file(INSTALL \"${CMAKE_CURRENT_BINARY_DIR}/systemd/chorus.service\" \"${chorus_SOURCE_DIR}/deploy/systemd/chorus.socket\"
       DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
" COMPONENT program)

# What only the packages have: at Debian's places, which no prefix moves.
foreach(package chorus libchorus-dev)
  install(FILES deploy/debian/copyright DESTINATION /usr/share/doc/${package} COMPONENT debian_${package} EXCLUDE_FROM_ALL)
endforeach()
install(FILES deploy/systemd/chorus.toml DESTINATION /etc/chorus COMPONENT debian_chorus EXCLUDE_FROM_ALL)
install(DIRECTORY DESTINATION /etc/chorus/credentials DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
        COMPONENT debian_chorus EXCLUDE_FROM_ALL)
install(FILES "${chorus_manual_dir}/chorus.zsh" DESTINATION /usr/share/zsh/vendor-completions RENAME _chorus
        COMPONENT debian_chorus EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME chorus)
set(CPACK_PACKAGE_VENDOR Chorus)
set(CPACK_PACKAGE_CONTACT "The Chorus authors <maintainers@chorus.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${chorus_SOURCE_DIR}/LICENSE")
set(CPACK_SET_DESTDIR ON)  # some files have places that no prefix moves
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program debian_chorus development static debian_libchorus-dev)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_CHORUS_PACKAGE_NAME chorus)
set(CPACK_DEBIAN_CHORUS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_CHORUS_DESCRIPTION "The program continues texts with GPT-2-family checkpoints and gives their probabilities, on the command
line or as an HTTP server. A small model is inside.")
set(CPACK_DEBIAN_CHORUS_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_CHORUS_PACKAGE_CONTROL_EXTRA "${chorus_SOURCE_DIR}/deploy/debian/conffiles")
set(CPACK_DEBIAN_LIBCHORUS-DEV_PACKAGE_NAME libchorus-dev)
set(CPACK_DEBIAN_LIBCHORUS-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBCHORUS-DEV_DESCRIPTION "Development files: headers and the static library, for C++ programs.")
set(CPACK_DEBIAN_LIBCHORUS-DEV_PACKAGE_SHLIBDEPS OFF)
# What the static library is linked with: the very Boost that it was compiled with.
string(CONCAT CPACK_DEBIAN_LIBCHORUS-DEV_PACKAGE_DEPENDS
       "libboost-json${Boost_VERSION_MAJOR}.${Boost_VERSION_MINOR}-dev, libfmt-dev, libpcre2-dev, "
       "libcurl4-openssl-dev | libcurl4-gnutls-dev, libssl-dev, zlib1g-dev")
include(CPack)
cpack_add_component_group(chorus)
cpack_add_component_group(libchorus-dev)
cpack_add_component(program GROUP chorus)
cpack_add_component(debian_chorus GROUP chorus)
cpack_add_component(development GROUP libchorus-dev)
cpack_add_component(static GROUP libchorus-dev)
cpack_add_component(debian_libchorus-dev GROUP libchorus-dev)
