#!/usr/bin/env bash
# Runs the libraries that explaind is compared with, each in an environment of its own, and writes internal/peers/goldens.
#
#   scripts/peers.sh PYTHON DIR
set -euo pipefail

python=$1 dir=$2
peers=$(dirname "$0")/../internal/peers

environment() { # name
	local requirements=$peers/requirements-$1.txt
	if ! cmp --silent "$requirements" "$dir/$1/installed.txt"; then
		echo "packages of $requirements → $dir/$1"
		rm -rf "${dir:?}/$1"
		"$python" -m venv "$dir/$1"
		"$dir/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
		cp "$requirements" "$dir/$1/installed.txt"
		du -sh "$dir/$1"
	fi
}

run() { # environment peer
	echo "$2"
	CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore \
		"$dir/$1/bin/python" "$peers/peer_$2.py" 2>"$dir/$2.log" || { cat "$dir/$2.log" >&2; exit 1; }
}

mkdir -p "$dir"
environment torch
run torch grad_cam
run torch captum
run torch torchcam
environment tf
run tf tf_keras_vis
run tf xplique
