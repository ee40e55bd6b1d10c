#!/bin/sh
# Prints which lines and branches of core/, runs/, storage/ and adapters/state/ no test reaches; ends with 2 if there
# is one. Arguments go to pytest. ROOMS chooses others: ROOMS='cli web' sh tests/campaigns/coverage.sh tests/cli tests/web
#
#   sh tests/campaigns/coverage.sh tests/storage tests/daemon
#
# Every process of this venv is watched from its start, so also those that get an environment of their own: channels,
# migrations, commands. One that is killed tells nothing. pyproject.toml says what does not count, and why.

set -eu

cd "$(dirname "$0")/../.."
venv=$PWD/.venv
folder=$(mktemp -d)
hook=$("$venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/watched.pth
trap 'rm -rf -- "$folder" "$hook"' EXIT
trap 'exit 130' INT TERM
chmod 1777 "$folder" # some tests start programs of other users
export COVERAGE_FILE="$folder/data"

line='import os, coverage; os.environ.update(COVERAGE_FILE="%s", COVERAGE_PROCESS_START="%s"); coverage.process_startup()\n'
# shellcheck disable=SC2059 # the line is a constant
printf "$line" "$COVERAGE_FILE" "$PWD/pyproject.toml" >"$hook"

"$venv/bin/python" -m pytest -n 2 --dist worksteal "$@" || echo 'Not every test passed.'
rm -- "$hook"
"$venv/bin/python" -m coverage combine -q
# shellcheck disable=SC2086 # several words
include=$(printf "src/tallyd/%s/*," ${ROOMS:-core runs storage adapters/state})
"$venv/bin/python" -m coverage report --include="$include" --fail-under=100
