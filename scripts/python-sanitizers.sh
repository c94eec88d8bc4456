#!/bin/sh
# The Python package's tests with its module and the library in it compiled for the address and undefined behaviour
# sanitizers; the arguments are pytest's.
#
# Python itself is not compiled so; the sanitizer's own library is loaded before it. That leaves out leaks (the
# interpreter keeps memory until its end, the sanitizer what was freed), PyTorch and mypy. Needs
# build/release/src/chorus. It takes some minutes: not in test.sh.
set -eu
cd "$(dirname "$0")/.."
sh scripts/python-packages.sh
python=$PWD/build/python/bin/python
folder=$PWD/build/python-sanitized
# (Checks in loops that are unrolled whole take GCC a minute for one file.)
cmake -S python -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPython_EXECUTABLE="$python" \
  -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
  -DCMAKE_CXX_FLAGS="-fsanitize=address,undefined -fno-omit-frame-pointer -fdisable-tree-cunroll -Wno-maybe-uninitialized"
cmake --build "$folder/build" -j "$(nproc)" --target _core
rm -rf "$folder/installed"
mkdir -p "$folder/installed"
cp -R python/chorus "$folder/installed/"
cp "$folder"/build/_core*.so "$folder/installed/chorus/"
tests=$PWD/python/tests
PROGRAM_TO_COMPARE_WITH=$PWD/build/release/src/chorus
export PROGRAM_TO_COMPARE_WITH PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$folder/installed" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
preload=$(c++ -print-file-name=libasan.so):$(c++ -print-file-name=libstdc++.so.6)
cd "$folder"
echo "+ pytest python/tests (address and undefined behaviour sanitizers)"
LD_PRELOAD=$preload exec "$python" -X faulthandler -m pytest -q -rs -p no:cacheprovider \
  --ignore="$tests/test_torch.py" --ignore="$tests/test_types.py" -k "not test_nothing_leaks" "$@" "$tests"
