#!/bin/sh
# Sets up tallyd: run it here, show the demo, run the tests, or install it as a service.
# `sh setup.sh` alone lists the commands. POSIX sh; every command may be repeated at any time.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$here/.venv

# The places of the service. docs/install.md explains them.
opt=/opt/tallyd
etc=/etc/tallyd
lib=/var/lib/tallyd
log=/var/log/tallyd
command=/usr/local/bin/tallyd
unit=/etc/systemd/system/tallyd.service
user=tallyd

usage() {
    cat <<'USAGE'
Usage: sh setup.sh COMMAND

Use it, try it, or work on it (everything stays in this folder):
  run                   ask what to count, take a first reading, then count until Ctrl-C
  demo [--for 60s]      run the daemon in a small invented world, until Ctrl-C
  test [ARGUMENT...]    run every check; arguments go to pytest

The service (needs root, so use sudo):
  install [--ask | --restore FILE] [--dask]
                        install tallyd as a service, or upgrade it; --ask: ask what to count;
                        --restore: on a new machine, with config and data of a backup (docs/backup.md);
                        --dask: with Dask, for checks on a cluster (docs/scale.md); an upgrade keeps it
  allow PATH            let the service write to another folder, such as an inbox
  rollback              switch back to the previous version; again: switch forward
  uninstall [--purge]   remove the service; --purge: also its config, data and log

Deutsch: docs/de/anleitung.md    繁體中文: docs/zh-TW/visitorsflow.md
USAGE
}

# The line of setup-messages.txt that has the language of this terminal.
locale=${LC_ALL:-${LC_MESSAGES:-${LANG:-C.UTF-8}}}
case $locale in
    de | de[_.@]*) language=2 tag=de ;;
    zh | zh[_.@]*) language=3 tag=zh-TW ;;
    *) language=1 tag=en ;;
esac

# Print message $1 in that language; English if it has no translation.
in_language() {
    if [ "$language" = 1 ]; then
        printf '%s\n' "$1"
    else
        message=$1 awk -v RS='' -F '\n' -v language="$language" '
            $1 == ENVIRON["message"] { found = $language }
            END { print found ? found : ENVIRON["message"] }' "$here/setup-messages.txt"
    fi
}

# Print message $1 in the language of the terminal; each %s in it stands for the next argument.
say() {
    format=$(in_language "$1")
    shift
    # shellcheck disable=SC2059 # the messages are constants
    printf "$format\n" "$@"
}

die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

wrong_usage() {
    printf 'setup.sh: %s\n' "$*" >&2
    usage >&2
    exit 2
}

# ---- Python ------------------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The real path: not a shim, and not the Python of a venv that happens to be active.
real_python() { "$1" -c 'import os, sys; print(os.path.realpath(sys._base_executable))'; }

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo 'unknown'; }

no_python() {
    found=$(command -v python3 || true)
    if [ -z "$found" ]; then
        found='python3 was not found'
    else
        found="found $(version_of "$found") at $found"
    fi
    die "tallyd needs Python 3.11 or newer; $found. Debian 12 and newer have it: sudo apt-get install python3 python3-venv"
}

