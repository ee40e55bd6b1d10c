#!/bin/sh
# Sets up tallyd: run it here, show the demo, run the tests, or install it as a service.
# `sh setup.sh` alone lists the commands. POSIX sh; every command may be repeated at any time.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$here/.venv

opt=/opt/tallyd # the releases of the service; docs/install.md explains its other places

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
    de | de[_.@]*) language=2 ;;
    zh | zh[_.@]*) language=3 ;;
    *) language=1 ;;
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
    # pytest compiles the tests with asserts of its own: once, beside the checks that need one processor alone, and not
    # in each worker at the same time.
    [ -n "$(find tests -name '*-pytest-*.pyc' -print -quit)" ] || pytest --collect-only -qq >/dev/null 2>&1 &
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
    wait
    check 'tests' pytest -n 3 --dist worksteal "$@"
    [ -z "$failed" ] || die "failed: ${failed#, }"
    echo 'Every check passed.'
}

# ---- the service: `tallyd service` does all but building --------------------------------------------------

need_root() {
    [ "$(id -u)" -eq 0 ] || die "$1 changes the system, so it needs root: sudo sh setup.sh $1"
}

# Print the lock file of a new release: with Dask if it was asked for, or if the current release has it.
lock_of_release() {
    if [ -n "$dask" ] || "$opt/current/venv/bin/python" -c "import distributed" 2>/dev/null; then
        echo requirements-dask.txt
    else
        echo requirements.txt
    fi
}

version_here() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/src/tallyd/__init__.py"; }

# Build a release of this source. Its own code installs it, or removes it again.
install_service() {
    need_root "install${asks:+ --ask}${backup:+ --restore $backup}${dask:+ --dask}"
    [ -z "$asks" ] || [ -z "$backup" ] || wrong_usage '--ask and --restore exclude each other'
    [ -z "$backup" ] || [ -r "$backup" ] || die "cannot read $backup"
    [ -z "$asks" ] || [ -t 0 ] || die '--ask needs a terminal; without one, run: sudo sh setup.sh install'
    umask 022
    python=$(find_system_python)
    need_venv "$python"
    release=$(version_here)-$(date -u +%Y%m%dT%H%M%SZ)
    folder=$opt/releases/$release
    say 'Building tallyd %s in %s with Python %s.' "$release" "$folder" "$(version_of "$python")"
    trap 'rm -rf -- "$folder"' EXIT
    trap 'exit 130' INT TERM HUP
    install -d -m 0755 "$opt" "$opt/releases"
    mkdir -- "$folder"
    "$python" -m venv "$folder/venv" || die "$python could not create a venv; see above"
    fill_venv "$folder/venv" "$here/$(lock_of_release)"
    exec "$folder/venv/bin/tallyd" service install ${asks:+--ask} ${backup:+--restore "$backup"}
}

# Run `tallyd service` of the installed release.
service() {
    need_root "$*"
    [ -x "$opt/current/venv/bin/tallyd" ] || die 'the service is not installed; run first: sudo sh setup.sh install'
    exec "$opt/current/venv/bin/tallyd" service "$@"
}

# From this source, because it must also work when only the data is left. It needs no package.
uninstall() {
    need_root uninstall
    PYTHONPATH=$here/src PYTHONDONTWRITEBYTECODE=1 exec "$(find_python)" -m tallyd.cli.service.uninstall "$@"
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
        service rollback
        ;;
    allow)
        [ "$#" -eq 2 ] || wrong_usage 'allow takes one path'
        service allow "$2"
        ;;
    uninstall)
        case ${2:-}:$# in
            :1) uninstall ;;
            --purge:2) uninstall --purge ;;
            *) wrong_usage 'the only option of uninstall is --purge' ;;
        esac
        ;;
    *) wrong_usage "there is no command $1" ;;
esac
