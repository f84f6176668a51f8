#!/usr/bin/env bash
# Runs the tests of packages again and again on one CPU that busy loops share, and prints which failed and how often: what
# waits for time, or for one text of the system where others are as right, fails here before it fails on a busy machine.
# Usage: [RUNS=5] [LOOPS=15] [CPU=0] tools/underload.sh PACKAGE... [-test.FLAG...]
# 15 loops on one CPU are to the tests what a load of 30 is on a machine with two.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-5} loops=${LOOPS:-15} cpu=${CPU:-0} out=$PWD/${BIN:-bin}/underload
packages=() flags=()
for arg; do
  case $arg in -*) flags+=("$arg") ;; *) packages+=("$arg") ;; esac
done
[ ${#packages[@]} -gt 0 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }

# One session for tests and loops, because Linux shares a CPU out among sessions before it looks at their processes;
# when all is built, the whole session steps back behind whatever else the machine does.
if [ -z "${UNDERLOAD_SESSION:-}" ]; then
  UNDERLOAD_SESSION=1 exec setsid --wait "$PWD/tools/$(basename "$0")" "$@"
fi

pids=() test=
trap '[ ${#pids[@]} -eq 0 ] && [ -z "$test" ] || kill "${pids[@]}" $test 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
begin_loops() {
  for _ in $(seq "$loops"); do # a loop also ends when this script was killed
    taskset -c "$cpu" bash -c 'while kill -0 "$0" 2>/dev/null; do for ((i = 0; i < 1000000; i++)); do :; done; done' $$ &
    pids+=($!)
  done
}
end_loops() {
  [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}" 2>/dev/null || true; }
  pids=()
}

mkdir -p "$out"
listed=$("${GO:-go}" list -f '{{.ImportPath}} {{.Dir}}' "${packages[@]}")
while read -r package _; do
  name=${package#*/*/*/} && binary=$out/${name//\//-}.test
  rm -f "$binary" "${binary%.test}".*.log
  "${GO:-go}" test -c ${RACE:+-race} -o "$binary" "$package" >/dev/null
done <<<"$listed"
{ echo 10 >/proc/self/autogroup; } 2>/dev/null || renice -n 10 $$ >/dev/null

failed=0
while read -r package dir <&3; do
  name=${package#*/*/*/} && binary=$out/${name//\//-}.test
  [ -x "$binary" ] || continue # it has no tests
  begin_loops
  bad=0 began=$SECONDS
  for run in $(seq "$runs"); do
    log=${binary%.test}.$run.log
    (cd "$dir" && exec taskset -c "$cpu" "$binary" -test.timeout=30m "${flags[@]}") >"$log" 2>&1 &
    test=$! # in the background, so that a signal ends this script at once
    wait "$test" || bad=$((bad + 1))
    test=
  done
  end_loops
  echo "$name: $bad of $runs runs failed, beside $loops loops, $(((SECONDS - began) / runs)) s each"
  if [ "$bad" -gt 0 ]; then
    failed=1
    grep -haE '^ *--- FAIL|^panic:' "${binary%.test}".*.log | sed -E 's/ \([0-9.]+s\)//' | sort | uniq -c || true
    echo "  see ${binary%.test}.*.log"
  fi
done 3<<<"$listed"
exit $failed
