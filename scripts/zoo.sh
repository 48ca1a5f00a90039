#!/usr/bin/env bash
# Makes the test models that are not there yet, or that another version of the zoo made.
#
#   scripts/zoo.sh PYTHON DIR
set -euo pipefail

python=$1 dir=$2
zoo=$(dirname "$0")/../internal/zoo

# The table of make_models.py, read without the seconds that importing TensorFlow takes.
mapfile -t models < <(sed -n '/^MODELS = {/,/^}/s/^    "\([^"]*\)":.*/\1/p' "$zoo/make_models.py")
[ ${#models[@]} -gt 0 ] || { echo "found no models in $zoo/make_models.py" >&2; exit 1; }

missing=()
for model in "${models[@]}"; do
	made_by=$(cat "$dir/$model/reference/complete" 2>/dev/null || true)
	[ "$made_by" = "$(cat "$zoo/version.txt")" ] || missing+=("$model")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "test models → $dir: ${missing[*]}"
"$python" "$zoo/make_models.py" "${missing[@]}" --out "$dir"
