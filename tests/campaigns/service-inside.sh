#!/bin/sh
# Runs inside the container of service.sh, as root, one phase at a time. Exit status 0: all was as it must be.

set -u

FORM=$(cat /campaign/form)
export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels LANG=C.UTF-8
cd /

failures=0
step() { printf '\n-- %s\n' "$*"; }

# expect WHAT COMMAND...: the command must succeed; its output is shown only when it does not.
expect() {
    what=$1
    shift
    if "$@" >/tmp/expect 2>&1; then
        printf 'ok      %s\n' "$what"
    else
        printf 'FAILED  %s: %s\n' "$what" "$*"
        tail -n 40 /tmp/expect | sed 's/^/        | /'
        failures=$((failures + 1))
    fi
}

# refused WHAT STATUS TEXT COMMAND...: it must end with STATUS and say TEXT.
refused() {
    what=$1 status=$2 text=$3
    shift 3
    "$@" >/tmp/refused 2>&1
    got=$?
    expect "$what" ended_so "$got" "$status" "$text"
}
ended_so() {
    cat /tmp/refused
    echo "exit status $1, wanted $2 and: $3"
    [ "$1" = "$2" ] && grep -qF -- "$3" /tmp/refused
}

# within SECONDS COMMAND...: it must succeed before that.
within() {
    until_s=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$until_s" ] || return 1
        sleep 0.3
    done
}

not() { ! "$@"; }
is() { echo "is $1, wanted $2" && [ "$1" = "$2" ]; }
has() { printf '%s\n' "$2" && printf '%s\n' "$2" | grep -qF -- "$1"; }
setup() { sh /src/setup.sh "$@"; }
again() { /root/venv/bin/python -m tallyd service install; }
property() { systemctl show --property="$1" --value tallyd.service; }
as() { # as USER COMMAND...: with the groups it has now, as after a new log-in
    who=$1
    shift
    setpriv --reuid="$who" --regid="$(id -gn "$who")" --init-groups -- "$@"
}
owner_and_mode() { stat -c '%U:%G %a' "$1"; }
journal() { journalctl --unit tallyd.service --no-pager --output cat; }
releases() { find /opt/tallyd/releases -mindepth 1 -maxdepth 1 | wc -l; }
current() { basename "$(readlink -f /opt/tallyd/current)"; }
# What the service itself sees and may do: its mounts and its user.
in_service() { nsenter --target "$(property MainPID)" --mount -- setpriv --reuid=tallyd --regid=tallyd --init-groups -- "$@"; }

check_places() {
    expect 'modes: /etc/tallyd' is "$(owner_and_mode /etc/tallyd)" 'root:tallyd 750'
    expect 'modes: config.json' is "$(owner_and_mode /etc/tallyd/config.json)" 'root:tallyd 640'
    expect 'modes: secrets/' is "$(owner_and_mode /etc/tallyd/secrets)" 'root:tallyd 750'
    expect 'modes: env' is "$(owner_and_mode /etc/tallyd/env)" 'root:tallyd 640'
    expect 'modes: /var/lib/tallyd' is "$(owner_and_mode /var/lib/tallyd)" 'tallyd:tallyd 750'
    expect 'modes: /var/log/tallyd' is "$(owner_and_mode /var/log/tallyd)" 'tallyd:tallyd 750'
    expect 'only root may change the code' is "$(find /opt/tallyd ! -user root -o -perm /022 ! -type l | head -n 1)" ''
    expect 'the user cannot log in' is "$(getent passwd tallyd | cut -d: -f6,7)" '/var/lib/tallyd:/usr/sbin/nologin'
    expect 'tallyd --version' /usr/local/bin/tallyd --version
    expect 'tallyd check' /usr/local/bin/tallyd check
}

nothing_left() {
    for place in /opt/tallyd /etc/tallyd /var/lib/tallyd /var/log/tallyd /usr/local/bin/tallyd \
        /etc/systemd/system/tallyd.service /etc/systemd/system/tallyd.service.d; do
        expect "gone: $place" [ ! -e "$place" ]
    done
    expect 'gone: the user' not getent passwd tallyd
    expect 'gone: the group' not getent group tallyd
}

