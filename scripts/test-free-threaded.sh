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
run_tests() {
  "$python" -X faulthandler -m pytest -q -rs -p no:cacheprovider "$@"
}
# Half of their time is one file's, which mostly waits. (It is the one in front: the shell lets what runs behind it
# ignore Ctrl-C, of which that file has tests.)
echo "+ pytest python/tests (free-threaded, the others beside test_ending.py)"
run_tests --ignore="$tests/test_ending.py" "$tests" >others.log 2>&1 &
others=$!
status=0
run_tests "$tests/test_ending.py" || status=1
wait "$others" || status=1
cat others.log
exit "$status"
