"""/usr/local/bin/tallyd: which config, which user, which variables; without changing this machine."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.programs import program

_TEXT = (Path(__file__).parents[2] / "src/tallyd/cli/service/tallyd.sh").read_text("utf-8")
Tallyd = Callable[..., subprocess.CompletedProcess[str]]

# Stands for the program that the command starts: tells how it was started.
_SHOW = """#!/bin/sh
echo "arguments: $*"
echo "umask: $(umask)"
env | grep -E "^(A|B|HOME|SUDO_USER|TALLYD_CONFIG)="
exit 5
"""


@pytest.fixture
def tallyd(tmp_path: Path, tools: Path) -> Tallyd:
    """The command, for a user of the test's choice, with its groups (in this session, and by the books)."""
    etc = tmp_path / "etc"
    etc.mkdir()
    program(tmp_path / "release/venv/bin/tallyd", _SHOW)
    program(
        tools / "id",
        '#!/bin/sh\ncase "$*" in -u) echo "$ID_UID" ;; -un) echo "$ID_NAME" ;; -nG) echo "$ID_GROUPS" ;;'
        ' *) echo "$ID_BOOKS" ;; esac\n',
    )
    program(tools / "getent", "#!/bin/sh\nexit 0\n")
    program(
        tools / "setpriv",
        '#!/bin/sh\necho "setpriv: $*"\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n',
    )
    text = _TEXT.replace("@RELEASE@", str(tmp_path / "release")).replace("/etc/tallyd", str(etc))
    command = program(tmp_path / "tallyd", text)

    def run(
        *arguments: str, user: str = "root", groups: str = "root", listed: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        identity = {"ID_UID": "0" if user == "root" else "1000", "ID_NAME": user, "ID_GROUPS": groups}
        identity["ID_BOOKS"] = groups if listed is None else listed
        return subprocess.run(
            [str(command), *arguments],
            env={"PATH": str(tools), "HOME": "/home/x"} | identity | more,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _arguments(done: subprocess.CompletedProcess[str]) -> str:
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("arguments: ")]
    return line.removeprefix("arguments: ")


@pytest.mark.parametrize(
    "given",
    [
        "status --json",
        "--config mine.json check",
        "--config=mine.json check",
        "notify --config x",
        "--version",
    ],
)
def test_the_command_means_the_installed_config(given: str, tallyd: Tallyd, tmp_path: Path) -> None:
    done = tallyd(*given.split(), TALLYD_CONFIG="/home/x/config.json")
    assert done.returncode == 5, "the status is the program's"
    assert _arguments(done) == given, "an option names another one"
    assert f"TALLYD_CONFIG={tmp_path}/etc/config.json" in done.stdout.splitlines()


def test_root_becomes_the_user_of_the_service(tallyd: Tallyd) -> None:
    done = tallyd("once", "divera", SUDO_USER="alice")
    assert "setpriv: --reuid=tallyd --regid=tallyd --init-groups -- " in done.stdout
    assert "HOME=/var/lib/tallyd" in done.stdout
    assert "SUDO_USER=alice" in done.stdout
    assert "umask: 0027" in done.stdout


def test_privacy_check_may_look_through_the_journal_and_nothing_else_may(tallyd: Tallyd) -> None:
    assert "--groups=tallyd,systemd-journal" in tallyd("privacy-check", "divera", listed="tallyd").stdout
    assert "systemd-journal" not in tallyd("check", listed="tallyd").stdout


def test_root_stays_root_to_change_the_service(tallyd: Tallyd) -> None:
    done = tallyd("service", "rollback")
    assert (done.returncode, _arguments(done)) == (5, "service rollback")
    assert "setpriv" not in done.stdout


def test_a_shell_that_completes_hears_no_advice(tallyd: Tallyd, tmp_path: Path) -> None:
    done = tallyd(user="alice", groups="users", _TALLYD_COMPLETE="complete_fish")
    assert (done.returncode, done.stderr) == (5, "")
    assert f"TALLYD_CONFIG={tmp_path}/etc/config.json" in done.stdout.splitlines()


def test_the_user_of_the_service_needs_nobody(tallyd: Tallyd) -> None:
    done = tallyd("once", "divera", user="tallyd", groups="tallyd")
    assert done.returncode == 5
    assert "setpriv" not in done.stdout


OF_OTHERS = {
    "not in the group": (
        {"groups": "users"},
        "status",
        "alice is not in the group tallyd. Use sudo: sudo tallyd status",
    ),
    "not yet in the group": (
        {"groups": "users", "listed": "users tallyd"},
        "check",
        "alice joined the group tallyd after logging in. Log in again, or use sudo: sudo tallyd",
    ),
    "in a group named alike": ({"groups": "users nottallyd"}, "check", "alice is not in the group tallyd"),
    "in the group, a command that writes": (
        {"groups": "users tallyd"},
        "once",
        '"once" opens the service\'s databases. Use sudo: sudo tallyd once',
    ),
}


@pytest.mark.parametrize(("who", "command", "complaint"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_others_are_advised_to_use_sudo(
    who: dict[str, str], command: str, complaint: str, tallyd: Tallyd
) -> None:
    done = tallyd(command, user="alice", **who)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tallyd: {complaint}")


def test_the_group_may_check_as_it_is(tallyd: Tallyd) -> None:
    done = tallyd("check", user="alice", groups="users tallyd")
    assert done.returncode == 5
    assert "setpriv" not in done.stdout


def test_the_environment_is_that_of_the_service(tallyd: Tallyd, tmp_path: Path) -> None:
    (tmp_path / "etc/env").write_text("A=from the file\n")
    done = tallyd("check", A="from the caller", B="kept")
    assert {"A=from the file", "B=kept"} <= set(done.stdout.splitlines())


def test_on_a_terminal_it_says_which_config_it_uses(tallyd: Tallyd, tmp_path: Path) -> None:
    tallyd("check")  # its parts lie in tmp_path; what a terminal changes is stderr alone
    ours, theirs = pty.openpty()
    environment = {
        "PATH": str(tmp_path / "bin"),
        "ID_UID": "0",
        "ID_NAME": "root",
        "ID_GROUPS": "root",
        "ID_BOOKS": "",
    }
    subprocess.run(
        [str(tmp_path / "tallyd"), "check"],
        env=environment,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    os.close(theirs)
    output = os.read(ours, 1000).decode()
    os.close(ours)
    assert output == f"tallyd: config {tmp_path}/etc/config.json\r\n"
    assert not tallyd("check").stderr


# ---- /etc/tallyd/env, read as systemd reads an EnvironmentFile= (the campaign compares both)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("A=plain", "plain", id="plain"),
        pytest.param("A=last line without its end", "last line without its end", id="no end of line"),
        pytest.param("  A = in  between \t\n", "in  between", id="blanks around, not between"),
        pytest.param("A=a#b;c=d\n", "a#b;c=d", id="no comment within a line"),
        pytest.param("#A=no\n;A=no\nA=yes\n", "yes", id="comments"),
        pytest.param("A=one\nA=two\n", "two", id="the last one counts"),
        pytest.param("A='single \\ \" $HOME'\n", 'single \\ " $HOME', id="single quotes"),
        pytest.param('A="double \\" \\\\ \\$x \\q"\n', 'double " \\ $x \\q', id="double quotes"),
        pytest.param("A='it'\"s\"\n", "its", id="two quoted parts"),
        pytest.param("A=it's\n", "it's", id="a quote inside"),
        pytest.param("A=back\\ slash\\\\\n", "back slash\\", id="backslash"),
        pytest.param("A=one \\\ntwo\n", "one two", id="continued line"),
        pytest.param('A="one\ntwo"\n', "one\ntwo", id="quoted lines"),
        pytest.param("A=dos\r\n", "dos", id="carriage return"),
        pytest.param("A=ümläut €\n", "ümläut €", id="not only ASCII"),
        pytest.param("A=$(touch pwned)`id`$HOME %h\n", "$(touch pwned)`id`$HOME %h", id="nothing is run"),
        pytest.param("A=\n", "", id="empty"),
        pytest.param("export A=x\n9A=x\nA-B=x\nA\n", None, id="not a variable"),
    ],
)
def test_env_file(text: str, value: str | None, tmp_path: Path) -> None:
    reader = _TEXT.partition("# Export the variables in file")[2].partition("# An option before")[0]
    program = tmp_path / "read"
    program.write_text(f'set -eu\n#{reader}read_env "$1"\nexec env -0\n')
    (tmp_path / "env").write_text(text)
    done = subprocess.run(
        ["/bin/sh", str(program), str(tmp_path / "env")],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = dict(entry.partition("=")[::2] for entry in done.stdout.decode().split("\0"))
    assert found.get("A") == value
    assert not (tmp_path / "pwned").exists()
