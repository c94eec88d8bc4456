#!/bin/sh
# Makes build/python: a Python environment with the pinned packages of tests/torch/requirements.txt
# (transformers, tokenizers, tiktoken), which some tests compare with, and python/tests/requirements.txt (what
# builds and tests the Python package). PyTorch and NumPy stay the distribution's. Does nothing when it is
# there already.
#
# Where the packages cannot be had, it says so and ends well, and those tests are skipped by name;
# with CHORUS_REQUIRE_ALL=1 it fails instead. Works from any folder.
set -eu
cd "$(dirname "$0")/.."
requirements="tests/torch/requirements.txt python/tests/requirements.txt"
python=build/python
stamp=$python/requirements.txt

# shellcheck disable=SC2086  # a list of files
if cat $requirements | cmp -s - "$stamp"; then exit 0; fi

give_up() {
  echo "python-packages.sh: $1: the tests that need the packages of $requirements are skipped" >&2
  [ "${CHORUS_REQUIRE_ALL-}" = 1 ] && exit 1
  exit 0
}

echo "+ python3 -m venv --system-site-packages $python" >&2
rm -rf "$python"
mkdir -p build
/usr/bin/python3 -m venv --system-site-packages "$python" >&2 ||
  give_up "/usr/bin/python3 cannot make an environment (python3-venv is missing?)"

# The lists are complete: without --no-deps pip could put another NumPy before the distribution's,
# with which its PyTorch does not work.
# shellcheck disable=SC2086  # a list of files
set -- $(printf -- '--requirement %s ' $requirements)
echo "+ pip install --no-deps $*" >&2
"$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
  --timeout 30 --retries 2 "$@" >&2 ||
  give_up "pip cannot install the packages"
"$python/bin/python" -c "import tiktoken, tokenizers, transformers, nanobind, scikit_build_core, pytest, mypy" >&2 ||
  give_up "the packages do not load"
# shellcheck disable=SC2086  # a list of files
cat $requirements >"$stamp"
