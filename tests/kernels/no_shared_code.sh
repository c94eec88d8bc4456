#!/bin/sh
# The object files that are built for one instruction set hold no function that another object file
# could hold, too (a weak symbol): the linker keeps one copy of such a function for everybody, and it
# might be one that this processor cannot run.
# usage: no_shared_code.sh OBJECT...
found=0
for object; do
  case $object in
    *avx*) found=$((found + 1)) ;;
    *) continue ;;
  esac
  shared=$(nm -C "$object" | grep -E ' [WVu] ')
  [ -z "$shared" ] || { echo "$object: $shared"; exit 1; }
done
[ "$found" -ge 4 ] || { echo "expected four object files, found $found"; exit 1; }
