#!/bin/sh
# The Debian packages: dpkg installs them into a folder, where the program runs and a program is built.
#   debian.sh BUILD SOURCE WORK
set -eu
. "$(dirname "$0")/common.sh"

for tool in dpkg dpkg-deb dpkg-shlibdeps file; do
  if ! command -v "$tool" >/dev/null; then
    [ "${CHORUS_REQUIRE_ALL-}" = 1 ] && fail "no $tool"
    echo "SKIPPED: no $tool"
    exit 77
  fi
done

cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/packages" >cpack.log 2>&1 || fail "$(cat cpack.log)"
program=$(ls packages/chorus_*.deb)
library=$(ls packages/libchorus-dev_*.deb)

# It depends on the libraries that the program is linked with, as dpkg-shlibdeps finds them.
depends=$(dpkg-deb --field "$program" Depends)
for wanted in libc6 libboost-json libfmt libpcre2-8 libcurl libssl libspdlog libprometheus-cpp-core ca-certificates; do
  case $depends in *"$wanted"*) ;; *) fail "chorus does not depend on $wanted: $depends" ;; esac
done
depends=$(dpkg-deb --field "$library" Depends)
for wanted in libboost-json1 libfmt-dev libpcre2-dev libcurl4-openssl-dev libssl-dev; do
  case $depends in *"$wanted"*) ;; *) fail "libchorus-dev does not depend on $wanted: $depends" ;; esac
done
dpkg-deb --contents "$library" | grep -q 'usr/include/chorus/engine.h' || fail "libchorus-dev has no headers"
if dpkg-deb --contents "$library" | grep -v '/$' | grep -qE 'usr/bin|\.so'; then fail "libchorus-dev has more than it should"; fi
dpkg-deb --info "$program" conffiles | grep -q '^/etc/chorus/chorus.toml$' || fail "the configuration is no conffile"

# Installed into a folder whose package database is empty: nothing that they depend on is in it.
root=$work/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
dpkg --root="$root" --log="$work/dpkg.log" --force-not-root --force-script-chrootless --force-depends \
  --install "$program" "$library" >install.log 2>&1 || fail "$(cat install.log)"
[ -z "$(dpkg --root="$root" --verify)" ] || fail "dpkg --verify: $(dpkg --root="$root" --verify)"
expect_story "$root/usr/bin/chorus" generate "Once upon a time" --seed 42
for file in usr/share/doc/chorus/copyright usr/share/doc/libchorus-dev/copyright etc/chorus/chorus.toml \
  usr/share/zsh/vendor-completions/_chorus usr/share/bash-completion/completions/chorus; do
  [ -s "$root/$file" ] || fail "no $file"
done
[ "$(stat -c %a "$root/etc/chorus/credentials")" = 700 ] || fail "no /etc/chorus/credentials of root alone"
grep -q '^ExecStart=/usr/bin/chorus serve --config /etc/chorus/chorus.toml$' "$root/usr/lib/systemd/system/chorus.service" ||
  fail "the unit names another program or configuration"
"$root/usr/bin/chorus" serve --config "$root/etc/chorus/chorus.toml" --help >/dev/null || fail "the configuration is refused"

write_readme_example readme.cpp
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name chorus.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # words
c++ -std=c++20 readme.cpp -o readme $(pkg-config --cflags --libs chorus) || fail "libchorus-dev cannot be linked"
expect_story ./readme
