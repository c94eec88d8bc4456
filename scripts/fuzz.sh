#!/bin/sh
# Builds the fuzz targets with clang and runs each for a while, starting from a copy of its corpus.
#
#   scripts/fuzz.sh                         every target of fuzz/, a minute each
#   FUZZ_SECONDS=3600 scripts/fuzz.sh pytorch
#
# As many run at once as there are processors. An input that breaks a target stays in
# build/fuzz/found/; the target's name with that file as its argument repeats the failure.
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}

if [ "${1-}" = --one ]; then
  name=$2
  mkdir -p "build/fuzz/found" "build/fuzz/corpus"
  rm -rf "build/fuzz/corpus/$name"
  cp -R "fuzz/corpus/$name" "build/fuzz/corpus/$name"
  set -- "build/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name"
  echo "+ $*"
  if "$@" >"build/fuzz/$name.log" 2>&1; then
    echo "fuzz_$name: $(tail -n 1 "build/fuzz/$name.log")"
  else
    tail -n 60 "build/fuzz/$name.log"
    echo "fuzz_$name: FAILED"
    exit 1
  fi
  exit 0
fi

if [ $# -eq 0 ]; then
  for source in fuzz/fuzz_*.cpp; do
    name=${source#fuzz/fuzz_}
    set -- "$@" "${name%.cpp}"
  done
fi
targets=
for name in "$@"; do targets="$targets fuzz_$name"; done

echo "+ cmake --preset fuzz"
cmake --preset fuzz
echo "+ cmake --build --preset fuzz --target$targets"
# shellcheck disable=SC2086  # a list of words
cmake --build --preset fuzz --target $targets
printf '%s\n' "$@" | xargs -P "$(nproc)" -I NAME sh scripts/fuzz.sh --one NAME
