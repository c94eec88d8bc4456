#!/bin/sh
# The program is installed with its manual, completions, unit, documents and licences.
#   program.sh BUILD SOURCE WORK
set -eu
. "$(dirname "$0")/common.sh"

install_into "$work/prefix" program
cd prefix
version=$(bin/chorus --version)
for file in share/doc/chorus/README.md share/doc/chorus/LICENSE share/doc/chorus/LICENSE.gpt2-vocabulary \
  share/doc/chorus/LICENSE.CLI11 share/doc/chorus/deploy/nginx/chorus.conf share/doc/chorus/docs/serving.md; do
  [ -s "$file" ] || fail "no $file"
done
[ -s lib/systemd/system/chorus.socket ] || fail "no chorus.socket"
grep -q "^ExecStart=$work/prefix/bin/chorus serve " lib/systemd/system/chorus.service ||
  fail "the unit names another program: $(grep ExecStart lib/systemd/system/chorus.service)"

# A manual page for each command that --help lists, with each of its options.
commands=$(bin/chorus --help | sed -n '/^Subcommands:/,$ s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 8 ] || fail "commands: $commands"
if [ -d share/man ]; then
  grep -q "\"$version\"" share/man/man1/chorus.1 || fail "chorus.1 is of another version"
  for command in $commands; do
    page=share/man/man1/chorus-$command.1
    sed 's/\\f.//g; s/\\//g' "$page" >page.txt || fail "no $page"
    grep -q "^chorus-$command - ." page.txt || fail "$page has no name"
    for option in $(bin/chorus "$command" --help | grep -oE '^ +(-[a-z],)?--[a-z-]+' | grep -oE -e '--[a-z-]+'); do
      grep -q -e "$option" page.txt || fail "$page does not tell of $option"
    done
  done
else
  echo "no manual pages: help2man was not there when this was configured"
fi

# The shells' completions know the same, and say it when they are asked. What bash would offer for "chorus $*":
offered_by_bash() {
  bash -uc '. share/bash-completion/completions/chorus
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _chorus
    echo "${COMPREPLY[*]}"' bash chorus "$@"
}
expect_offer() {
  expected=$1
  shift
  found=$(offered_by_bash "$@") || fail "bash's completion of $*"
  [ "$found" = "$expected" ] || fail "bash offers \"$found\" for $*, expected \"$expected\""
}
expect_offer generate ge
expect_offer "tokenize" to
expect_offer "torch-cpu torch-cpu-mkl torch-cuda" generate --rng ""
expect_offer "f32 bf16 bf16-f32 int8 int4" --config x score --dtype ""
expect_offer "--repetition-penalty" generate --repet
expect_offer "bash zsh fish" completion ""
expect_offer "" generate --seed 4
for command in $commands; do
  for option in $(bin/chorus "$command" --help | grep -oE '^ +(-[a-z],)?--[a-z-]+' | grep -oE -e '--[a-z-]+'); do
    case " $(offered_by_bash "$command" "$option") " in
      *" $option "*) ;;
      *) fail "bash does not know chorus $command $option" ;;
    esac
    grep -qF -e "$option" share/zsh/site-functions/_chorus || fail "zsh does not know chorus $command $option"
    grep -qE -e "__fish_seen_subcommand_from $command'.* -l ${option#--} " share/fish/vendor_completions.d/chorus.fish ||
      fail "fish does not know chorus $command $option"
  done
done
if command -v zsh >/dev/null; then
  zsh -n share/zsh/site-functions/_chorus || fail "zsh cannot read its completion"
  zsh -fc 'autoload -U compinit && compinit -u -D && . share/zsh/site-functions/_chorus && [[ $_comps[chorus] == _chorus ]]' ||
    fail "zsh does not take its completion"
else
  echo "no zsh: its completion was not tried"
fi
if command -v fish >/dev/null; then
  found=$(HOME=$work fish --no-config -c 'source share/fish/vendor_completions.d/chorus.fish; complete -C "chorus generate --rng "' | cut -f1 | tr '\n' ' ')
  [ "$found" = "torch-cpu torch-cpu-mkl torch-cuda " ] || fail "fish offers: $found"
  found=$(HOME=$work fish --no-config -c 'source share/fish/vendor_completions.d/chorus.fish; complete -C "chorus det"' | cut -f1)
  [ "$found" = "detokenize" ] || fail "fish offers: $found"
else
  echo "no fish: its completion was not tried"
fi