# Print the Python to use here: $PYTHON if it is set, else python3, else the newest other one.
find_python() {
    for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null 2>&1 && is_new_enough "$python"; then
            real_python "$python"
            return
        fi
        [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is not Python 3.11 or newer"
    done
    no_python
}

# Print a Python that the service can run. The service is another user and cannot see home folders, so it cannot use a
# Python in somebody's home (pyenv, uv), even with the right permissions.
find_system_python() {
    in_a_home=
    for python in ${PYTHON:+"$PYTHON"} /usr/bin/python3 /usr/bin/python3.1[1-9] /usr/local/bin/python3 \
        /usr/local/bin/python3.1[1-9] python3; do
        if ! command -v "$python" >/dev/null 2>&1 || ! is_new_enough "$python"; then continue; fi
        python=$(real_python "$python")
        case $python in
            /home/* | /root/* | /tmp/* | /var/tmp/* | /run/user/*) in_a_home=$python ;;
            *)
                if setpriv --reuid=65534 --regid=65534 --clear-groups -- "$python" -c '' 2>/dev/null; then
                    printf '%s\n' "$python"
                    return
                fi
                in_a_home=$python
                ;;
        esac
    done
    [ -z "$in_a_home" ] || die "the service cannot use $in_a_home: it runs as another user and cannot see home folders. Install the system's Python: apt-get install python3 python3-venv"
    no_python
}

# Make sure that Python $1 can create a venv with pip. On Debian this needs a separate package.
need_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    case $1 in
        /usr/bin/*) package=python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv ;;
        *) die "$1 has no modules venv and ensurepip. Install a complete Python, or use the system's: sudo apt-get install python3 python3-venv" ;;
    esac
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        die "$1 cannot create a venv with pip. Run this, then try again: sudo apt-get install $package"
    fi
    say 'Installing %s, which Python needs to create a venv.' "$package"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$package" >/dev/null; } ||
        die "apt-get could not install $package; see above"
}

# Install the locked packages of $2, then tallyd itself, into the venv $1. $3 is -e to use the source in place.
# Only wheels with a known hash; tallyd itself is built without a package index.
fill_venv() {
    say 'Installing the packages of %s into %s. This takes about a minute without output.' "$(basename "$2")" "$1"
    run_pip "$1" install --require-hashes --only-binary :all: -r "$2" || {
        [ "$("$1/bin/python" -c 'import struct; print(struct.calcsize("P"))')" = 8 ] ||
            say 'This Python is 32-bit, and some packages exist only for 64-bit systems.' >&2
        die "pip could not install $(basename "$2"); see above. Only $1 was changed"
    }
    # shellcheck disable=SC2086 # $3 is -e or nothing at all
    run_pip "$1" install --no-deps --no-build-isolation --no-index --force-reinstall ${3:-} "$here" ||
        die 'pip could not install tallyd itself; see above'
}

# Errors only: pip also warns about indexes in the settings of the machine.
run_pip() {
    python=$1/bin/python
    shift
    "$python" -m pip -qq --disable-pip-version-check --no-input "$@"
}

# ---- demo and test: .venv in this folder -------------------------------------------------------------------

# Print why .venv is created again, if it is: it must work, belong to this Python, and have been created here.
venv_fault() {
    if ! has=$("$venv/bin/python" -c "$which_python" 2>/dev/null); then
        say 'Creating .venv again: it no longer works.'
    elif [ "$has" != "$("$1" -c "$which_python")" ]; then
        say 'Creating .venv again: it belongs to another Python, not %s.' "$1"
    elif ! grep -qF "$venv/bin/python" "$venv/bin/pip" 2>/dev/null; then
        say 'Creating .venv again: it was created in another folder or without pip.'
    fi
}
which_python='import os, sys; print(sys.version, os.path.realpath(sys._base_executable))'

# Create or update .venv for the lock file $1; does nothing if it is up to date.
prepare_venv() {
    python=$(find_python)
    if [ -e "$venv" ]; then
        fault=$(venv_fault "$python")
        if [ -n "$fault" ]; then
            printf '%s\n' "$fault"
            rm -rf -- "$venv" || die "cannot remove $venv; check its owner: ls -ld '$venv'"
        fi
    fi
    if [ ! -e "$venv" ]; then
        need_venv "$python"
        say 'Creating .venv with Python %s.' "$(version_of "$python")"
        "$python" -m venv "$venv" || die "$python could not create a venv; see above"
    fi
    # An unchanged lock needs no pip. Neither do changed sources: they are used in place. Only the catalogs of
    # messages are compiled.
    wanted=$(cat "$here/$1" "$here/pyproject.toml" | sha256sum)
    if [ "$(cat "$venv/installed-$1" 2>/dev/null)" = "$wanted" ]; then
        "$venv/bin/python" "$here/hatch_build.py"
        return
    fi
    fill_venv "$venv" "$here/$1" -e
    printf '%s\n' "$wanted" >"$venv/installed-$1"
}

# Run the daemon with the config in this folder. If there is none, ask a few questions first.
run() {
    prepare_venv requirements.txt
    config=$here/config.json
    if [ ! -e "$config" ]; then
        # A failed first reading is no reason to stop: the daemon keeps trying.
        status=0
        "$venv/bin/tallyd" --config "$config" init --ask || status=$?
        [ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [ -e "$config" ]; } || exit "$status"
        say 'tallyd now runs until Ctrl-C. To start it again: sh setup.sh run. To install it as a service: sudo sh setup.sh install --ask'
    fi
    exec "$venv/bin/tallyd" --config "$config" run
}

demo() {
    prepare_venv requirements.txt
    exec "$venv/bin/tallyd" demo "$@"
}

# Print the name of a check and run it; remember it if it fails.
check() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed, $name"
}

run_tests() {
    prepare_venv requirements-dev.txt
    cd "$here"
    failed=
    PATH=$venv/bin:$PATH
    # Without byte code, each worker and each start of tallyd would compile everything again.
    unset PYTHONDONTWRITEBYTECODE
    python -m compileall -q src
    # All that the tests write is in one folder, and goes with it. Where memory has room, it is there: databases
    # then wait for no disk.
    room_kb=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)
    [ "${room_kb:-0}" -lt 2000000 ] || TMPDIR=/dev/shm
    TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/tallyd.XXXXXX")
    export TMPDIR
    chmod 1777 "$TMPDIR" # as /tmp is: databases run as users of their own
    trap 'rm -rf -- "$TMPDIR"' EXIT
    trap 'exit 130' INT TERM
    check 'format' ruff format --check
    check 'lint' ruff check
    check 'types' mypy
    check 'imports' lint-imports --no-logo
    check 'packages' python -m pip --disable-pip-version-check check
    check 'tests' pytest -n 6 --dist worksteal "$@"
    [ -z "$failed" ] || die "failed: ${failed#, }"
    echo 'Every check passed.'
}

# ---- the service -------------------------------------------------------------------------------------------

need_root() {
    [ "$(id -u)" -eq 0 ] || die "$1 changes the system, so it needs root: sudo sh setup.sh $1"
}

# Two installs at the same time would remove each other's releases.
take_turn() {
    mkdir -p /run/lock
    exec 9>/run/lock/tallyd-setup.lock
    flock -n 9 || die 'another setup.sh is changing the service; wait until it ends'
}

systemd_runs() { [ -d /run/systemd/system ]; }

as_user() { setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"; }

# Print the release that the link $1 (current, previous) points to, or nothing.
release_of() {
    release=$(readlink -- "$opt/$1" || true)
    if [ -n "$release" ] && [ -d "$opt/$release" ]; then printf '%s\n' "${release#releases/}"; fi
}

# Point the link $1 to release $2. It is a rename, so there is no moment without the link.
point() {
    ln -sfn -- "releases/$2" "$opt/$1.new"
    mv -T -- "$opt/$1.new" "$opt/$1"
}

make_user() {
    if ! getent group "$user" >/dev/null; then
        say 'Creating the group %s.' "$user"
        groupadd --system "$user"
    fi
    if ! getent passwd "$user" >/dev/null; then
        say 'Creating the user %s, who cannot log in.' "$user"
        useradd --system --gid "$user" --home-dir "$lib" --no-create-home --shell /usr/sbin/nologin \
            --comment 'tallyd daemon' "$user"
    fi
    admin=${SUDO_USER:-root}
    if [ "$admin" != root ] && ! id -nG "$admin" | tr ' ' '\n' | grep -qx "$user"; then
        say 'Adding %s to the group %s, which may read the config, the data and the log. Log in again for this to take effect.' "$admin" "$user"
        usermod --append --groups "$user" "$admin"
    fi
}

# Print the first content of the file $1: only what it needs to work. The next steps are printed at the end.
first_content() {
    case $1 in
        config.json) cat <<CONFIG ;;
{
  "//": "All keys: docs/config.md. Example with a poller: sudo tallyd init --kind divera. Check this file: sudo tallyd check",
  "language": "$tag",
  "data_dir": "$lib",
  "out": {"dir": "$lib/out"},
  "state": {"dir": "$lib/state"},
  "log": {"dir": "$log"},
  "pollers": {}
}
CONFIG
        env) cat <<'ENV' ;;
# One NAME=value per line, for secrets that the config names as "env:NAME". After a change: sudo systemctl restart tallyd
ENV
    esac
}

make_folders() {
    say 'Creating %s, %s and %s if they are missing.' "$etc" "$lib" "$log"
    install -d -m 0750 -o root -g "$user" "$etc" "$etc/secrets"
    install -d -m 0750 -o "$user" -g "$user" "$lib" "$log"
}

# Write the files $@ of $etc that are missing.
write_missing() {
    has_new_config=no
    for file; do
        [ -e "$etc/$file" ] && continue
        say 'Writing %s.' "$etc/$file"
        [ "$file" != config.json ] || has_new_config=yes
        first_content "$file" >"$etc/$file.new"
        chown "root:$user" "$etc/$file.new"
        chmod 0640 "$etc/$file.new"
        mv -- "$etc/$file.new" "$etc/$file"
    done
}

# Ask for a config with the code of release $1, as the user of the service.
ask_for_config() {
    make_answers
    as_user env -i PATH="$PATH" LANG="$locale" TERM="${TERM:-dumb}" HOME="$lib" \
        "$opt/releases/$1/venv/bin/tallyd" --config "$etc/config.json" init --ask --into "$answers" ||
        die 'the questions were not answered, so nothing was installed'
    move_answers
}

# A folder for the config, which the user of the service writes and root moves.
make_answers() {
    answers=$(mktemp -d /run/tallyd-answers.XXXXXX)
    chown "$user:$user" "$answers"
}

# Move them into place, owned by root and readable for the service: the config last.
move_answers() {
    find "$answers" -type f | sort -r | while IFS= read -r file; do
        target=$etc/${file#"$answers/"}
        [ -e "${target%/*}" ] || install -d -m 0750 -o root -g "$user" "${target%/*}"
        install -m 0640 -o root -g "$user" "$file" "$target"
    done
}

# Restore the backup $2 with the code of release $1, as the user of the service; $2 need not be readable for it.
restore_backup() {
    make_answers
    as_user env -i PATH="$PATH" LANG="$locale" HOME="$lib" \
        "$opt/releases/$1/venv/bin/tallyd" --config "$etc/config.json" restore --into "$answers" - <"$2" ||
        die 'the backup was not restored, see above, so nothing was installed'
    move_answers
}

# Take a first reading with the new config.
first_reading() {
    poller=$("$opt/current/venv/bin/python" -I -c "$names_of_pollers" "$etc/config.json")
    say 'The first reading of %s:' "$poller"
    "$command" once "$poller" || say 'It failed, see above. The service keeps trying: sudo tallyd status'
}
names_of_pollers='import json, sys; print(*json.load(open(sys.argv[1]))["pollers"])'

# Print the lock file of a new release: with Dask if it was asked for, or if the current release has it.
lock_of_release() {
    if [ -n "$dask" ] || [ -x "$opt/current/venv/bin/dask" ]; then
        echo requirements-dask.txt
    else
        echo requirements.txt
    fi
}

# Build release $2 with Python $1: a venv, the unit file and the command, all of this version.
build_release() {
    folder=$opt/releases/$2
    say 'Building tallyd %s in %s with Python %s.' "$2" "$folder" "$(version_of "$1")"
    install -d -m 0755 "$opt" "$opt/releases"
    mkdir -- "$folder"
    "$1" -m venv "$folder/venv" || die "$1 could not create a venv; see above"
    fill_venv "$folder/venv" "$here/$(lock_of_release)"
    cp -- "$folder"/venv/lib/python3*/site-packages/tallyd/tallyd.service "$folder/tallyd.service"
    wrapper | sed "s|@RELEASE@|$folder|" >"$folder/tallyd"
    chmod 0755 "$folder/tallyd"
}

version_here() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/src/tallyd/__init__.py"; }

# Check the config with the code of release $1, as the service would: with its user and its environment, not ours.
check_config() {
    env -i PATH="$PATH" LANG="${LANG:-C.UTF-8}" "$opt/releases/$1/tallyd" check
}

# Make a backup with the code of release $1 while the daemon runs, if there is anything yet; keep the last three.
back_up() {
    [ -e "$lib/state" ] || return 0
    as_user install -d -m 0750 "$lib/backups"
    env -i PATH="$PATH" LANG="$locale" "$opt/releases/$1/tallyd" backup "$lib/backups/$(date -u +%Y-%m-%dT%H%M%SZ).zip" || return
    for old in $(find "$lib/backups" -name '*Z.zip' | sort -r | tail -n +4); do rm -f -- "$old"; done
}

# Install the unit file and the command of the current release.
put_in_place() {
    install -m 0644 "$opt/current/tallyd.service" "$unit"
    install -d -m 0755 "$(dirname -- "$command")"
    ln -sfn -- "$opt/current/tallyd" "$command"
}

# Restart the service with the installed files. True if it reports ready and still runs 3 s later.
start_service() {
    systemctl daemon-reload
    if systemctl restart tallyd.service && sleep 3 && systemctl is-active --quiet tallyd.service; then
        say 'The service is running.'
    else
        say 'The service did not start. Its last log lines:' >&2
        journalctl --unit tallyd.service --lines 15 --no-pager --output cat >&2 || true
        return 1
    fi
}

# Switch to release $1 and start it; if it does not start, switch back to $2.
switch() {
    say 'Switching to %s.' "$1"
    point current "$1"
    put_in_place
    systemd_runs || return 0
    start_service && return
    say 'Switching back to %s.' "$2"
    point current "$2"
    put_in_place
    start_service || true
    return 1
}

# Remove what an interrupted or failed install leaves behind.
drop_unfinished() {
    [ -z "${answers:-}" ] || rm -rf -- "$answers"
    [ -z "${unfinished:-}" ] || rm -rf -- "$opt/releases/$unfinished"
}

install_service() {
    need_root "install${asks:+ --ask}${backup:+ --restore $backup}${dask:+ --dask}"
    if [ -n "$backup" ]; then
        [ -z "$asks" ] || wrong_usage '--ask and --restore exclude each other'
        [ -r "$backup" ] || die "cannot read $backup"
        [ ! -e "$etc/config.json" ] || die "$etc/config.json exists, so this is no new machine. To restore beside it: sudo tallyd restore - <$backup"
    fi
    if [ -n "$asks" ] && [ -e "$etc/config.json" ]; then
        say '%s already exists and is not changed, so there are no questions.' "$etc/config.json"
        asks=
    fi
    [ -z "$asks" ] || [ -t 0 ] || die '--ask needs a terminal; without one, run: sudo sh setup.sh install'
    take_turn
    umask 022
    [ -L "$command" ] || [ ! -e "$command" ] || die "$command was not installed by this setup.sh; move it away first"
    python=$(find_system_python)
    need_venv "$python"
    make_user
    make_folders
    old=$(release_of current)
    new=$(version_here)-$(date -u +%Y%m%dT%H%M%SZ)
    unfinished=$new
    trap drop_unfinished EXIT
    trap 'exit 130' INT TERM HUP
    build_release "$python" "$new"
    [ -z "$asks" ] || ask_for_config "$new"
    [ -z "$backup" ] || restore_backup "$new" "$backup"
    write_missing config.json env
    say 'Checking %s with %s.' "$etc/config.json" "$new"
    fits=yes
    check_config "$new" || fits=no
    if [ -z "$old" ]; then
        first_install "$new"
    else
        [ "$fits" = yes ] || die "$new rejects the config, see above. Nothing was changed; $old keeps running"
        upgrade "$old" "$new"
    fi
}

first_install() {
    point current "$1"
    unfinished=
    put_in_place
    if systemd_runs; then systemctl enable --quiet tallyd.service; fi
    if [ "$fits" = no ]; then
        die 'installed, but not started: the config has problems, see above. Fix them, then run: sudo systemctl restart tallyd'
    fi
    if systemd_runs; then
        start_service || die 'installed, but the service did not start, see above'
    else
        say 'systemd is not running here, so the service was not started. On a system with systemd: sudo systemctl enable --now tallyd'
    fi
    if [ -n "$asks" ]; then
        first_reading
        say 'To see the status: sudo tallyd status. All keys of the config: docs/config.md'
    elif [ "$has_new_config" = yes ]; then
        next_steps
    else
        say 'The service uses the existing config: %s' "$etc/config.json"
    fi
}

upgrade() {
    back_up "$2" || die "could not back up the databases, see above. Nothing was changed; $1 keeps running"
    unfinished= # from here on it may be in use
    if ! switch "$2" "$1"; then
        rm -rf -- "$opt/releases/$2"
        die "$2 did not start, so setup.sh switched back to $1$where_backups"
    fi
    point previous "$1"
    drop_old_releases
    say 'Upgraded from %s to %s. To go back: sudo sh setup.sh rollback' "$1" "$2"
}
where_backups=". Backups of the databases from before each upgrade are in $lib/backups"

drop_old_releases() {
    for folder in "$opt"/releases/*; do
        case ${folder##*/} in
            "$(release_of current)" | "$(release_of previous)") ;;
            *)
                say 'Removing the old version %s.' "${folder##*/}"
                rm -rf -- "$folder"
                ;;
        esac
    done
}

