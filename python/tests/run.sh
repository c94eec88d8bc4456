#!/bin/sh
# For ctest: the Python package as somebody has it who installed the wheel.
#
#   run.sh wheel BUILD       builds the wheel around BUILD's libchorus.a and installs it into a fresh environment
#   run.sh test FILE BUILD   runs one file of tests there
#
# 77 (skipped) where the packages of python/tests/requirements.txt are not there; with CHORUS_REQUIRE_ALL=1
# that is a failure.
set -eu
what=$1
for build; do :; done # the last argument
root=$(cd "$(dirname "$0")/../.." && pwd)
packages=$root/build/python
folder=$build/python-package
python=$folder/environment/bin/python

skip() {
  if [ "${CHORUS_REQUIRE_ALL-}" = 1 ]; then
    echo "FAILED: $1"
    exit 1
  fi
  echo "skipped: $1"
  exit 77
}

"$packages/bin/python" -c "import nanobind, scikit_build_core, pytest, mypy" ||
  skip "$packages has no nanobind, scikit-build-core, pytest and mypy (scripts/python-packages.sh installs them)"

if [ "$what" = wheel ]; then
  rm -rf "$folder/wheels" "$folder/environment"
  # PATH: where ninja and cmake are is the machine's affair. Without isolation: what builds is installed.
  "$packages/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --wheel-dir "$folder/wheels" --config-settings=build-dir="$folder/build" --config-settings=cmake.define.CHORUS_PREBUILT="$build" \
    --config-settings=cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR=ON "$root"
  "$packages/bin/python" -m venv --system-site-packages --without-pip "$folder/environment"
  "$packages/bin/python" -m pip --python "$python" install --quiet --disable-pip-version-check --no-deps \
    --no-index "$folder"/wheels/chorus*.whl
  cd "$folder"
  "$python" -c 'import chorus; print("installed", chorus.__version__, "in", chorus.__path__[0])'
  exit 0
fi

[ -x "$python" ] || skip "the wheel was not built"
# The tools come from the other environment, the package itself from the wheel.
tools=$("$packages/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
cd "$folder"
PYTHONPATH=$tools PYTHONDONTWRITEBYTECODE=1 exec "$python" -X faulthandler -m pytest -q -p no:cacheprovider \
  --durations=3 "$root/python/tests/$2"
