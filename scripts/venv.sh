#!/usr/bin/env bash
# Makes a virtual environment with the packages of requirements.txt, or brings one up to date.
#
#   scripts/venv.sh PYTHON VENV
set -euo pipefail

python=$1 venv=$2
fail() {
	echo "$*" >&2
	exit 1
}

command -v "$python" >/dev/null ||
	fail "there is no $python: install Python 3.11, 3.12 or 3.13, or name one, as in: make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
	fail "$python is $("$python" --version), but TensorFlow here needs 3.11, 3.12 or 3.13: name one of those, as in: make PYTHON=python3.12"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
	fail "$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv)"

echo "Python packages → $venv (1.8 GB, most of it TensorFlow)"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
	--requirement "$(dirname "$0")/../requirements.txt"
