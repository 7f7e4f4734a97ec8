#!/usr/bin/env bash
# Measures `oneside batch` beside what else people use, on the same calls in one run, and prints tables (Markdown).
#
#   benches/peers.sh                  all sets, 5 rounds: some hours, and up to 4 GB in memory at a time
#   benches/peers.sh --quick          few calls, 3 rounds
#   benches/peers.sh --set calls      one set; may be said again for another
#   benches/peers.sh --claim          the set `calls`, and of the others only those that the claims are about: the obvious
#                                     program and the strong baseline
#   PEERS=oneside,strong …            these alone: oneside, obvious, strong, python, sox, ffmpeg
#   CALLS=50 ROUNDS=7 DIR=/mnt/x …    other numbers, another place (default: /dev/shm where it is there)
#
#   set     calls, each of 3 to 6 minutes of stereo
#   calls   200 at 8 kHz, 16-bit; and on two cores
#   long    one of two hours, the same
#   wide16  100 at 16 kHz, 16-bit
#   wide48  40 at 48 kHz, 16-bit
#   mulaw   200 at 8 kHz, µ-law
#   start   how long `oneside --version` takes, and a batch of one file of 3 minutes
#
# What is not installed is named and left out: ffmpeg, sox, Python with webrtcvad and soundfile (and numpy).
set -euo pipefail
cd "$(dirname "$0")/.."

sets=() quick=no rounds=${ROUNDS:-5} peers=${PEERS:-oneside,obvious,strong,python,sox,ffmpeg}
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=yes rounds=${ROUNDS:-3} ;;
        --set) sets+=("${2:?--set NAME}") && shift ;;
        --claim) sets+=(calls) peers=${PEERS:-oneside,obvious,strong} ;;
        *)
            echo "benches/peers.sh: unknown argument $1; see its first lines" >&2
            exit 1
            ;;
    esac
    shift
done
if [ ${#sets[@]} = 0 ]; then sets=(calls long wide16 wide48 mulaw start); fi
if ! command -v python3 >/dev/null; then
    echo 'benches/peers.sh: python3 is missing: it measures the others' >&2
    exit 1
fi

cargo build --locked --release --bin oneside --example obvious --example strong
target=${CARGO_TARGET_DIR:-target}
parent=${DIR:-/dev/shm}
if [ ! -d "$parent" ]; then parent=${TMPDIR:-/tmp}; fi
work=
trap 'rm -rf "$work"' EXIT

# measure SET CALLS CALLS_IF_QUICK OPTION...: makes the set, measures, and removes it before the next is made
measure() {
    local set=$1 calls=$2 seconds
    if [ $quick = yes ]; then calls=$3; fi
    shift 3
    work=$(mktemp -d "$parent/oneside-peers.XXXXXX")
    seconds=$("$target/release/examples/obvious" --make "$work/calls" "${CALLS:-$calls}" "$@")
    python3 benches/peers.py "$target/release" "$work" "$seconds" "$rounds" "$set" "$peers"
    rm -rf "$work"
}

for set in "${sets[@]}"; do
    case $set in
        calls) measure calls 200 20 ;;
        long) CALLS=1 measure long 1 1 --seconds "$([ $quick = yes ] && echo 1800 || echo 7200)" ;;
        wide16) measure wide16 100 10 --rate 16000 ;;
        wide48) measure wide48 40 5 --rate 48000 ;;
        mulaw) measure mulaw 200 20 --codec mulaw ;;
        start) CALLS=1 measure start 1 1 --seconds 180 ;;
        *)
            echo "benches/peers.sh: there is no set $set; see its first lines" >&2
            exit 1
            ;;
    esac
done
