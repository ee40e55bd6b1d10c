#!/bin/sh
# Prints which lines and branches of tallyd no test reaches. Arguments go to pytest.
#
#   sh tests/campaigns/coverage.sh tests/storage tests/daemon
#
# Every process of this venv is watched from its start, so also those that get an environment of their own: channels,
# migrations, commands. One that is killed tells nothing.

set -eu

cd "$(dirname "$0")/../.."
venv=$PWD/.venv
folder=$(mktemp -d)
hook=$("$venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/watched.pth
trap 'rm -rf -- "$folder" "$hook"' EXIT
trap 'exit 130' INT TERM
chmod 1777 "$folder" # some tests start programs of other users

cat >"$folder/config" <<CONFIG
[run]
branch = true
source = $PWD/src/tallyd
parallel = true
data_file = $folder/data
concurrency = thread, multiprocessing
patch = _exit, fork
sigterm = true

[report]
skip_covered = true
show_missing = true
exclude_also =
    if TYPE_CHECKING:
    ^ *\.\.\.$
CONFIG
line='import os, coverage; os.environ["COVERAGE_PROCESS_START"] = '
printf '%s"%s"; coverage.process_startup()\n' "$line" "$folder/config" >"$hook"

"$venv/bin/python" -m pytest -n 2 --dist worksteal "$@" || echo 'Not every test passed.'
rm -- "$hook"
"$venv/bin/python" -m coverage combine -q --rcfile="$folder/config"
"$venv/bin/python" -m coverage report --rcfile="$folder/config"
