#!/bin/sh
# The installed tallyd. It uses the installed config (never a ./config.json) and the environment of the service, and
# leaves no file that the daemon cannot write. `tallyd service install` writes it, with the folder of its release.
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

umask 0027
unset PYTHONHOME PYTHONPATH

# This one changes the system, and root must stay root for that.
[ "$command" != service ] || exec "$release/venv/bin/tallyd" "$@"

# A shell that asks what may come next gets the commands, and names if its user may read them.
me=$(id -un)
if [ "$me" != "$user" ] && [ "$(id -u)" -ne 0 ] && [ -z "${_TALLYD_COMPLETE:-}" ]; then
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
set -- "$release/venv/bin/tallyd" "$@"
[ ! -r "$env_file" ] || read_env "$env_file"
export TALLYD_CONFIG="$config"

[ "$(id -u)" -eq 0 ] || exec "$@"
export HOME="$home" USER="$user" LOGNAME="$user"
# Only privacy-check reads the journal, so only there the user gets the permission.
if [ "$command" = privacy-check ] && getent group systemd-journal >/dev/null; then
    groups=$(id -nG "$user" | tr ' ' ','),systemd-journal
    exec setpriv --reuid="$user" --regid="$user" --groups="$groups" -- "$@"
fi
exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
