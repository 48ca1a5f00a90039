#!/usr/bin/env bash
# The demo: serves the demo model on a free port of this machine, asks over gRPC what is in four photos and which pixels
# say so, and leaves a figure of each photo in demo/. Ends with 0 only if all of it worked and the server stopped as it
# should. Wants bin/explaind and the demo model (make demo sees to both).
set -euo pipefail
cd "$(dirname "$0")/.."

patience=120 # seconds for the model to load
log=demo/server.log

ask() {
	bin/explaind "$@" --server "$address"
}

mkdir -p demo
: >"$log" # a log of an earlier run names another port
bin/explaind serve --models .cache/models --cache .cache/compiled --grpc 127.0.0.1:0 --http "" 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

# The server tells in its log which port it got, and when its models are loaded.
deadline=$((SECONDS + patience))
until address=$(sed -n 's/.* msg=ready .*grpc=\([^ ]*\).*/\1/p' "$log") && [ -n "$address" ]; do
	if ! kill -0 "$server" 2>/dev/null || ((SECONDS > deadline)); then
		echo "the server did not become ready; this is its log:" >&2
		cat "$log" >&2
		exit 1
	fi
	sleep 0.1
done
echo "explaind serves these models at $address:"
ask models

echo
echo "What is in the photos:"
ask predict examples/photos --top-k 3

echo
echo "Which pixels say so (CAM, Grad-CAM and Grad-CAM++ of the two best classes):"
for photo in examples/photos/*.[jp][pn]g; do
	name=$(basename "${photo%.*}")
	ask compare "$photo" --method cam,grad_cam,grad_cam_plus_plus --top-k 2 --out "demo/$name.png" >/dev/null
	echo "demo/$name.png"
done

trap - EXIT
kill "$server"
wait "$server"