next_steps() {
    say 'Next steps:'
    say '  1. Save the access key: run this, type the key, press Enter, then Ctrl-D.'
    echo "     sudo install -m 0640 -g $user /dev/stdin $etc/secrets/divera-key"
    say '  2. Write a config with a poller (or --kind visitors, --kind servers). The file keeps its owner and mode.'
    echo "     sudo sh -c 'tallyd init --kind divera >$etc/config.json'"
    say '  3. Check the config and the source. The service loads the config automatically.'
    echo '     sudo tallyd check --online'
}

roll_back() {
    need_root rollback
    take_turn
    current=$(release_of current)
    previous=$(release_of previous)
    [ -n "$current" ] || die 'the service is not installed; run first: sudo sh setup.sh install'
    [ -n "$previous" ] || die 'there is no previous version to go back to'
    switch "$previous" "$current" || die "$previous did not start, so setup.sh switched back to $current$where_backups"
    point previous "$current"
    say 'Switched to %s. %s is kept; to switch forward: sudo sh setup.sh rollback. Backups of the databases from before each upgrade are in %s.' "$previous" "$current" "$lib/backups"
}

# ---- allow -------------------------------------------------------------------------------------------------

# Print a path as one word of a unit file: quoted, with escapes and specifiers disabled.
unit_word() { printf '%s' "$1" | sed 's/[\\"]/\\&/g; s/%/%%/g; s/^/"/; s/$/"/'; }

