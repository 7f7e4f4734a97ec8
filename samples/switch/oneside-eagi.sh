#!/usr/bin/env bash
# Asterisk's EAGI: the sound of one party on descriptor 3, straight into `oneside pipe`.
#
#   EAGI(/usr/local/bin/oneside-eagi.sh,agent|customer[,RATE])
#
# Which party it is depends on the channel that runs this, and has no default. RATE is 8000, or 16000 after
# Set(EAGI_AUDIO_FORMAT=slin16). Consent: `oneside-call.sh say UNIQUEID …`, with the same ONESIDE_RUN.
#
# Standard output is left alone: it is Asterisk's, which takes us for finished when it closes.
set -euo pipefail
umask 077

party=${1:?agent or customer}
rate=${2:-8000}
run=${ONESIDE_RUN:-/run/oneside}
id=

# `agi_x: value` lines, then an empty one.
while IFS= read -r line && [ -n "${line%$'\r'}" ]; do
    case $line in agi_uniqueid:*) id=${line#*: } ;; esac
done
[[ $id =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || { echo 'oneside-eagi: no usable agi_uniqueid' >&2; exit 1; }

dir=$run/$id
mkdir -p "$run"
mkdir -m 700 "$dir"
trap 'rm -rf "$dir"' EXIT
mkfifo -m 600 "$dir/control"
exec 9<>"$dir/control"
# shellcheck disable=SC2086 # ONESIDE_ARGS is meant to be split
"${ONESIDE:-oneside}" pipe --fd 3 --raw s16le --rate "$rate" --channels 1 --party "$party" \
    --call "$id" --out "${ONESIDE_OUT:-/var/lib/oneside}" --control-fd 9 ${ONESIDE_ARGS:-}
