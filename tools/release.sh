#!/usr/bin/env bash
# Makes a release of the programs and of all clients under one version: writes it into every module and client, commits,
# and sets the tags. Nothing is pushed; the clients are published from the tagged commit. Usage: tools/release.sh v1.2.3
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-}
if ! [[ $version =~ ^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$ ]]; then
  echo "usage: tools/release.sh vMAJOR.MINOR.PATCH" >&2
  exit 2
fi
if [ -n "$(git status --porcelain)" ]; then
  echo "the checkout has changes that are not committed" >&2
  exit 1
fi
tools/apidiff.sh
mapfile -t folders < <(go list -m -f '{{.Dir}}' | sed "s|^$PWD/\?||" | sed '/^$/d')
for folder in . "${folders[@]}"; do
  for required in "${folders[@]}"; do
    if grep -q "evalworker/evalworker/$required v" "$folder/go.mod"; then
      (cd "$folder" && go mod edit "-require=github.com/evalworker/evalworker/$required@$version")
    fi
  done
done
sed -i "s/^__version__ = .*/__version__ = \"${version#v}\"/" clients/python/src/evalworker/_version.py
sed -i "0,/\"version\": .*/s//\"version\": \"${version#v}\",/" clients/node/package.json
sed -i "0,/<version>.*/s//<version>${version#v}<\/version>/" clients/java/pom.xml
sed -i "/<artifactId>evalworker</{n;s/<version>.*/<version>${version#v}<\/version>/}" examples/spring/pom.xml
sed -i "s/io\.github\.evalworker:evalworker:[0-9A-Za-z.-]*/io.github.evalworker:evalworker:${version#v}/" docs/publish.md
go build work
git commit -qam "Release $version"
git tag "$version"
for folder in "${folders[@]}"; do
  git tag "$folder/$version"
done
echo "tagged $version; push it with: git push origin HEAD --tags"
