#!/bin/sh
# Builds a Debian package of this source, for the Debian and the processor that it runs on.
#
#   sh packaging/deb.sh [FOLDER]      writes tallyd_VERSION_ARCHITECTURE.deb into FOLDER (default: here)
#
# $VENV, if set, is a venv of /usr/bin/python3 that has this tallyd and its packages already.

set -eu
umask 022

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
folder=${1:-.}
python=/usr/bin/python3
place=/usr/lib/tallyd/venv # where the package has it
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM

venv=${VENV:-$work/venv}
if [ -z "${VENV:-}" ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip -q install --require-hashes --only-binary :all: -r "$here/requirements.txt"
    "$venv/bin/python" -m pip -q install --no-deps --no-build-isolation --no-index "$here"
fi

root=$work/root
mkdir -p "$root/DEBIAN" "$root${place%/*}" "$root/usr/share/doc/tallyd"
"$venv/bin/python" -c 'if True:
    import sys
    from pathlib import Path
    from tallyd.cli.service.releases import copy_environment
    copy_environment(Path(sys.argv[1]), python=sys.argv[2], seen_as=Path(sys.argv[3]))' "$root$place" "$python" "$place"
# What names the folder of this build, or is only needed to install packages.
sed -i '/^command = /d' "$root$place/pyvenv.cfg"
rm -rf -- "$root$place"/bin/[Aa]ctivate* "$root$place"/lib/python3*/site-packages/pip "$root$place"/lib/python3*/site-packages/pip-*
cp -R -- "$here/README.md" "$here/CHANGELOG.md" "$here/docs" "$here/config.example.json" "$root/usr/share/doc/tallyd"
cp -- "$here/LICENSE" "$root/usr/share/doc/tallyd/copyright"

# 0.2.0rc1 comes before 0.2.0; and what fits a newer Debian is newer.
# shellcheck source=/dev/null # the machine's own
system=$(. /etc/os-release && printf '%s%s' "$ID" "${VERSION_ID:-}")
version=$("$venv/bin/tallyd" --version | cut -d ' ' -f 2 | sed -E 's/\.?(a|b|rc|dev)/~\1/g')+$system
versions=$("$python" -c 'import sys; print("%d.%d %d.%d" % (sys.version_info[:2] + (sys.version_info[0], sys.version_info[1] + 1)))')
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$(dpkg --print-architecture)/" \
    -e "s/@PYTHON@/${versions% *}/" -e "s/@NEXT_PYTHON@/${versions#* }/" "$here/packaging/debian/control" >"$root/DEBIAN/control"
for script in postinst prerm postrm; do
    install -m 0755 "$here/packaging/debian/$script" "$root/DEBIAN/$script"
done
dpkg-deb --root-owner-group ${COMPRESSION:+-Z"$COMPRESSION"} --build "$root" "$folder"
