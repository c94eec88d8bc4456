#!/bin/sh
# A program without the default model says so, does what needs none, and takes others.
#   without_model.sh PROGRAM SOURCE
set -eu
program=$1
model=$2/assets/models/storyteller.safetensors

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

[ "$(stat -Lc %s "$program")" -lt 12000000 ] || fail "the model is in it"
for command in "generate Once" "score Once" bench; do
  # shellcheck disable=SC2086  # words
  if message=$("$program" $command 2>&1); then fail "chorus $command: $message"; fi
  case $message in
    *"this build has none of its own (CHORUS_EMBED_MODEL=OFF): name a file"*) ;;
    *) fail "chorus $command: $message" ;;
  esac
done
for command in generate score inspect serve bench; do
  "$program" "$command" --help | grep -q '(needed: no model is in this program)' || fail "chorus $command --help"
done
[ "$("$program" tokenize "Hello, world")" = "15496 11 995" ] || fail "tokenize"
"$program" generate --model "$model" "Once upon" --max-length 20 --seed 1 | grep -q '^Once upon' || fail "--model"