# ---- 1. a container without systemd -----------------------------------------------------------------------

without_systemd() {
    step 'a wheel in the home of a user, as pipx and uv have it; installed where no systemd runs'
    useradd --create-home alice
    (umask 002 && python3 -m venv /home/alice/venv)
    expect 'pip' /home/alice/venv/bin/pip install --quiet --require-hashes -r /src/requirements.txt
    expect 'a wheel' sh -c 'cd /src && /home/alice/venv/bin/python -m hatchling build -t wheel -d /tmp/wheel'
    expect 'pip' /home/alice/venv/bin/pip install --quiet --no-deps /tmp/wheel/tallyd-*.whl
    chown -R alice:alice /home/alice
    refused 'it needs root' 1 'sudo /home/alice/venv/bin/tallyd service install' as alice /home/alice/venv/bin/tallyd service install
    /home/alice/venv/bin/tallyd service install >/tmp/install 2>&1
    expect 'install ends well' is "$?" 0
    expect 'it says why nothing was started' has 'systemd is not running here' "$(cat /tmp/install)"
    mv /home/alice/venv /home/alice/gone # the service has its own
    check_places
    expect 'a man page' test -s "$(readlink -f /usr/local/share/man/man1/tallyd.1)"
    expect 'a shell completes' has privacy-check "$(_TYPER_COMPLETE_ARGS='tallyd pri' _TYPER_COMPLETE_FISH_ACTION=get-args _TALLYD_COMPLETE=complete_fish as alice tallyd)"
    expect 'nothing leads back to the home' is "$(grep -rlI /home/alice /opt/tallyd --include='*.pth' --include='*.cfg' --include=tallyd)" ''
    refused 'there is nothing newer' 1 'is installed already' tallyd service install
    mv /home/alice/gone /home/alice/venv
    step 'uninstall --purge'
    expect 'purge' setup uninstall --purge
    nothing_left
    expect 'uninstalling what is not there is fine' setup uninstall
    step 'a Debian package of the same'
    expect 'dpkg-deb' env VENV=/home/alice/venv COMPRESSION=none sh /src/packaging/deb.sh /root
    expect 'nothing in it leads back to the home' is "$(dpkg-deb --fsys-tarfile /root/tallyd_*.deb | tar -xO --wildcards '*.pth' '*/pyvenv.cfg' '*/bin/*' 2>/dev/null | grep -c /home/alice)" 0
    expect 'the source is as it was' is "$(find /src ! -user root -o -name '*.egg-info' -o -name build)" ''
    userdel --remove alice
}

# ---- 2. from install to rollback ---------------------------------------------------------------------------

mock() { # a Divera API on loopback; see divera_mock.py
    systemd-run --quiet --unit=divera-mock python3 /src/tests/campaigns/divera_mock.py
    within 10 python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8099))' 2>/dev/null
}

# Write a config with one poller that runs at $1 and, so that it is never without a next run, at midnight.
write_config() {
    cat >/tmp/config.json <<CONFIG
{
  "timezone": "UTC",
  "data_dir": "/var/lib/tallyd",
  "out": {"dir": "/var/lib/tallyd/out"},
  "state": {"dir": "/var/lib/tallyd/state"},
  "log": {"dir": "/var/log/tallyd"},
  "name": "station",
  "channels": {"chat": "env:CHAT_URL"},
  "alerts": {"channels": ["chat"]},
  "pollers": {
    "divera": {
      "kind": "divera",
      "url": "http://127.0.0.1:8099/api/users",
      "accesskey": "env:DIVERA_ACCESSKEY",
      "at": ["$1"],
      "at_least": [{"statuses": ["50101"], "count": 5}]
    }
  }
}
CONFIG
    cat /tmp/config.json >/etc/tallyd/config.json
}
in_seconds() { date -u -d "+$1 seconds" +%H:%M:%S; }
break_config() { sed -i 's/"accesskey"/"acceskey"/' /etc/tallyd/config.json; }
mend_config() { sed -i 's/"acceskey"/"accesskey"/' /etc/tallyd/config.json; }
readings() { find /var/lib/tallyd/out/divera -name '20*.json' 2>/dev/null | wc -l; }
readings_are() { [ "$(readings)" -ge "$1" ]; }
status_has() { tallyd status 2>&1 | grep -qF -- "$1"; }
failed() { [ "$(property ActiveState)" = failed ]; }
runs_as_other_than() { [ "$(property MainPID)" != "$1" ] && runs; }
send() { [ "$2" -eq 0 ] || kill "-$1" "$2"; } # 0, no process, would mean all of ours
notices_have() { grep -qF -- "$1" /run/notices; }
runs() { is "$(property ActiveState)/$(property SubState)" active/running; }

