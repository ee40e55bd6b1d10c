#!/bin/sh
# Builds packaging/Containerfile and runs what comes out: by hand, or where a container is to be trusted.
#
#   sudo sh tests/campaigns/container.sh
#
# Needs root, buildah and the minimal Debian that service.sh keeps in its cache: no image is pulled, and the packages
# come from the wheels beside it.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tallyd-campaign

die() {
    printf 'container.sh: %s\n' "$*" >&2
    exit 1
}

command -v buildah >/dev/null || die 'buildah is missing: apt-get install buildah'
# shellcheck source=/dev/null # the machine's own
suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
debian=$(find "$cache" -mindepth 1 -maxdepth 1 -type d -name "$suite-*[0-9]" | head -n 1)
[ -n "$debian" ] || die 'run service.sh first: it makes a minimal Debian'

work=$(mktemp -d "${TMPDIR:-/var/tmp}/tallyd-container.XXXXXX")
trap 'rm -rf --one-file-system -- "$work"' EXIT
trap 'exit 130' INT TERM
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah() { command buildah --root "$work/storage" --runroot "$work/run" "$@"; }

echo 'Making an image of the minimal Debian.'
base=$(buildah from scratch)
buildah add --quiet "$base" "$debian" / >/dev/null
buildah commit --quiet --rm "$base" localhost/debian >/dev/null

echo 'Building.'
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/pip.conf"
buildah bud --quiet --pull-never --build-arg BASE=localhost/debian --file "$here/packaging/Containerfile" --tag localhost/tallyd \
    --volume "$cache/wheels:/wheels:ro" --volume "$work/pip.conf:/etc/pip.conf:ro" "$here" >/dev/null

echo 'Running.'
config=$(buildah inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}' localhost/tallyd)
[ "$config" = 'tallyd /data [tallyd] [run]' ] || die "the image is $config"
box=$(buildah from --pull-never localhost/tallyd)
run() { buildah run "$box" -- "$@"; }
run tallyd --version
run sh -c 'tallyd init --kind servers >config.json && tallyd check' || die 'a config of its own is not fine'
# The daemon in the invented world: real files, by the user of the image.
run sh -c 'cd /tmp && tallyd demo --for 20s' >"$work/demo" 2>&1 || { tail -n 30 "$work/demo"; die 'the demo failed'; }
run sh -c '[ "$(id -un)" = tallyd ] && [ ! -w /opt/venv ] && find /tmp/demo-data/out -name "20*.json" | grep -q .' ||
    die 'no count was written'
echo 'The container works.'
