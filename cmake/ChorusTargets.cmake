# What every target of the project shares: warnings, floating-point rules, sanitizers; and
# chorus_library(), which makes one static library of one folder of src/.

add_library(chorus_flags INTERFACE)
target_compile_features(chorus_flags INTERFACE cxx_std_20)
target_include_directories(chorus_flags INTERFACE "${chorus_SOURCE_DIR}/src" "${chorus_SOURCE_DIR}/include")
target_compile_options(chorus_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  # A function that no header declares and no anonymous namespace holds; clang has its own word for it.
  $<IF:$<CXX_COMPILER_ID:Clang>,-Wmissing-prototypes,-Wmissing-declarations>
  # What a shared library shows is marked: chorus/export.h.
  -fvisibility=hidden -fvisibility-inlines-hidden
  # Locks: core/thread_annotations.h.
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety$<SEMICOLON>-Werror=thread-safety>
  # No contraction and no reassociation: every result is what the source says, on every processor.
  -ffp-contract=off)
if(CHORUS_WERROR)
  target_compile_options(chorus_flags INTERFACE -Werror)
endif()
if(CHORUS_SANITIZE)
  target_compile_options(chorus_flags INTERFACE -fsanitize=${CHORUS_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all
  # Sanitizers' own code makes GCC take the standard library's values for uninitialised.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(chorus_flags INTERFACE -fsanitize=${CHORUS_SANITIZE})
  if(CHORUS_SANITIZE MATCHES "address")
    # At a fixed address: otherwise a start of the program is above all relocating its descriptions.
    target_compile_options(chorus_flags INTERFACE -fno-pie)
    target_link_options(chorus_flags INTERFACE -no-pie)
  endif()
endif()
if(CHORUS_FUZZ)
  target_compile_options(chorus_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# chorus_quick_compilation(TARGET)
# For code whose own speed is no matter: with sanitizers, optimising it takes longer than running it.
function(chorus_quick_compilation target)
  if(CHORUS_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# chorus_library(NAME [EXCLUDE regular expression] [DEPENDS other libraries...])
# One static library, chorus_NAME, of all the .cpp files of src/NAME and its rooms but those whose path matches
# EXCLUDE. It may depend only on folders that stand below it in docs/architecture.md.
function(chorus_library name)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${chorus_SOURCE_DIR}/src/${name}/*.cpp")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  if(NOT sources)
    add_library(chorus_${name} INTERFACE)
    target_link_libraries(chorus_${name} INTERFACE chorus_flags ${ARG_DEPENDS})
    return()
  endif()
  add_library(chorus_${name} STATIC ${sources})
  if(NOT CHORUS_SANITIZE)  # whose programs stand at a fixed address
    set_target_properties(chorus_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  target_link_libraries(chorus_${name} PUBLIC chorus_flags ${ARG_DEPENDS})
endfunction()

# chorus_check_headers(NAME FOLDER [EXCLUDE regular expression] DEPENDS libraries...)
# Where files are compiled each for itself (the preset `debug`), the headers are, too: those that have a .cpp
# of their name stand first in it, and for each of the others there is a file that includes it alone.
function(chorus_check_headers name folder)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPENDS" ${ARGN})
  if(CMAKE_UNITY_BUILD)
    return()
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*.h")
  set(sources)
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "\\.h$" ".cpp" twin "${header}")
    if(EXISTS "${folder}/${twin}" OR (ARG_EXCLUDE AND header MATCHES "${ARG_EXCLUDE}"))
      continue()
    endif()
    set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}/${twin}")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${folder}/${header}\"\n")
    list(APPEND sources "${source}")
  endforeach()
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
endfunction()