first_boot() {
    useradd --create-home alice
    useradd --create-home bob
    export SUDO_USER=alice

    step 'install'
    setup install >/tmp/install 2>&1
    expect 'install ends well' is "$?" 0
    expect 'it prints the next steps' has 'sudo tallyd check --online' "$(cat /tmp/install)"
    check_places
    expect 'the service runs' runs
    expect 'and will after a boot' systemctl is-enabled --quiet tallyd.service
    expect 'alice is in the group' has tallyd "$(id -nG alice)"
    expect 'its status line says what to do next' has 'no poller is configured' "$(property StatusText)"
    expect 'no unit is broken' is "$(systemctl --failed --no-legend)" ''
    expect 'systemd has nothing to say about the unit' is "$(systemd-analyze verify tallyd.service 2>&1)" ''

    step 'the printed steps: a config to begin with'
    pristine=$(cat /etc/tallyd/config.json)
    sh -c "$(sed -n "s/^ *sudo sh -c '\(.*\)'$/\1/p" /tmp/install | sed 's/divera/visitors/')"
    expect 'it keeps owner and mode' is "$(owner_and_mode /etc/tallyd/config.json)" 'root:tallyd 640'
    expect 'it is fine' tallyd check
    expect 'its poller runs' within 20 status_has sweep
    expect 'its inbox is there, for the group to write' is "$(owner_and_mode /var/lib/tallyd/inbox/visitors)" 'tallyd:tallyd 770'
    expect 'no unit is broken' is "$(systemctl --failed --no-legend)" ''
    expect 'nothing is wrong' status_has 'No open alert.'

    step 'a config with the folders of a clone'
    tallyd --config /root/config.json init --kind servers >/etc/tallyd/config.json
    refused 'check says that the service may not write there' 78 'out.dir: the service may not write /etc/tallyd/out' tallyd check
    expect 'the running service refuses it' within 20 status_has 'is REJECTED since'
    expect 'and status shows what it does' status_has 'visitors'
    sed -i 's|"timezone"|"data_dir": "/var/lib/tallyd/elsewhere", "log": {"dir": "/var/log/tallyd"}, "timezone"|' /etc/tallyd/config.json
    expect 'what a restart would take is fine' tallyd check
    expect 'and what the running one refuses is said' has 'data_dir: changed; the running tallyd rejects this file until a restart: sudo systemctl restart tallyd' "$(tallyd check)"
    install -d -o root -m 0755 /var/lib/tallyd/elsewhere
    refused 'a folder of its own that it may not write' 78 'this user may not write /var/lib/tallyd/elsewhere' tallyd check
    rmdir /var/lib/tallyd/elsewhere

    step 'broken JSON'
    echo '{"data_dir" 1' >/etc/tallyd/config.json
    expect 'status begins with it' within 20 status_has 'invalid JSON at line 1, column 13'
    expect 'and shows what the service does' status_has visitors
    expect 'alerts are shown, too' has 'No open alert' "$(tallyd alerts 2>/dev/null)"
    expect 'and a mute is taken' tallyd mute 'visitors/*' --for 1m
    printf '%s\n' "$pristine" >/etc/tallyd/config.json
    expect 'mended, it is taken' within 20 status_has 'No poller is configured'

    step 'a first poller: the new config is taken without a restart, and a real slot gives a reading'
    mock
    pid=$(property MainPID)
    {
        echo 'DIVERA_ACCESSKEY="key-%h"'
        echo 'CHAT_URL=http://127.0.0.1:8099/hooks/abcdef1234567890/a-token-4711a-token-4711'
    } >>/etc/tallyd/env
    systemctl restart tallyd.service # the environment is systemd's to read
    expect 'a restart takes the new environment' not is "$(property MainPID)" "$pid"
    pid=$(property MainPID)
    at=$(in_seconds 12)
    write_config "$at"
    expect 'a reading is written' within 40 readings_are 1
    expect 'by the same process' is "$(property MainPID)" "$pid"
    file=$(find /var/lib/tallyd/out/divera -name '20*.json' | head -n 1)
    expect 'as a file of the service' is "$(owner_and_mode "$file")" 'tallyd:tallyd 640'
    expect 'with the counts' grep -q '"50101": *1' "$file"
    expect 'no name of a person and no key is anywhere' not grep -rqE 'Zita|key-%h|a-token-4711' /var/lib/tallyd /var/log/tallyd
    expect 'the chat is told that too few are there' within 20 notices_have '[station] divera: 1 person on 50101, minimum 5'
    expect 'once' is "$(grep -c 'minimum 5' /run/notices)" 1
    expect 'from a shell, too' tallyd notify chat --message 'from a shell'
    expect 'it arrives' notices_have '[station] from a shell'
    expect 'nor in the journal' not has Zita "$(journal)"

    step 'install again: an upgrade'
    first=$(current)
    setup install >/tmp/install 2>&1
    expect 'it ends well' is "$?" 0
    expect 'it says so' has "Upgraded from $first" "$(cat /tmp/install)"
    expect 'another release is in place' not is "$(current)" "$first"
    expect 'the one before is kept' is "$(basename "$(readlink -f /opt/tallyd/previous)")" "$first"
    expect 'the databases are backed up' test -s "$(backups)"
    expect 'with the reading, and without the key' python3 -c 'import sys, zipfile; b = zipfile.ZipFile(sys.argv[1]); assert b"50101" in b.read("state.db") and not any(b"key-%h" in b.read(name) for name in b.namelist())' "$(backups)"
    expect 'the service runs' runs
    expect 'the config was left alone' cmp /tmp/config.json /etc/tallyd/config.json
    expect 'the reading is still there' readings_are 1
    cp -a /opt/tallyd/current/venv /root/venv # a tallyd from elsewhere, which needs no pip
    mv /var/lib/tallyd/backups /var/lib/tallyd/kept
    ln -s /srv /var/lib/tallyd/backups
    refused 'the backups are a link' 1 'could not make a backup' again
    expect 'which root does not follow' is "$(owner_and_mode /srv)" 'root:root 755'
    rm /var/lib/tallyd/backups
    mv /var/lib/tallyd/kept /var/lib/tallyd/backups
    again >/tmp/install 2>&1
    expect 'a third time: two releases are kept' is "$(releases)" 2

    step 'a time edited while it runs'
    pid=$(property MainPID)
    write_config 03:07:09
    expect 'the new time is taken by itself' within 20 status_has 03:07:09
    write_config 04:05:06
    expect 'systemctl reload' systemctl reload tallyd.service
    expect 'takes it at once' within 2 status_has 04:05:06
    expect 'by the same process' is "$(property MainPID)" "$pid"
    expect 'which still runs' runs

    step 'a config with a mistake'
    break_config
    expect 'status says that it was refused' within 20 status_has 'is REJECTED since'
    expect 'the old one goes on, in the same process' is "$(property MainPID)" "$pid"
    expect 'with the old times' status_has 04:05:06
    refused 'check says what is wrong' 78 'did you mean "accesskey"' tallyd check
    at_first=$(current)
    refused 'an upgrade is refused' 1 "$at_first keeps running" again
    expect 'nothing of it is left' is "$(releases)" 2
    expect 'the same release is in place' is "$(current)" "$at_first"
    expect 'still the same process' is "$(property MainPID)" "$pid"
    expect 'a restart fails' not systemctl restart tallyd.service
    within 5 failed
    expect 'with 78/CONFIG' has 'status=78/CONFIG' "$(systemctl status --no-pager tallyd.service)"
    count=$(property NRestarts)
    sleep 20
    expect 'and is not tried again' is "$(property ActiveState)/$(property NRestarts)" "failed/$count"
    mend_config
    expect 'mended, it starts' systemctl restart tallyd.service
    expect 'and runs' runs

    step 'the process is killed'
    pid=$(property MainPID)
    send KILL "$pid"
    expect 'systemd starts it again' within 30 runs_as_other_than "$pid"
    expect 'the reading is still there' readings_are 1

    if [ "$FORM" != --short ]; then
        step 'the process hangs'
        pid=$(property MainPID)
        send STOP "$pid"
        expect 'the watchdog strikes' within 120 runs_as_other_than "$pid"
    fi

    step 'a new version that does not start'
    before=$(current)
    cp -a /src /broken
    sed -i 's/^__version__ = .*/__version__ = "9.9.8"/' /broken/src/tallyd/__init__.py
    sed -i 's|^ExecStart=.*|ExecStart=/bin/false|' /broken/src/tallyd/cli/service/tallyd.service
    refused 'is not kept' 1 "$before is back" sh /broken/setup.sh install
    expect 'the one before is in place' is "$(current)" "$before"
    expect 'and runs' runs
    expect 'nothing else is left' is "$(releases)" 2

    step 'a new version, back, and forth'
    cp -a /src /newer
    sed -i 's/^__version__ = .*/__version__ = "9.9.9"/' /newer/src/tallyd/__init__.py
    expect 'upgrade' sh /newer/setup.sh install
    expect 'the new one runs' has 9.9.9 "$(tallyd --version; current; readlink "/proc/$(property MainPID)/exe")"
    expect 'rollback' setup rollback
    expect 'the old one is in place' is "$(current)" "$before"
    expect 'tallyd --version agrees' not has 9.9.9 "$(tallyd --version)"
    expect 'and runs' runs
    expect 'rollback again' setup rollback
    expect 'the new one is in place' has 9.9.9 "$(tallyd --version)"
    expect 'and runs' runs
    expect 'three backups are kept' is "$(backups | wc -l)" 3

    step 'allow'
    spaced='/srv/in box 100% "x"'
    mkdir -p "$spaced" /srv/other /home/alice/inbox
    expect 'before, it may not write' not in_service touch "$spaced/a"
    chgrp tallyd "$spaced" /home/alice/inbox
    expect 'a folder that it cannot write yet' setup allow "$spaced"
    expect 'is said to be so' has 'cannot write to it yet' "$(cat /tmp/expect)"
    chmod g+rwxs "$spaced" /home/alice/inbox
    expect 'after, it may' in_service touch "$spaced/a"
    expect 'and nothing beside it' not in_service touch /srv/a
    chmod 0777 /srv/other
    expect 'whatever its mode' not in_service touch /srv/other/a
    expect 'nothing is asked for that is not mounted' not has 'mount' "$(cat /etc/systemd/system/tallyd.service.d/allow-*.conf)"
    mkdir -p /srv/share
    mount -t tmpfs share /srv/share
    mkdir /srv/share/inbox
    expect 'a folder on a mount' setup allow /srv/share/inbox
    expect 'comes after the mount' has srv-share.mount "$(property After)"
    expect 'wants it' has srv-share.mount "$(property Wants)"
    expect 'unmounted, it is still there' umount -l /srv/share
    expect 'and so is the service' runs
    chmod 0700 /home/alice
    expect 'a folder in a home' setup allow /home/alice/inbox
    expect 'is not said to be out of reach' not has 'cannot write' "$(cat /tmp/expect)"
    expect 'is writable too' in_service touch /home/alice/inbox/a
    expect 'and the first still is' in_service touch "$spaced/b"
    expect 'nothing else of the home can be seen' is "$(in_service ls -A /home /home/alice | tr '\n' ' ')" '/home: alice  /home/alice: inbox '
    expect 'the service runs' runs
    expect 'systemd has nothing to say about the unit' is "$(systemd-analyze verify tallyd.service 2>&1)" ''
    for path in / /etc /usr/share /home /root /tmp /opt/tallyd; do
        expect "refused: $path" not setup allow "$path"
    done
    refused 'a folder that is not there' 1 'does not exist' setup allow /srv/nonesuch
    rm -r "$spaced" /home/alice/inbox
    expect 'folders taken away do not stop it' systemctl restart tallyd.service
    expect 'and it runs' runs
    expect 'of the homes it sees nothing now' is "$(in_service ls -A /home)" ''
    expect 'and makes nothing there' not in_service mkdir -p /home/alice/inbox
    mkdir /home/alice/inbox
    chgrp tallyd /home/alice/inbox
    chmod g+rwxs /home/alice/inbox
    expect 'the folder in a home is back' setup allow /home/alice/inbox
    expect 'and is writable' in_service touch /home/alice/inbox/a

    step 'who may run what'
    echo '{"nonsense": 1}' >/home/config.json
    cd /home || return
    refused 'bob is told to use sudo' 1 'sudo tallyd status' as bob tallyd status
    refused 'alice, of the group, too' 1 'sudo tallyd status' as alice tallyd status
    expect 'but she may check' as alice tallyd check
    expect 'is told what only the service can find out' has 'it runs as tallyd. Run: sudo tallyd check' "$(as alice tallyd check)"
    expect 'and read what was written' as alice cat "$file"
    expect 'root may do everything' tallyd once divera
    expect 'and leaves nothing that the daemon cannot write' is "$(find /var/lib/tallyd /var/log/tallyd ! -user tallyd)" ''
    expect 'on a terminal it says which config it uses' has 'tallyd: config /etc/tallyd/config.json' "$(script -qec 'tallyd check' /dev/null)"
    expect 'in a pipe it does not' not has 'tallyd: config' "$(tallyd check 2>&1)"
    cd /

    step 'the env file means the same to the command and to systemd'
    env_file_agrees

    step 'a key as a credential'
    (umask 077 && echo 'another-key' >/etc/divera-key)
    mkdir -p /etc/systemd/system/tallyd.service.d
    printf '[Service]\nLoadCredential=divera-key:/etc/divera-key\n' >/etc/systemd/system/tallyd.service.d/key.conf
    sed -i 's/env:DIVERA_ACCESSKEY/credential:divera-key/' /etc/tallyd/config.json
    systemctl daemon-reload
    expect 'it runs with that' systemctl restart tallyd.service
    expect 'and so does a command' tallyd once divera

    step 'privacy'
    expect 'privacy-check finds nothing' tallyd privacy-check divera

    step 'a share that cannot be mounted'
    mkdir /srv/dead
    echo '//nowhere.invalid/share /srv/dead cifs nofail 0 0' >>/etc/fstab
    systemctl daemon-reload
    expect 'it is not there' not mountpoint -q /srv/dead
    expect 'allow' setup allow /srv/dead
    expect 'the service comes after it' has srv-dead.mount "$(property After)"
    expect 'and runs without it' runs
    sed -i 's|"pollers": {|"pollers": {"share": {"kind": "visitors", "inbox": "/srv/dead", "inbox_is_mount": true, "report": {"every": "5m"}},|' /etc/tallyd/config.json
    expect 'check is fine: it is no fault of the config' tallyd check
    cp -p /etc/tallyd/config.json /root/config.json
    # For the next boot: a config that cannot be read, and no folder in the home.
    echo '{"data_dir" 1' >/etc/tallyd/config.json
    rm -r /home/alice/inbox
}

