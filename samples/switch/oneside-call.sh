#!/usr/bin/env bash
# One call of a switch that records into a FIFO: makes the FIFO, starts `oneside pipe` behind it, cleans up.
#
#   oneside-call.sh start ID left|right      two channels; which of them is the agent's has no default
#   oneside-call.sh start ID agent|customer  one channel with this party alone
#   oneside-call.sh say ID told NOTICE VERSION
#   oneside-call.sh say ID granted DIGIT PURPOSE
#   oneside-call.sh say ID refused|withdrawn|paused|resumed|held|retrieved|private|private_ended|hung_up
#
# `start` prints the FIFO's path and returns 0 once somebody waits behind it. Otherwise it prints nothing and returns 1:
# then do not record, for a switch that finds no FIFO makes a file there, with both voices in it.
# `oneside` ends when the switch closes the FIFO. Everything of the call is then gone from ONESIDE_RUN.
#
#   ONESIDE         the program                                      (oneside)
#   ONESIDE_RUN     where FIFOs lie: a tmpfs, 0700, of the switch's user   (/run/oneside)
#   ONESIDE_OUT     where recordings go                              (/var/lib/oneside)
#   ONESIDE_RATE    samples a second                                 (8000)
#   ONESIDE_ARGS    more arguments of `oneside pipe`, split at blanks
#   ONESIDE_WAIT_S  how long the switch may take to open the FIFO    (30)
set -euo pipefail
umask 077

run=${ONESIDE_RUN:-/run/oneside}

main() {
    [ $# -ge 3 ] || die 'see the first lines of this script'
    local what=$1
    id=$2
    shift 2
    # The switch's ids, and nothing that a caller can choose.
    [[ $id =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die 'an id is made of letters, digits, dots, dashes and underlines'
    dir=$run/$id
    case $what in
        start) start "$1" ;;
        carry) carry "$1" ;;
        say) say "$@" ;;
        *) die "$what is no command" ;;
    esac
}

start() {
    local whose=$1
    mkdir -p "$run"
    mkdir -m 700 "$dir" || die "a call $id is in hand"
    mkfifo -m 600 "$dir/sound.raw" "$dir/control"
    setsid "$0" carry "$id" "$whose" </dev/null >/dev/null 2>"$run/$id.log" &
    sleep 0.5
    if [ -e "$dir/over" ] || [ ! -p "$dir/sound.raw" ]; then die "oneside did not start: see $run/$id.log"; fi
    printf '%s' "$dir/sound.raw"
}

# Behind the FIFO until the call is over.
carry() {
    local whose=$1 layout status=0 waited
    case $whose in
        left | right) layout=(--channels 2 --agent-channel "$whose") ;;
        agent | customer) layout=(--channels 1 --party "$whose") ;;
        *) layout=(--channels 2) ;; # oneside says what is missing
    esac
    exec 9<>"$dir/control" # both ends: a line can be said before it is read, and the end never comes
    # shellcheck disable=SC2086 # ONESIDE_ARGS is meant to be split
    "${ONESIDE:-oneside}" pipe "$dir/sound.raw" --raw s16le --rate "${ONESIDE_RATE:-8000}" "${layout[@]}" \
        --call "$id" --out "${ONESIDE_OUT:-/var/lib/oneside}" --control-fd 9 ${ONESIDE_ARGS:-} &
    # What is wrong with the settings ends it at once, and `start` waits to be told.
    sleep 0.2 9>&-
    for ((waited = 0; waited < 2 * ${ONESIDE_WAIT_S:-30}; waited++)); do
        kill -0 $! 2>/dev/null || break
        sleep 0.5
    done 9>&-
    # A switch that never came would leave us waiting for ever. One that is there does not notice.
    if kill -0 $! 2>/dev/null; then timeout 1 bash -c "exec >'$dir/sound.raw'" 9>&- || true; fi
    wait $! || status=$?
    if [ $status != 0 ]; then
        touch "$dir/over"
        # Nobody may wait for a reader that is gone, and none make a file where it stood.
        timeout 2 cat "$dir/sound.raw" >/dev/null || true
    fi
    rm -rf "$dir"
    [ $status != 0 ] || rm -f "$run/$id.log"
    exit $status
}

say() {
    local word
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9._*#-]+$ ]] || die 'a word is made of letters, digits, dots, dashes and underlines'
    done
    local line
    case $1 in
        told) line="{\"event\":\"told\",\"notice\":\"${2:?which notice}\",\"version\":\"${3:?which version}\"}" ;;
        granted)
            line="{\"event\":\"granted\",\"act\":\"dtmf\",\"digit\":\"${2:?which key}\",\"purpose\":\"${3:?what for}\"}"
            ;;
        *) line="{\"event\":\"$1\"}" ;;
    esac
    [ -p "$dir/control" ] || die "no call $id is in hand"
    timeout 2 tee -a "$dir/control" <<<"$line" >/dev/null
}

die() {
    echo "oneside-call: $*" >&2
    exit 1
}

main "$@"
