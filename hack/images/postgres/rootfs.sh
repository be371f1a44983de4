#!/bin/sh
# Copyright The ChatTenant Authors
# SPDX-License-Identifier: Apache-2.0
#
# Makes the root file system of the PostgreSQL image from Debian packages: rootfs.sh FOLDER MIRROR SECURITY_MIRROR
# Runs in mount and PID namespaces of its own, so that whatever a package mounts or starts ends with it.
set -eu

root=$1 mirror=$2 security=$3
suite=bookworm
# The folder is thrown away if anything fails: nothing has to survive a power cut.
export DPKG_FORCE=unsafe-io

debootstrap --variant=minbase --components=main "$suite" "$root" "$mirror"

# The user that owns the data must be the same number in every build: it is written on volumes.
chroot "$root" groupadd --system --gid 999 postgres
chroot "$root" useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/sh postgres

cat >"$root/etc/apt/sources.list" <<EOF
deb $mirror $suite main
deb $security $suite-security main
EOF
# Packages must neither start a server nor make a database of their own.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"

export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update
chroot "$root" apt-get upgrade --yes
chroot "$root" apt-get install --yes --no-install-recommends postgresql-15

# What a server does not need: compilers of queries (100 MB), documentation, package lists, other languages.
rm -rf "$root"/usr/lib/postgresql/15/lib/bitcode "$root"/usr/lib/postgresql/15/lib/llvmjit* \
  "$root"/usr/lib/*/libLLVM* "$root"/usr/lib/llvm* "$root"/usr/lib/*/libz3*
rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/info "$root"/usr/share/locale \
  "$root"/usr/share/postgresql/15/man "$root"/usr/share/lintian "$root"/usr/share/bug "$root"/usr/share/i18n
rm -rf "$root"/usr/share/perl "$root"/usr/share/perl5 "$root"/usr/lib/*/perl "$root"/usr/lib/*/perl5 \
  "$root"/usr/lib/*/perl-base "$root"/usr/lib/*/gconv "$root"/usr/bin/perl*
# What differs from one build to the next, or belongs to the machine that built it.
rm -rf "$root"/var/lib/apt "$root"/var/cache "$root"/var/log "$root"/tmp "$root"/run "$root"/var/tmp \
  "$root"/var/lib/postgresql "$root"/usr/sbin/policy-rc.d "$root"/etc/machine-id "$root"/etc/hostname \
  "$root"/etc/resolv.conf "$root"/etc/apt "$root"/var/lib/dpkg/info "$root"/etc/ssl/private "$root"/etc/ssl/certs
rm -f "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- "$root"/etc/.pwd.lock \
  "$root"/var/lib/dpkg/*-old "$root"/etc/ld.so.cache
find "$root/dev" -mindepth 1 -delete
find "$root" -name '*.pyc' -delete
chroot "$root" ldconfig
rm -rf "$root"/var/cache
# The day a password was last changed: none was ever set.
sed -i -E 's/^([^:]*:[^:]*):[0-9]*:/\1:1:/' "$root/etc/shadow"

install -d -m 1777 "$root/tmp" "$root/var/tmp"
install -d -m 755 "$root/run" "$root/var/cache" "$root/var/log"
install -d -m 750 -o 999 -g 999 "$root/var/lib/postgresql"
install -d -m 2775 -o 999 -g 999 "$root/run/postgresql"
