#!/usr/bin/env bash
# Measures `oneside batch` beside what else people use, on the same calls in one run, and prints a table (Markdown).
#
#   benches/peers.sh                  200 calls of 3 to 6 minutes, 5 rounds: 15 hours of sound, 1.7 GB in memory
#   benches/peers.sh --quick          20 calls, 3 rounds
#   benches/peers.sh --claim          oneside and the obvious program alone
#   CALLS=50 ROUNDS=7 DIR=/mnt/x …    other numbers, another place (default: /dev/shm where it is there)
#
# What is not installed is named and left out: ffmpeg, sox, Python with webrtcvad and soundfile (and numpy).
set -euo pipefail
cd "$(dirname "$0")/.."

calls=${CALLS:-200} rounds=${ROUNDS:-5} only=
case ${1:-} in
    '') ;;
    --quick) calls=${CALLS:-20} rounds=${ROUNDS:-3} ;;
    --claim) only=2 ;;
    *)
        echo "benches/peers.sh: unknown argument $1; see its first lines" >&2
        exit 1
        ;;
esac
if ! command -v python3 >/dev/null; then
    echo 'benches/peers.sh: python3 is missing: it measures the others' >&2
    exit 1
fi

cargo build --locked --release --bin oneside --example obvious
target=${CARGO_TARGET_DIR:-target}
parent=${DIR:-/dev/shm}
if [ ! -d "$parent" ]; then parent=${TMPDIR:-/tmp}; fi
work=$(mktemp -d "$parent/oneside-peers.XXXXXX")
trap 'rm -rf "$work"' EXIT
seconds=$("$target/release/examples/obvious" --make "$work/calls" "$calls")
python3 benches/peers.py "$target/release" "$work" "$seconds" "$rounds" $only
