#!/usr/bin/env bash
# Lays out TensorFlow's C library as a compiler wants it: DIR/lib and DIR/include, as links into the tensorflow-cpu wheel
# of a virtual environment. The wheel holds the same library that Python runs, under other names.
#
#   scripts/libtensorflow.sh VENV DIR
set -euo pipefail

venv=$1 dir=$2
wheel=$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("tensorflow").submodule_search_locations[0])')

rm -rf "$dir"
mkdir -p "$dir/lib"
for library in libtensorflow_cc libtensorflow_framework; do
	[ -e "$wheel/$library.so.2" ] || { echo "the wheel has no $library.so.2 in $wheel: this needs tensorflow-cpu for Linux" >&2; exit 1; }
	ln -s "$wheel/$library.so.2" "$dir/lib/$library.so.2"
done
ln -s libtensorflow_cc.so.2 "$dir/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$dir/lib/libtensorflow_framework.so"
ln -s "$wheel/include" "$dir/include"
