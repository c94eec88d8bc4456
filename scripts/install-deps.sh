#!/bin/sh
# Installs what building Chorus needs on Debian 12 or Ubuntu 24.04; with --python also what building its
# package for the distribution's own Python needs, with --test also what its tests need. Does nothing, and needs
# no rights, when everything is there already.
set -eu

with_python=no
with_tests=no
case "${1-}" in
  "") ;;
  --python) with_python=yes ;;
  --test) with_python=yes with_tests=yes ;;
  *) echo "usage: install-deps.sh [--python | --test]" >&2; exit 2 ;;
esac

ID=unknown
VERSION_ID=unknown
# shellcheck source=/dev/null
if [ -r /etc/os-release ]; then . /etc/os-release; fi
case "$ID $VERSION_ID" in
  "debian 12") boost="libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev" ;;
  "ubuntu 24.04") boost="libboost-dev libboost-json-dev libboost-url-dev" ;;
  *)
    cat >&2 <<EOF
install-deps.sh knows Debian 12 and Ubuntu 24.04; this is $ID $VERSION_ID. Install these yourself,
with their development files, and then build with: cmake --preset release && cmake --build --preset release
  a C++20 compiler (g++ 12, clang 14 or later), CMake 3.25, Ninja, pkg-config,
  Boost 1.81 with Boost.JSON and Boost.URL, CLI11 2.1, fmt 9, PCRE2, zlib, libcurl 7.85, OpenSSL 3,
  spdlog 1.10, prometheus-cpp 1.0, toml++ 3.3
  for the Python package also: CPython 3.10 or later with its header files and venv
  for the tests also: GoogleTest and GoogleMock; Python 3 with NumPy and PyTorch; clang with libFuzzer;
  curl, wrk, nginx, HAProxy, Prometheus' promtool, systemd, PyYAML, Chromium, and Node.js with npm as clients; help2man (manual pages, if they are to be installed), bash,
  zsh, fish; dpkg-dev and file for Debian packages
EOF
    exit 1
    ;;
esac

packages="g++ cmake ninja-build pkg-config $boost libcli11-dev libfmt-dev libpcre2-dev
  libcurl4-openssl-dev libssl-dev zlib1g-dev libspdlog-dev prometheus-cpp-dev libtomlplusplus-dev ca-certificates"
python_packages="python3-venv python3-dev"
test_packages="libgtest-dev libgmock-dev clang libclang-rt-dev python3-numpy curl wrk
  nginx haproxy prometheus systemd python3-yaml help2man dpkg-dev file zsh fish"
# Ubuntu's Chromium is a snap, which containers cannot run: there the test in a browser is skipped.
if [ "$ID" = debian ]; then test_packages="$test_packages chromium"; fi
if [ "$with_python" = yes ]; then packages="$packages $python_packages"; fi
if [ "$with_tests" = yes ]; then packages="$packages $test_packages"; fi

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "install-deps.sh: installing needs root or sudo: $*" >&2
    exit 1
  fi
}

apt_install() {
  echo "+ apt-get install $*" >&2
  # (RUNLEVEL=1: what is installed to be tested with starts no service.)
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -q --no-install-recommends "$@" >&2
}

missing=
for package in $packages; do
  is_installed "$package" || missing="$missing $package"
done
torch=
if [ "$with_tests" = yes ] && ! is_installed python3-torch; then torch=python3-torch; fi
[ -n "$missing$torch" ] || exit 0

echo "+ apt-get update" >&2
as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086  # a list of words
  apt_install $missing
fi
if [ -n "$torch" ]; then
  if apt-cache show python3-torch >/dev/null 2>&1; then
    apt_install python3-torch
  else
    echo "install-deps.sh: $ID $VERSION_ID has no python3-torch: tests against PyTorch are skipped" \
      "unless another python3 on the PATH has it" >&2
  fi
fi
