#!/bin/sh
# The service under a real systemd, from the first install to the purge.
#
# A minimal Debian is made in a folder (once: it is kept in the cache), copied, and booted as a container of its own;
# the machine's own systemd, if it has one, is not touched. service-inside.sh is what happens there.
#
#   sudo sh tests/campaigns/service.sh [--short]      --short leaves out what takes minutes of waiting
#
# Needs root, systemd-nspawn (Debian: systemd-container) and debootstrap. $MIRROR, if set, is where debootstrap gets
# its packages; pip works as it is set up on this machine.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tallyd-campaign
packages=systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,util-linux,passwd

die() {
    printf 'service.sh: %s\n' "$*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || die 'a container needs root: sudo sh tests/campaigns/service.sh'
for tool in debootstrap systemd-nspawn; do
    command -v "$tool" >/dev/null || die "$tool is missing: apt-get install debootstrap systemd-container"
done
form=${1:-whole}

# shellcheck source=/dev/null # the machine's own
suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
pristine=$cache/$suite-$(printf '%s' "$packages" | cksum | cut -d ' ' -f 1)
if [ ! -d "$pristine" ]; then
    echo "Making a minimal Debian $suite in $pristine (once)."
    mkdir -p "$cache"
    rm -rf --one-file-system -- "$pristine.new"
    debootstrap --variant=minbase --include="$packages" "$suite" "$pristine.new" ${MIRROR:+"$MIRROR"} >"$cache/debootstrap.log" 2>&1 ||
        die "debootstrap failed, see $cache/debootstrap.log"
    mv -T -- "$pristine.new" "$pristine"
fi

work=$(mktemp -d "${TMPDIR:-/var/tmp}/tallyd-campaign.XXXXXX")
clean_up() { rm -rf --one-file-system -- "$work"; }
trap clean_up EXIT
trap 'exit 130' INT TERM

tree=$work/tree
echo "Copying it to $tree."
cp -a --reflink=auto -- "$pristine" "$tree"

# What the container installs comes from a folder, so that nothing of this machine's network settings goes into it.
echo 'Fetching the wheels.'
python=$(ls -- "$tree"/usr/bin/python3.[0-9]*) # one, by name: python3.11
/usr/bin/python3 -m venv "$work/venv"
[ -x "$work/venv/bin/${python##*/}" ] || die "the container has ${python##*/}, this machine's /usr/bin/python3 is another"
"$work/venv/bin/python" -m pip -qq --disable-pip-version-check download --require-hashes --only-binary :all: \
    --dest "$cache/wheels" --requirement "$here/requirements.txt"
mkdir "$tree/wheels"
cp -- "$cache"/wheels/*.whl "$tree/wheels"

# The source as it lies here, committed or not.
mkdir "$tree/src"
tar -C "$here" --exclude=./.git --exclude='./.venv*' --exclude='./.*_cache' --exclude=./.hypothesis --exclude=__pycache__ --exclude=./demo-data \
    -cf - . | tar -C "$tree/src" --no-same-owner -xf -

in_container() {
    timeout --kill-after=30 900 systemd-nspawn --quiet --directory="$tree" --register=no --keep-unit \
        --machine=tallyd-campaign "$@" </dev/null
}

# One boot runs one phase of service-inside.sh and powers off; what it says goes to a file.
cat >"$tree/etc/systemd/system/campaign.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sh /src/tests/campaigns/service-inside.sh "$(cat /campaign/phase)" >>/campaign/said 2>&1; echo $? >/campaign/status'
ExecStopPost=systemctl --no-block poweroff
UNIT
mkdir -p "$tree/campaign" "$tree/etc/systemd/system/multi-user.target.wants"
ln -s /etc/systemd/system/campaign.service "$tree/etc/systemd/system/multi-user.target.wants/campaign.service"
printf '%s\n' "$form" >"$tree/campaign/form"

failed=0
for phase in without-systemd first-boot broken-boot second-boot; do
    echo "== $phase"
    printf '%s\n' "$phase" >"$tree/campaign/phase"
    rm -f -- "$tree/campaign/status" "$tree/campaign/said"
    : >"$tree/campaign/said"
    tail -n +1 -f -- "$tree/campaign/said" &
    tail=$!
    if [ "$phase" = without-systemd ]; then
        in_container /bin/sh -c 'sh /src/tests/campaigns/service-inside.sh without-systemd >>/campaign/said 2>&1; echo $? >/campaign/status' || true
    else
        in_container --boot >"$work/console" 2>&1 || true
    fi
    sleep 1
    kill "$tail"
    status=$(cat "$tree/campaign/status" 2>/dev/null || echo 'none')
    if [ "$status" != 0 ]; then
        failed=1
        [ "$status" != none ] || { echo "$phase did not end; the container's console:"; tail -n 30 "$work/console"; }
        break
    fi
done
[ "$failed" = 0 ] || die 'the campaign failed, see above'
echo 'The campaign passed.'
