#!/usr/bin/env bash
# Fuzzes one target: PACKAGE TARGET TIME. go test -fuzz fails now and then, without an input, when its time ends while an
# input runs ("context deadline exceeded"); that, and only that, is tried again, once.
set -uo pipefail
pkg=$1 target=$2 time=$3
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for _ in 1 2; do
  echo "== $pkg $target"
  "${GO:-go}" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s "$pkg" 2>&1 | tee "$out"
  status=${PIPESTATUS[0]}
  if [ "$status" -eq 0 ] || grep -q 'Failing input written' "$out" || ! grep -q '^ *context deadline exceeded$' "$out"; then
    break
  fi
done
exit "$status"
