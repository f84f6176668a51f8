#!/usr/bin/env bash
# Compares what applications import with the last release, and fails when a change breaks them. Before the first release
# there is nothing to compare. Usage: tools/apidiff.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."
last=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}
if [ -z "$last" ]; then
  echo "no release yet: the client's exported names are compared from the first tag on"
  exit 0
fi
mkdir -p bin
(cd tools && go build -o ../bin/apidiff golang.org/x/exp/cmd/apidiff)
old=$(mktemp -d)
trap 'git worktree remove --force "$old/tree"; rm -rf "$old"' EXIT
git worktree add --quiet --detach "$old/tree" "$last"
module=github.com/evalworker/evalworker
broken=0
for package in event emitter emitter/ddtrace emitter/mskiam emitter/openai emitter/otel redact; do
  [ -d "$old/tree/$package" ] || continue
  (cd "$old/tree" && "$OLDPWD/bin/apidiff" -w "$old/export" "$module/$package")
  found=$(bin/apidiff -incompatible "$old/export" "$module/$package")
  if [ -n "$found" ]; then
    printf '%s is not compatible with %s:\n%s\n' "$package" "$last" "$found"
    broken=1
  fi
done
exit $broken
