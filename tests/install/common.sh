# What the tests of this folder share: read with `.`, by `sh -eu`.
#   $1 the build folder, $2 the source folder, $3 a folder of the test's own, made anew

build=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# install COMPONENT... into $prefix
install_into() {
  prefix=$1
  shift
  for component in "$@"; do
    cmake --install "$build" --prefix "$prefix" --component "$component" >>install.log || fail "cmake --install $component"
  done
}

# README's example, as it stands there: the first indented block below "## From C++".
write_readme_example() {
  awk '/^## From C\+\+/ {on = 1; next} /^## / {on = 0}
       on && /^    / {print substr($0, 5); seen = 1; next}
       on && seen && /^$/ {print; next}
       on && seen {exit}' "$source/README.md" >"$1"
  grep -q 'int main' "$1" || fail "no example in README.md"
}

# Runs a program that tells a story, and looks whether it does.
expect_story() {
  "$@" >story.txt || fail "$* exits with $?"
  [ "$(wc -w <story.txt)" -gt 20 ] || fail "$*: $(cat story.txt)"
}
