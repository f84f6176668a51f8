#!/usr/bin/env bash
# Makes a release of the programs and of all clients under one version: writes it into every module, client and the chart,
# commits, and sets the tags. Nothing is pushed; the clients are published from the tagged commit. Usage: tools/release.sh v1.2.3
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
# The modules of the workspace but for the root's, which have tags of their own.
mapfile -t folders < <(go list -m -f '{{.Dir}}' | sed "s|^$PWD/\?||" | sed '/^$/d')
# Modules outside of the workspace (test/agent and others) require them too.
mapfile -t files < <(git ls-files go.mod '*/go.mod')
for file in "${files[@]}"; do
  for required in "${folders[@]}"; do
    if grep -q "evalworker/evalworker/$required v" "$file"; then
      go mod edit "-require=github.com/evalworker/evalworker/$required@$version" "$file"
    fi
  done
done
number=${version#v}
sed -i "s/^__version__ = .*/__version__ = \"$number\"/" clients/python/src/evalworker/_version.py
sed -i "0,/\"version\": .*/s//\"version\": \"$number\",/" clients/node/package.json
sed -i "0,/<version>.*/s//<version>$number<\/version>/" clients/java/pom.xml
# Where the Java client is required by its version.
sed -i "/<artifactId>evalworker<\/artifactId>/{n;s/<version>.*/<version>$number<\/version>/}" examples/spring/pom.xml
sed -i "s/\(io\.github\.evalworker:evalworker:\)[0-9][0-9A-Za-z.-]*[0-9A-Za-z]/\1$number/" docs/*.md
# The chart runs the image of its own version; the manifests are made from it.
chart=deploy/helm/evalworker/Chart.yaml
before=$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' "$chart")
sed -i "s/^version: .*/version: $number/; s/^appVersion: .*/appVersion: \"$number\"/" "$chart"
sed -i "/version: \|chart: \|image: /s/${before//./\\.}/$number/" deploy/kubernetes/*.yaml
go build work
git commit -qam "Release $version"
git tag "$version"
for folder in "${folders[@]}"; do
  git tag "$folder/$version"
done
echo "tagged $version; push it with: git push origin HEAD --tags"
