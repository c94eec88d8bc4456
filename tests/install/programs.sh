#!/bin/sh
# Programs of somebody else's are built against an installed Chorus, found by CMake and by pkg-config,
# with the static library and with the shared one, and run.
#   programs.sh static|shared BUILD SOURCE WORK
set -eu
kind=$1
shift
. "$(dirname "$0")/common.sh"

install_into "$work/prefix" development "$kind"
# It stands wherever it is put.
mv "$work/prefix" "$work/moved"
prefix=$work/moved
write_readme_example readme.cpp

cmake -S "$source/tests/install/find_package" -B cmake -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DSOURCE="$work/readme.cpp" >cmake.log || fail "find_package: $(cat cmake.log)"
cmake --build cmake >cmake.log || fail "$(cat cmake.log)"
expect_story cmake/program

if cmake -S "$source/tests/install/find_package" -B later -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DWANTED=0.3 -DSOURCE="$work/readme.cpp" >later.log 2>&1; then
  fail "who wants version 0.3 gets this one"
fi
grep -q 'requested version "0.3"' later.log || fail "$(cat later.log)"

# pkg-config, and the headers alone with every warning: they need nothing that was not installed.
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name chorus.pc)")
export PKG_CONFIG_PATH
pkg-config --exists 'chorus >= 0.2' 'chorus < 0.3' || fail "pkg-config's version: $(pkg-config --modversion chorus)"
# shellcheck disable=SC2046  # words
c++ -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "$source/examples/many_streams.cpp" \
  -o many_streams $(pkg-config --cflags --libs chorus) || fail "pkg-config"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir chorus)
export LD_LIBRARY_PATH
expect_story ./many_streams

if ./many_streams /no/such/model >out.txt 2>err.txt; then fail "a missing model is no error"; fi
grep -q '^/no/such/model: no such file or folder, and not a known name (gpt2' err.txt || fail "$(cat err.txt)"

if [ "$kind" = shared ]; then
  ldd cmake/program | grep -q 'libchorus.so.0.2 => ' || fail "not linked with libchorus.so.0.2"
  # It shows what the headers in include/chorus mark, and nothing of its rooms.
  nm -D --defined-only --demangle "$(find "$prefix" -name libchorus.so)" | grep ' T ' | cut -d' ' -f3- |
    sed 's/(.*//; s/\[.*//' | sort -u >shown.txt
  grep -q '^chorus::Engine::submit$' shown.txt || fail "the shared library lacks Engine::submit"
  while read -r name; do
    case $name in
      chorus::*::*::* | chorus_*) fail "the shared library shows $name" ;;
    esac
    cat "$prefix"/include/chorus/*.h | grep -qw -e "${name##*::}" || fail "the shared library shows $name"
  done <shown.txt
  # And a function that the headers declare is shown.
  hidden=$(grep -hE '^[A-Za-z].*\(' "$prefix"/include/chorus/*.h |
    grep -vE '^(CHORUS_EXPORT|class|struct|enum|inline|template|constexpr|using|namespace)\b' || true)
  [ -z "$hidden" ] || fail "declared, but not shown by the shared library: $hidden"
else
  if ldd cmake/program | grep libchorus; then fail "the static library was not used"; fi
fi
