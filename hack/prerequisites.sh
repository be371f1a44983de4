#!/usr/bin/env bash
# Installs the Debian packages that building and testing need and this machine lacks. Says what it does; does nothing
# where nothing is missing. Packages of the local cluster are installed by the cluster itself.
#
#   hack/prerequisites.sh demo|test
set -euo pipefail

case "${1:-}" in
demo) packages=(make) ;;
test) packages=(make chromium libnss3-tools postgresql-15 procps shellcheck) ;;
*)
    echo "usage: $0 demo|test" >&2
    exit 2
    ;;
esac

for tool in go node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: install it first, see README.md" >&2; exit 1; }
done

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [[ $status == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if ((EUID)); then
    echo "Packages are missing: run as root, or apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "Installing ${missing[*]}"
# The tests start PostgreSQL servers of their own; the package is to start none.
mkdir -p /etc/postgresql-common/createcluster.d
echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/chattenant.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends -y "${missing[@]}" >/dev/null
