#!/bin/sh
# The Python package's tests in a Python without the global interpreter lock, which scripts/free-threaded-python.sh
# makes. Needs a release build (build/release), whose library the module links. Without PyTorch and mypy, which
# are not there: those tests are skipped.
set -eu
cd "$(dirname "$0")/.."
python=$(sh scripts/free-threaded-python.sh)
folder=$PWD/build/python-free-threaded/package
rm -rf "$folder/wheels" "$folder/installed"
echo "+ pip wheel . (free-threaded)"
"$python" - "$PWD/build/release" "$folder" <<'EOF'
import sys
from scikit_build_core.build import build_wheel
build, folder = sys.argv[1:]
build_wheel(folder + "/wheels", {"build-dir": folder + "/build", "cmake.define.CHORUS_PREBUILT": build})
EOF
# (Debian's scheme of folders puts packages where a virtual environment does not look: a folder of its own.)
"$python" -m zipfile -e "$folder"/wheels/chorus*.whl "$folder/installed"
tests=$PWD/python/tests
PROGRAM_TO_COMPARE_WITH=$PWD/build/release/src/chorus
export PROGRAM_TO_COMPARE_WITH PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$folder/installed"
cd "$folder"
echo "+ pytest python/tests (free-threaded)"
exec "$python" -X faulthandler -m pytest -q -rs -p no:cacheprovider "$tests"