backups() { find /var/lib/tallyd/backups -name '*.zip'; }

env_file_agrees() {
    cat >/etc/tallyd/env.probe <<'ENV'
# a comment with "quotes
; another
A=plain
B = spaced   out  
C="double $HOME `id` \" \\ \n \$x"   
D='single \ " $HOME'
E=back\ slash\\ end\
 continued
F="two
lines"
 G=lead
export H=no
9X=no
X-Y=no
I=$(touch /tmp/run-as-code)`id`
J="a" b
K=
L= 'q' 
M=tail\ 
N=ümläut € ok
O='a''b'"c"
P=a'b'c
Q=a#b;c=d
no equals sign
R="unknown \q kept"
S=$HOME %h
T=last
ENV
    printf 'U=cr\r\nV="open\nend' >>/etc/tallyd/env.probe
    systemd-run --quiet --wait --pipe --property=EnvironmentFile=/etc/tallyd/env.probe \
        python3 -c 'import json, os; print(json.dumps({k: v for k, v in os.environ.items() if len(k) == 1 and k != "_"}, sort_keys=True, indent=1))' >/tmp/of-systemd
    sed -n '/^read_env() {/,/^# An option before the command/p' /opt/tallyd/current/tallyd >/tmp/read-env.sh
    env -i PATH="$PATH" sh -eu -c '. /tmp/read-env.sh; read_env /etc/tallyd/env.probe
        exec python3 -c "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if len(k) == 1 and k != \"_\"}, sort_keys=True, indent=1))"' >/tmp/of-ours
    expect 'every value' diff /tmp/of-systemd /tmp/of-ours
    expect 'there are values' grep -q '"T": "last"' /tmp/of-ours
    expect 'nothing in it was run' [ ! -e /tmp/run-as-code ]
    rm /etc/tallyd/env.probe
}