# Print the mount unit of the file system of a folder, if there is one.
mount_unit_of() {
    folder=$1
    while [ "$folder" != / ]; do
        name=$(systemd-escape --path --suffix=mount "$folder")
        if [ "$(systemctl show --property=LoadState --value "$name")" = loaded ]; then
            printf '%s\n' "$name"
            return
        fi
        folder=$(dirname -- "$folder")
    done
}

# Print the drop-in that lets the service write folder $1. $2 is the unit that mounts it, empty if there is none.
drop_in() {
    # Wants, not Requires: without the share, tallyd still starts and runs, and reports that the folder is missing.
    [ -z "$2" ] || printf '[Unit]\nWants=%s\nAfter=%s\n' "$2" "$2"
    printf '[Service]\n'
    # The dash: a missing folder is an alert, and no reason not to start.
    word=$(unit_word "-$1")
    case $1 in
        # The service cannot see /home. It gets an empty /home that contains only this folder.
        # Not ProtectHome=tmpfs: systemd 252 leaves that writable. If the folder were removed, tallyd would create
        # a new inbox there, into which nobody writes files.
        /home/*)
            printf 'ProtectHome=no\nTemporaryFileSystem=/home:ro,mode=0755\nInaccessiblePaths=-/root -/run/user\n'
            printf 'BindPaths=%s\n' "$word"
            ;;
    esac
    printf 'ReadWritePaths=%s\n' "$word"
}

allow() {
    need_root 'allow PATH'
    take_turn
    [ -e "$unit" ] || die 'the service is not installed; run first: sudo sh setup.sh install'
    systemd_runs || die 'systemd is not running here'
    path=$(readlink -e -- "$1") || die "$1 does not exist"
    [ -d "$path" ] || die "$path is not a folder"
    case $path in
        *[[:cntrl:]]*) die 'a unit file cannot contain a path with control characters' ;;
        "$lib" | "$lib"/* | "$log" | "$log"/*)
            say 'The service may already write to %s.' "$path"
            return
            ;;
        /home/*/*) ;;
        / | /home | /home/* | /opt | /run | /var | /var/lib | /var/log)
            die "$path is too broad; name only the folder that the service needs" ;;
        /bin | /bin/* | /boot | /boot/* | /dev | /dev/* | /etc | /etc/* | /lib | /lib/* | /lib64 | /lib64/* | \
            "$opt" | "$opt"/* | /proc | /proc/* | /root | /root/* | /run/* | /sbin | /sbin/* | /sys | /sys/* | \
            /usr | /usr/* | /var/lib/dpkg | /var/lib/dpkg/* | /var/lib/systemd | /var/lib/systemd/*)
            die "$path belongs to the system; use a folder elsewhere, for example $lib/inbox" ;;
        /tmp | /tmp/* | /var/tmp | /var/tmp/*)
            die "the service has its own /tmp and cannot see $path; use a folder elsewhere, for example $lib/inbox" ;;
    esac
    dropin=$unit.d/allow-$(systemd-escape --path "$path").conf
    say 'Allowing the service to write to %s: %s' "$path" "$dropin"
    install -d -m 0755 "$unit.d"
    drop_in "$path" "$(mount_unit_of "$path")" >"$dropin"
    chmod 0644 "$dropin"
    start_service || die "the service does not start with this setting; to undo it: sudo rm '$dropin' && sudo systemctl daemon-reload"
    # Print the owner and mode of the folder, but do not change them. The test runs in the service's own view.
    say '%s belongs to %s, group %s, mode %s.' "$path" "$(stat -c %U -- "$path")" "$(stat -c %G -- "$path")" "$(stat -c %a -- "$path")"
    pid=$(systemctl show --property=MainPID --value tallyd.service)
    nsenter --target "$pid" --mount -- setpriv --reuid="$user" --regid="$user" --init-groups -- test -w "$path" -a -x "$path" ||
        say 'The user %s cannot write to it yet. To give it to the group: %s' "$user" "sudo chgrp $user '$path' && sudo chmod g+rwxs '$path'"
}

# ---- uninstall ---------------------------------------------------------------------------------------------

# Print a file that waits in an inbox below $lib, if there is one. An inbox has a folder .tallyd in it.
waiting_file() {
    { printf '%s\n' "$lib/inbox" && find "$lib" -type d -name .tallyd -prune 2>/dev/null | sed 's|/\.tallyd$||'; } |
        while IFS= read -r inbox; do
            find "$inbox" -name .tallyd -prune -o -type f -print 2>/dev/null
        done | head -n 1
}

# Refuse to purge if an inbox still has files, or if something is mounted or linked there.
may_purge() {
    waiting=$(waiting_file)
    [ -z "$waiting" ] || die "files are waiting in an inbox, for example $waiting. Move them away first; nothing was changed"
    for folder in "$etc" "$lib" "$log"; do
        [ ! -L "$folder" ] || die "$folder is a link; remove it and its target by hand first; nothing was changed"
        mounted=$(awk -v folder="$folder" '$5 == folder || index($5, folder "/") == 1 { print $5; exit }' /proc/self/mountinfo)
        [ -z "$mounted" ] || die "something is mounted at $mounted; unmount it first; nothing was changed"
    done
}

uninstall() {
    need_root uninstall
    take_turn
    [ "$1" = keep ] || may_purge
    if [ -e "$unit" ] && systemd_runs; then
        say 'Stopping the service.'
        systemctl disable --now --quiet tallyd.service
    fi
    say 'Removing %s, %s and %s.' "$unit" "$command" "$opt"
    rm -f -- "$unit" /etc/systemd/system/multi-user.target.wants/tallyd.service
    [ ! -L "$command" ] || rm -f -- "$command"
    rm -rf -- "$opt"
    if [ "$1" = purge ]; then
        say 'Removing %s, %s, %s and %s.' "$etc" "$lib" "$log" "$unit.d"
        rm -rf --one-file-system -- "$etc" "$lib" "$log" "$unit.d"
        say 'Removing the user and the group %s.' "$user"
        if getent passwd "$user" >/dev/null; then userdel "$user"; fi
        if getent group "$user" >/dev/null; then groupdel "$user"; fi
    else
        say 'Kept: the config in %s, the data in %s, the log in %s, the user %s.' "$etc" "$lib" "$log" "$user"
        say 'To remove these too: sudo sh setup.sh uninstall --purge'
    fi
    ! systemd_runs || systemctl daemon-reload
}

# ---- the command -------------------------------------------------------------------------------------------

# Print /usr/local/bin/tallyd; @RELEASE@ stands for the folder of its release.
wrapper() {
    cat <<'WRAPPER'
#!/bin/sh
# The installed tallyd. It uses the installed config (never a ./config.json) and the environment of the service, and
# leaves no file that the daemon cannot write. Created by setup.sh.
set -eu

release=@RELEASE@
config=/etc/tallyd/config.json
env_file=/etc/tallyd/env
home=/var/lib/tallyd
user=tallyd

die() {
    printf 'tallyd: %s\n' "$*" >&2
    exit 1
}

# Export the variables in file $1, read as systemd reads an EnvironmentFile=. It is not run: $ and ` have no meaning.
read_env() {
    newline='
'
    tab=$(printf '\t') return=$(printf '\r')
    state=before_key key='' value='' spaces=''
    while
        if IFS= read -r rest; then rest=$rest$newline; fi
        [ -n "$rest" ]
    do
        while [ -n "$rest" ]; do
            char=${rest%"${rest#?}"}
            rest=${rest#?}
            take "$char"
        done
    done <"$1"
    case $state in before_key | comment | key) ;; *) set_variable ;; esac
}

# Process one character. Spaces wait until a later character shows that they are inside a value, not after it.
take() {
    case $state in
        before_key)
            case $1 in
                ' ' | "$tab" | "$return" | "$newline") ;;
                '#' | ';') state=comment ;;
                *) state=key key=$1 ;;
            esac
            ;;
        comment) case $1 in "$newline" | "$return") state=before_key ;; esac ;;
        key)
            case $1 in
                "$newline" | "$return") state=before_key ;;
                '=') state=before_value value='' spaces='' ;;
                *) key=$key$1 ;;
            esac
            ;;
        before_value)
            case $1 in
                "$newline" | "$return") set_variable ;;
                ' ' | "$tab") ;;
                "'") state=single ;;
                '"') state=double ;;
                \\) state=escape ;;
                *) state=value value=$value$1 ;;
            esac
            ;;
        value)
            case $1 in
                "$newline" | "$return") set_variable ;;
                ' ' | "$tab") spaces=$spaces$1 ;;
                \\) state=escape value=$value$spaces spaces='' ;;
                *) value=$value$spaces$1 spaces='' ;;
            esac
            ;;
        escape)
            state=value
            case $1 in "$newline" | "$return") ;; *) value=$value$1 ;; esac
            ;;
        single) case $1 in "'") state=before_value ;; *) value=$value$1 ;; esac ;;
        double)
            case $1 in
                '"') state=before_value ;;
                \\) state=double_escape ;;
                *) value=$value$1 ;;
            esac
            ;;
        double_escape)
            state=double
            case $1 in
                '"' | \\ | '$' | '`') value=$value$1 ;;
                "$newline") ;;
                *) value=$value\\$1 ;;
            esac
            ;;
    esac
}

set_variable() {
    state=before_key
    case $key in
        *[' '"$tab"]) key=${key%"${key##*[! "$tab"]}"} ;;
    esac
    case $key in
        '' | [0-9]* | *[!A-Za-z0-9_]*) ;;
        *) export "$key=$value" ;;
    esac
}

# An option before the command may name another config.
command='' own_config='' next_is_config=no
for argument; do
    if [ "$next_is_config" = yes ]; then
        next_is_config=no own_config=$argument
        continue
    fi
    case $argument in
        --config) next_is_config=yes ;;
        --config=*) own_config=${argument#--config=} ;;
        -*) ;;
        *)
            command=$argument
            break
            ;;
    esac
done

me=$(id -un)
if [ "$me" != "$user" ] && [ "$(id -u)" -ne 0 ]; then
    if ! id -nG | tr ' ' '\n' | grep -qx "$user"; then
        if id -nG "$me" | tr ' ' '\n' | grep -qx "$user"; then
            die "$me joined the group $user after logging in. Log in again, or use sudo: sudo tallyd${command:+ $command}"
        fi
        die "$me is not in the group $user. Use sudo: sudo tallyd${command:+ $command}"
    fi
    # The group may read files, which is all these commands need. A command that opens a database, even only to read,
    # may write files beside it (SQLite's -wal and -shm), and the daemon must be able to write those.
    case $command in
        '' | check | demo | init | schema) ;;
        *) die "\"$command\" opens the service's databases. Use sudo: sudo tallyd $command" ;;
    esac
fi

[ ! -t 2 ] || [ -z "$command" ] || printf 'tallyd: config %s\n' "${own_config:-$config}" >&2
[ -n "$own_config" ] || [ -z "$command" ] || set -- --config "$config" "$@"
set -- "$release/venv/bin/tallyd" "$@"
umask 0027
unset PYTHONHOME PYTHONPATH
[ ! -r "$env_file" ] || read_env "$env_file"

[ "$(id -u)" -eq 0 ] || exec "$@"
export HOME="$home" USER="$user" LOGNAME="$user"
# Only privacy-check reads the journal, so only there the user gets the permission.
if [ "$command" = privacy-check ] && getent group systemd-journal >/dev/null; then
    groups=$(id -nG "$user" | tr ' ' ','),systemd-journal
    exec setpriv --reuid="$user" --regid="$user" --groups="$groups" -- "$@"
fi
exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
WRAPPER
}

# ---- which command ---------------------------------------------------------------------------------------

no_more() { [ "$#" -le 1 ] || wrong_usage "$1 takes no arguments"; }

case ${1:-} in
    '' | -h | --help | help) usage ;;
    run)
        no_more "$@"
        run
        ;;
    demo | test)
        what=$1
        shift
        if [ "$what" = demo ]; then demo "$@"; else run_tests "$@"; fi
        ;;
    install)
        asks='' dask='' backup=''
        shift
        while [ "$#" -gt 0 ]; do
            case $1:$# in
                --ask:*) asks=yes ;;
                --dask:*) dask=yes ;;
                --restore:1) wrong_usage '--restore needs the file of a backup' ;;
                --restore:*)
                    backup=$2
                    shift
                    ;;
                *) wrong_usage 'the options of install are --ask, --restore FILE and --dask' ;;
            esac
            shift
        done
        install_service
        ;;
    rollback)
        no_more "$@"
        roll_back
        ;;
    allow)
        [ "$#" -eq 2 ] || wrong_usage 'allow takes one path'
        allow "$2"
        ;;
    uninstall)
        case ${2:-}:$# in
            :1) uninstall keep ;;
            --purge:2) uninstall purge ;;
            *) wrong_usage 'the only option of uninstall is --purge' ;;
        esac
        ;;
    *) wrong_usage "there is no command $1" ;;
esac
