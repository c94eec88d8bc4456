#!/bin/sh
# The Python package's tests with its module and the library in it compiled for sanitizers.
#
#   python-sanitizers.sh address [PYTEST ARGUMENT...]   address and undefined behaviour, in build/python
#   python-sanitizers.sh thread [PYTEST ARGUMENT...]    thread, in a Python without the lock that is compiled for it, too
#
# `address`: Python itself is not compiled so; the sanitizer's own library is loaded before it. That leaves out leaks
# (the interpreter keeps memory until its end, the sanitizer what was freed), PyTorch and mypy.
#
# `thread`: the interpreter's own locks are seen only if it is compiled for the sanitizer, so it is
# (scripts/free-threaded-python.sh --thread-sanitizer); programs that the tests start are as they always are, and
# other Pythons that they start are this one. NumPy is not compiled so. The first warning ends the process that has it.
# One test is left out by name, test_a_forked_child_is_refused_and_may_load_its_own: the sanitizer ends a child of fork()
# that starts a thread where its parent had one ("dup thread with used id"). Four warnings are suppressed: the C
# library frees a finished thread's thread-local storage, and has waited for that thread by the kernel, unseen; and three of CPython
# 3.13's own: when it ends it frees the state of daemon threads and sets its allocator without asking whether they use
# them, which four threads that wait in a queue.SimpleQueue are enough to show; and a daemon thread that it ends is joined by
# nobody, which is called a leak if it has ended in time.
#
# Both need build/release/src/chorus, take some minutes, and are not in test.sh.
set -eu
cd "$(dirname "$0")/.."
mode=${1-}
case "$mode" in
  address | thread) shift ;;
  *)
    echo "usage: python-sanitizers.sh address|thread [PYTEST ARGUMENT...]" >&2
    exit 2
    ;;
esac
sh scripts/python-packages.sh
tests=$PWD/python/tests
preload= left_out=
if [ "$mode" = address ]; then
  python=$PWD/build/python/bin/python
  folder=$PWD/build/python-sanitized
  sanitizers=address,undefined
  preload=$(c++ -print-file-name=libasan.so):$(c++ -print-file-name=libstdc++.so.6)
  export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 PYTHONMALLOC=malloc
else
  python=$(sh scripts/free-threaded-python.sh --thread-sanitizer)
  folder=$PWD/build/python-thread-sanitized/package
  sanitizers=thread
  left_out=--deselect=python/tests/test_ending.py::test_a_forked_child_is_refused_and_may_load_its_own
  # (Tests fork while threads run, and ask for more memory than there is, on purpose. docs/python.md says what is suppressed.)
  mkdir -p "$folder"
  printf 'race:%s\n' _dl_deallocate_tls _PyThreadState_DeleteList \
    _PyMem_SetDefaultAllocator >"$folder/suppressions"
  echo thread:do_start_joinable_thread >>"$folder/suppressions"
  export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:history_size=4:allocator_may_return_null=1:suppressions=$folder/suppressions
fi
# (Checks in loops that are unrolled whole take GCC a minute for one file.)
cmake -S python -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPython_EXECUTABLE="$python" \
  -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
  -DCMAKE_CXX_FLAGS="-fsanitize=$sanitizers -fno-omit-frame-pointer -fdisable-tree-cunroll -Wno-maybe-uninitialized"
cmake --build "$folder/build" -j "$(nproc)" --target _core
rm -rf "$folder/installed"
mkdir -p "$folder/installed"
cp -R python/chorus "$folder/installed/"
cp "$folder"/build/_core*.so "$folder/installed/chorus/"
PROGRAM_TO_COMPARE_WITH=$PWD/build/release/src/chorus
# (Compiled once: an interpreter that is compiled for the thread sanitizer takes a minute to compile what NumPy imports,
# and half of the tests start one.)
unset PYTHONDONTWRITEBYTECODE
export PROGRAM_TO_COMPARE_WITH PYTHONPYCACHEPREFIX="$folder/bytecode" PYTHONPATH="$folder/installed"
cd "$folder"
echo "+ pytest python/tests ($mode sanitizer)"
[ -z "$preload" ] || export LD_PRELOAD="$preload"
exec "$python" -X faulthandler -m pytest -q -rs -p no:cacheprovider \
  --ignore="$tests/test_torch.py" --ignore="$tests/test_types.py" $left_out \
  -k "not test_nothing_leaks" "$@" "$tests"