# ---- 3. after a boot with a broken config ------------------------------------------------------------------

broken_boot() {
    step 'after a boot with a broken config'
    expect 'the service has ended' within 20 failed
    expect 'with 78/CONFIG' has 'status=78/CONFIG' "$(systemctl status --no-pager tallyd.service)"
    expect 'status finds its state' status_has divera
    expect 'and begins with what is wrong' status_has 'tallyd is NOT running; config.json: invalid JSON at line 1, column 13'
    expect 'alerts are found' tallyd alerts
    cat /root/config.json >/etc/tallyd/config.json
}

# ---- 4. after a boot; uninstall ----------------------------------------------------------------------------

second_boot() {
    step 'after a boot, with a share that could not be mounted and a folder in a home that is gone'
    expect 'the service runs by itself' within 20 runs
    expect 'with its readings' readings_are 1
    expect 'the share is not mounted' not mountpoint -q /srv/dead
    expect 'it was tried' is "$(systemctl show --property=Result --value srv-dead.mount)" exit-code
    expect 'that is an alert' within 60 status_has 'nothing has been mounted on the inbox /srv/dead'
    mount -t tmpfs -o mode=2770,gid=tallyd share /srv/dead
    echo '[]' >/srv/dead/a.json
    expect 'once it is mounted its files are taken, without a restart' within 30 [ ! -e /srv/dead/a.json ]
    expect 'into what was done' test -n "$(find /srv/dead/.tallyd/done -name a.json)"
    expect 'the alert is over' within 60 not status_has 'nothing has been mounted on the inbox /srv/dead'

    step 'uninstall'
    mkdir -p /srv/inbox /var/lib/tallyd/inbox/.tallyd/done
    touch /srv/inbox/waits.json /var/lib/tallyd/inbox/.tallyd/done/taken.json
    expect 'uninstall' setup uninstall
    for place in /opt/tallyd /usr/local/bin/tallyd /etc/systemd/system/tallyd.service; do
        expect "gone: $place" [ ! -e "$place" ]
    done
    expect 'systemd no longer knows it' is "$(property LoadState)" not-found
    expect 'config, data and log are left' [ -s /etc/tallyd/config.json -a -s /var/lib/tallyd/state/state.db -a -s /var/log/tallyd/tallyd.log ]
    expect 'installed again, it goes on with them' setup install
    expect 'and runs' runs
    expect 'with its readings' readings_are 1

    step 'uninstall --purge'
    touch /var/lib/tallyd/inbox/waits.json
    refused 'is refused while a file waits' 1 /var/lib/tallyd/inbox/waits.json setup uninstall --purge
    expect 'and has changed nothing' runs
    expect 'a backup where the documentation makes it' tallyd backup /var/lib/tallyd/backups/today.zip
    expect 'is for the service alone' is "$(owner_and_mode /var/lib/tallyd/backups/today.zip)" 'tallyd:tallyd 600'
    break_config
    refused 'with a broken config, one without it' 1 'Not in it: /etc/tallyd/config.json' tallyd backup /var/lib/tallyd/backups/broken.zip
    expect 'and with the data' python3 -c 'import zipfile; assert "state.db" in zipfile.ZipFile("/var/lib/tallyd/backups/broken.zip").namelist()'
    mend_config
    expect 'a backup of everything' sh -c 'tallyd backup --private - >/root/moved.zip'
    mv /var/lib/tallyd/inbox/waits.json /srv
    expect 'without one it is done' setup uninstall --purge
    nothing_left
    expect 'an inbox elsewhere is not touched' [ -e /srv/inbox/waits.json ]

    step 'a new machine, from a backup'
    refused 'it says what it lacks' 1 'sudo tallyd service allow /srv/dead' setup install --restore /root/moved.zip
    expect 'the config is there' cmp /root/config.json /etc/tallyd/config.json
    expect 'as a file of root, for the service' is "$(owner_and_mode /etc/tallyd/config.json)" 'root:tallyd 640'
    expect 'the data is that of the service' is "$(owner_and_mode /var/lib/tallyd/state/state.db)" 'tallyd:tallyd 640'
    expect 'all of it' is "$(find /var/lib/tallyd ! -user tallyd)" ''
    mkdir -p /etc/systemd/system/tallyd.service.d
    printf '[Service]\nLoadCredential=divera-key:/etc/divera-key\nReadWritePaths=/srv/dead\n' >/etc/systemd/system/tallyd.service.d/key.conf
    systemctl daemon-reload
    expect 'then it starts' systemctl restart tallyd.service
    expect 'and runs' runs
    expect 'with its readings' readings_are 1
    expect 'and its files' test -n "$(find /var/lib/tallyd/out/divera -name '20*.json')"

    step 'a Debian package: over the service of setup.sh, upgraded, removed, purged'
    expect 'its version names the system' has +debian "$(dpkg-deb --field /root/tallyd_*.deb Version)"
    expect 'it installs' dpkg --install /root/tallyd_*.deb
    expect 'as an upgrade' has 'Upgraded from' "$(cat /tmp/expect)"
    expect 'and runs' runs
    expect 'with its readings' readings_are 1
    before=$(current)
    break_config
    expect 'an upgrade that rejects the config fails' not dpkg --install /root/tallyd_*.deb
    expect 'and the one before runs' is "$(current) $(property ActiveState)" "$before active"
    mend_config
    expect 'mended, it is installed' dpkg --configure tallyd
    expect 'another release' not is "$(current)" "$before"
    expect 'a shell completes' has privacy-check "$(_TYPER_COMPLETE_ARGS='tallyd pri' _TYPER_COMPLETE_FISH_ACTION=get-args _TALLYD_COMPLETE=complete_fish tallyd)"
    expect 'removed, it keeps config and data' dpkg --remove tallyd
    expect 'as they were' [ -s /etc/tallyd/config.json -a -s /var/lib/tallyd/state/state.db ]
    for place in /opt/tallyd /usr/lib/tallyd /usr/local/bin/tallyd /etc/systemd/system/tallyd.service; do
        expect "gone: $place" [ ! -e "$place" ]
    done
    install -D /dev/null /var/lib/tallyd/inbox/waits.json
    expect 'a purge is refused while a file waits' not dpkg --purge tallyd
    expect 'and keeps it' [ -e /var/lib/tallyd/state/state.db ]
    rm /var/lib/tallyd/inbox/waits.json
    expect 'without one it is done' dpkg --purge tallyd
    nothing_left
}

case $1 in
    without-systemd) without_systemd ;;
    first-boot) first_boot ;;
    broken-boot) broken_boot ;;
    second-boot) second_boot ;;
esac
if [ "$failures" -gt 0 ]; then
    printf '\n%s expectations failed. The last lines of the journal:\n' "$failures"
    journalctl --unit tallyd.service --no-pager --lines 60 2>/dev/null
fi
[ "$failures" -eq 0 ]
