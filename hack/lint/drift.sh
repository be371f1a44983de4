#!/usr/bin/env bash
# Fails if a generated file is not what its sources say. It generates into a copy, so the working tree stays as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
generated=(api config charts)
git ls-files -z --cached --others --exclude-standard -- api cmd config charts controllers chatserver gateway hack go.mod go.sum Makefile |
    xargs -0 cp --parents -t "$copy" 2>/dev/null || true
mkdir -p bin && ln -s "$PWD/bin" "$copy/bin"
# A tool that was just built must not look older than the copy of what it is built from.
make --silent -C "$copy" --assume-old=hack/tools/go.sum generate manifests >/dev/null

status=0
for folder in "${generated[@]}"; do
    diff --recursive --unified=1 "$folder" "$copy/$folder" || status=1
done
if ((status)); then
    echo "Generated files differ from their sources: run make generate manifests, and commit" >&2
fi
exit "$status"
