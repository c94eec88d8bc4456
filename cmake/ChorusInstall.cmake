# What `cmake --install` puts where, in these components:
#   program      the program, its manual pages and completions, documents, deployment files, licences
#   development  headers, and what CMake and pkg-config need to find the library
#   static       libchorus.a
#   shared       libchorus.so (left out unless CHORUS_SHARED; `--component shared` installs it anyway)
include(CMakePackageConfigHelpers)
find_package(Boost 1.81 REQUIRED COMPONENTS json)  # for its version

set(chorus_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Chorus")
set(shared_unless_asked)
if(NOT CHORUS_SHARED)
  set(shared_unless_asked EXCLUDE_FROM_ALL)
endif()

# --- The library.
install(TARGETS chorus_static EXPORT ChorusStatic ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT static)
install(EXPORT ChorusStatic NAMESPACE Chorus:: DESTINATION ${chorus_cmake_dir} COMPONENT static)
install(TARGETS chorus_shared EXPORT ChorusShared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT shared
        NAMELINK_COMPONENT shared ${shared_unless_asked})
install(EXPORT ChorusShared NAMESPACE Chorus:: DESTINATION ${chorus_cmake_dir} COMPONENT shared ${shared_unless_asked})
install(DIRECTORY "${chorus_SOURCE_DIR}/include/chorus" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/ChorusConfig.cmake.in" ChorusConfig.cmake
                              INSTALL_DESTINATION ${chorus_cmake_dir})
# Before 1.0 another minor version is another interface.
write_basic_package_version_file(ChorusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/ChorusConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/ChorusConfigVersion.cmake"
        DESTINATION ${chorus_cmake_dir} COMPONENT development)

# The static library's users link what it uses; the shared one's need not know.
file(RELATIVE_PATH CHORUS_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
set(CHORUS_PC_HUB)
if(CHORUS_HUB)
  set(CHORUS_PC_HUB " libcurl libcrypto")
endif()
set(CHORUS_PC_LIBS "-lboost_json -lboost_container -pthread")
foreach(kind static shared)
  if(kind STREQUAL "static")
    set(CHORUS_PC_DEPENDENCIES " ${CHORUS_PC_LIBS}\nRequires: ")
  else()
    set(CHORUS_PC_DEPENDENCIES "\nLibs.private: ${CHORUS_PC_LIBS}\nRequires.private: ")
  endif()
  configure_file("${CMAKE_CURRENT_LIST_DIR}/chorus.pc.in" ${kind}/chorus.pc @ONLY)
endforeach()
if(NOT CHORUS_SHARED)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/static/chorus.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT static)
endif()
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/shared/chorus.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT shared
        ${shared_unless_asked})

# --- Documents and licences.
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT program)
install(DIRECTORY deploy examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program PATTERN CMakeLists.txt EXCLUDE)
install(FILES assets/gpt2/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program RENAME LICENSE.gpt2-vocabulary)
install(FILES assets/licenses/CLI11 DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program RENAME LICENSE.CLI11)

# --- The program.
if(NOT CHORUS_PROGRAM)
  return()
endif()
install(TARGETS chorus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
include(ChorusManual)
include(ChorusPackage)
