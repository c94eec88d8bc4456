#!/bin/sh
# Installs what is missing and runs everything that must pass, the slowest first and the release's
# tests last, so that the output ends with their summary. Stops at the first failure.
#
# FUZZ_SECONDS (default 5) is the time for each fuzz target; 0 leaves fuzzing out.
# CHORUS_REQUIRE_ALL=1 makes the tests against other people's programs (PyTorch, transformers, clients, a
# browser, promtool ...) fail, not skip, where these cannot be had.
# FREE_THREADED=0 leaves out the Python package's tests in a Python without the global interpreter lock, which is
# compiled for that from Debian's sources. They are skipped, and that is said, where these cannot be fetched.
# Works from any folder.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc) # of tests, one more: many wait for a program, for a deadline, or until nothing happens

run() {
  echo "+ $*"
  "$@"
}

# build PRESET [TARGET...]
build() {
  preset=$1
  shift
  run cmake --preset "$preset"
  if [ $# -gt 0 ]; then
    run cmake --build --preset "$preset" -j "$jobs" --target "$@"
  else
    run cmake --build --preset "$preset" -j "$jobs"
  fi
}

run sh scripts/install-deps.sh --test
run sh scripts/python-packages.sh

# In the time that tests leave, since those wait a lot. What goes wrong there is said when it is needed.
python=
if [ "${FREE_THREADED-}" != 0 ]; then
  echo "+ sh scripts/free-threaded-python.sh (beside what follows)"
  mkdir -p build
  nice -n 10 sh scripts/free-threaded-python.sh >build/free-threaded-python.log 2>&1 &
  python=$!
fi

# PyTorch's own libraries, other people's clients and a browser are no business of the sanitizers: their
# tests run with the release. So do those of failing allocations, thousands of requests that take a
# sanitizer minutes (`ctest --preset asan -R '^memory/'`).
build asan
run ctest --preset asan -j $((jobs + 1)) -E '^(torch|clients|web|memory)/'

# Where threads meet.
build tsan test_core test_model test_engine test_hub test_server
# (The types of weights differ in no lock: two of them will do; nor do instruction sets, or what is in a page.)
run env 'GTEST_FILTER=-*SoloRun*bf16*:*SoloRun*int4*:*EveryType*InAPage*:*EveryType*InstructionSet*' ctest --preset tsan -j $((jobs + 1)) -R '^(core|model|engine|hub|server)/'

run cmake --preset release -DCHORUS_TESTS=ON
run cmake --build --preset release -j "$jobs"

# The Python package's tests without the lock wait for most of their minute: beside what only computes.
without_lock=
if [ -n "$python" ]; then
  wait "$python" || true
  echo "+ sh scripts/test-free-threaded.sh (beside what follows)"
  sh scripts/test-free-threaded.sh >build/free-threaded-tests.log 2>&1 &
  without_lock=$!
fi

# Each of the product's files and headers for itself, as nothing else here compiles them. (The tests' own files
# would be as much time again.)
run cmake --preset debug -DCHORUS_TESTS=OFF
run cmake --build --preset debug --target chorus_web_files
run python3 scripts/check-each-file.py build/debug

if [ -n "$without_lock" ]; then
  status=0
  wait "$without_lock" || status=$?
  echo "What sh scripts/test-free-threaded.sh said:"
  cat build/free-threaded-tests.log
  if [ "$status" -eq 77 ] && [ "${CHORUS_REQUIRE_ALL-}" != 1 ]; then status=0; fi
  [ "$status" -eq 0 ] || exit 1
fi

export FUZZ_SECONDS="${FUZZ_SECONDS:-5}"
if [ "$FUZZ_SECONDS" -gt 0 ]; then
  run sh scripts/fuzz.sh
fi

run ctest --preset release -j $((jobs + 1))
