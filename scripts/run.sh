#!/bin/sh
# Installs what is missing, builds the release and generates text.
#
#   scripts/run.sh                          continues "Once upon a time"
#   scripts/run.sh "The old man" --seed 7   any prompt and options of `chorus generate`
#
# Only the text goes to standard output. Works from any folder.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

say_and_run() {
  echo "+ $*" >&2
  "$@" >&2
}

say_and_run sh "$root/scripts/install-deps.sh"
(
  cd "$root"
  say_and_run cmake --preset release -DCHORUS_TESTS=OFF
  say_and_run cmake --build --preset release
)

# The prompt, unless the first argument is one.
case "${1--}" in
  -*) set -- "Once upon a time" "$@" ;;
esac
echo "+ chorus generate $*" >&2
exec "$root/build/release/src/chorus" generate "$@"
