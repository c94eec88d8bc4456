#!/bin/sh
# free-threaded-python.sh [--thread-sanitizer]
#
# Makes build/python-free-threaded: a CPython without the global interpreter lock (upstream's source in Debian trixie's
# package python3.13, configured with --disable-gil), with NumPy, nanobind, scikit-build-core and pytest, and prints
# the path of its interpreter. Does nothing when it is there already. It takes 82 seconds of one processor, 21 of them
# in configure: it is not optimised, has those extension modules that the package's tests need, and is copied into
# its place, since `make install` runs a program for each of thousands of files. Needs build/python
# (scripts/python-packages.sh), whose pip fetches the packages.
#
# The machine's own apt sources are not touched: the source comes by a configuration of its own, and is checked by
# Debian's keys, from the mirror that this machine's apt has, or FREE_THREADED_MIRROR.
#
# With --thread-sanitizer it makes build/python-thread-sanitized, the same compiled for that (scripts/python-sanitizers.sh).
set -eu
cd "$(dirname "$0")/.."
folder=$PWD/build/python-free-threaded
optimise=-O0
for_sanitizer=
linking=
case "$*" in
  "") ;;
  --thread-sanitizer)
    folder=$PWD/build/python-thread-sanitized
    # (Python's own switch for it compiles so, but does not link.)
    optimise="-O1 -g1" for_sanitizer=--with-thread-sanitizer linking=-fsanitize=thread
    ;;
  *)
    echo "usage: free-threaded-python.sh [--thread-sanitizer]" >&2
    exit 2
    ;;
esac
python=$folder/bin/python3.13t
mirror=${FREE_THREADED_MIRROR-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
  grep -v security | head -n 1)}

if [ -e "$folder/complete" ]; then
  echo "$python"
  exit 0
fi

# Ends with 77: what cannot be fetched is not wrong.
cannot_fetch() {
  echo "SKIPPED: the Python package's tests without the lock: $1 cannot be fetched" >&2
  exit 77
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# With what it is compiled.
missing=
[ -x build/python/bin/python ] || cannot_fetch "what scripts/python-packages.sh installs"
for package in build-essential dpkg-dev zlib1g-dev; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "+ apt-get install$missing" >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
  # shellcheck disable=SC2086  # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
fi

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/source"
cat >"$folder/apt/sources.list" <<EOF
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main
EOF
cat >"$folder/apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Sandbox::User "root";
Acquire::Retries "3";
EOF
echo "+ apt-get source python3.13 (trixie)" >&2
APT_CONFIG=$folder/apt/apt.conf apt-get update -q >&2 || cannot_fetch "Debian trixie's index"
(
  cd "$folder/source"
  APT_CONFIG=$folder/apt/apt.conf apt-get source -q --download-only python3.13 >&2
) || cannot_fetch "the source of python3.13"
tar -C "$folder/source" --strip-components=1 --exclude '*/Lib/test/*' --exclude '*/Doc/*' -xf "$folder"/source/python3.13_*.orig.tar.xz

# Modules of C that nothing here imports, or only where they are there.
without=
for module in _bz2 _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _ctypes _curses _curses_panel \
  _dbm _decimal _elementtree _gdbm _hashlib _interpchannels _interpqueues _interpreters _lsprof _lzma \
  _multibytecodec _sqlite3 _ssl _statistics _tkinter _uuid _zoneinfo pyexpat readline syslog; do
  without="$without py_cv_module_$module=n/a"
done

echo "+ configure --disable-gil $for_sanitizer; make" >&2
(
  mkdir "$folder/build"
  cd "$folder/build"
  # shellcheck disable=SC2086  # a list of words
  CONFIG_SHELL=/bin/sh /bin/sh ../source/configure --disable-gil $for_sanitizer --disable-test-modules --without-doc-strings \
    --with-ensurepip=no --prefix="$folder" OPT="-DNDEBUG $optimise" LDFLAGS="$linking" $without >"$folder/configure.log" 2>&1 ||
    { tail -n 20 "$folder/configure.log" >&2; exit 1; }
  make -j "$(nproc)" python platform sharedmods >"$folder/make.log" 2>&1 || { tail -n 30 "$folder/make.log" >&2; exit 1; }

  library=$folder/lib/python3.13t
  mkdir -p "$folder/bin" "$folder/include" "$folder/lib" "$library"
  cp python "$python"
  cp -r ../source/Include "$folder/include/python3.13t"
  cp pyconfig.h "$folder/include/python3.13t"
  cp -r ../source/Lib/. "$library"
  rm -rf "$library/idlelib" "$library/tkinter" "$library/ensurepip"
  mkdir -p "$library/lib-dynload" "$library/site-packages"
  cp "$(cat pybuilddir.txt)"/_sysconfigdata_* "$library"
  # Links to what lies in Modules/.
  cp -L "$(cat pybuilddir.txt)"/*.so "$library/lib-dynload"
)
echo "+ pip install numpy and what builds and tests the package" >&2
build/python/bin/python -m pip install --quiet --disable-pip-version-check --no-input --timeout 30 --retries 2 --no-deps \
  --only-binary=:all: --implementation cp --python-version 3.13 --abi cp313t --abi none --platform manylinux2014_x86_64 \
  --platform any --target "$("$python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")" \
  numpy==2.2.6 packaging==24.2 scikit-build-core==1.1.2 nanobind==3.1.0 pathspec==1.1.1 pytest==9.2.0 pluggy==1.7.0 \
  iniconfig==2.3.1 Pygments==2.21.0 >&2 || cannot_fetch "NumPy and what builds the package"
"$python" -c 'import sys, numpy; assert not sys._is_gil_enabled()'
rm -rf "$folder/source" "$folder/build" "$folder/apt"
touch "$folder/complete"
echo "$python"
