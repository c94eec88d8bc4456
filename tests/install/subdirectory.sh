#!/bin/sh
# A project that has Chorus's source in its own builds the library alone, without flags of ours.
#   subdirectory.sh BUILD SOURCE WORK
set -eu
. "$(dirname "$0")/common.sh"

write_readme_example readme.cpp
# Not optimised: it is the building that is tested.
cmake -S "$source/tests/install/subdirectory" -B . -G Ninja -DCHORUS="$source" -DSOURCE="$work/readme.cpp" \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_UNITY_BUILD=ON >cmake.log || fail "$(cat cmake.log)"
cmake --build . --target program >build.log || fail "$(tail -n 40 build.log)"
expect_story ./program
