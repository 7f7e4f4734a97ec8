#!/usr/bin/env bash
# The Windows build: made by mingw, run under Wine, compared with the Linux build byte for byte.
#
#   tests/windows.sh
#
# Needs the target x86_64-pc-windows-gnu (rustup target add …), gcc-mingw-w64-x86-64 and wine64. Without them it says what
# is missing and ends with 0: nothing is checked then. ONESIDE_WINDOWS=required makes that a failure.
# Capture by WASAPI is only compiled: Wine has no sound here. Nothing is left running, and no file outside of target/.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

target=x86_64-pc-windows-gnu
room=
wine=
recorder=

main() {
    need
    build
    room=$(mktemp -d target/windows.XXXXXX)
    trap finish EXIT
    export WINEPREFIX=$PWD/$room/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' HOME=$PWD/$room
    unset DISPLAY WAYLAND_DISPLAY
    wineboot

    is 'version' "$(windows --version)" "$(linux --version)"
    batch
    pipe
    steered
    echo 'windows: version, batch, verify, pipe, HTTP API and ctl: the same as on Linux'
}

need() {
    rustc --print target-list >/dev/null 2>&1 || missing 'the Rust toolchain'
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || missing "rustup target add $target"
    command -v x86_64-w64-mingw32-gcc >/dev/null || missing 'gcc-mingw-w64-x86-64'
    # Debian's wine64 stands outside of the path.
    wine=$(PATH="$PATH:/usr/lib/wine" command -v wine64 || command -v wine) || missing 'wine64'
}

missing() {
    echo "windows: left out, missing: $*"
    [ "${ONESIDE_WINDOWS:-}" != required ] || exit 1
    exit 0
}

build() {
    cargo build --locked
    cargo build --locked --target $target --no-default-features --features pipe,http
    cargo check --locked --target $target --features capture
}

wineboot() {
    timeout 300 "$wine" wineboot.exe --init >/dev/null 2>&1 || die 'Wine does not start'
    # Rust takes its random numbers from a library that Windows has since 8 and Debian's Wine 8.0 has not.
    local system=$WINEPREFIX/drive_c/windows/system32
    [ -e "$system/bcryptprimitives.dll" ] || x86_64-w64-mingw32-gcc -shared -x c -o "$system/bcryptprimitives.dll" - -ladvapi32 <<'C'
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) { return RtlGenRandom(bytes, (ULONG)count); }
C
}

linux() { target/debug/oneside "$@"; }
windows() { timeout 300 "$wine" target/$target/debug/oneside.exe "$@"; }
# The ring holds all of it: a file comes faster than it was spoken.
stereo=(--raw s16le --rate 8000 --channels 2 --agent-channel left --ring-ms 60000 --free-min-mib 0)

batch() {
    local options=(--agent-channel left --speech)
    linux batch samples/calls --out "$room/linux" "${options[@]}" >/dev/null
    windows batch samples/calls --out "$room/windows" "${options[@]}" >/dev/null
    local file count=0
    for file in "$room"/linux/*.wav "$room"/linux/*.csv; do
        same "$file" "$room/windows/${file##*/}"
        count=$((count + 1))
    done
    [ $count -ge 12 ] || die "batch: only $count files were compared"
    windows verify "$room/windows" >/dev/null
    linux verify "$room/windows" >/dev/null
    windows verify "$room/linux" >/dev/null
    # A changed sample is found there, too.
    cp -r "$room/windows" "$room/damaged"
    printf '\001' | dd of="$room/damaged/granted.agent.wav" bs=1 seek=90000 conv=notrunc status=none
    if windows verify "$room/damaged" >/dev/null 2>&1; then die 'verify does not see damage'; fi
    windows erase "$room/windows" --call granted --track customer --reason test >/dev/null
    [ ! -e "$room/windows/granted.customer.wav" ] || die 'erase left the file'
    windows verify "$room/windows" >/dev/null
}

pipe() {
    sox samples/calls/granted.wav -t raw -e signed-integer -b 16 "$room/call.raw" 2>/dev/null || raw_without_sox
    linux pipe --call piped --out "$room/linux" "${stereo[@]}" <"$room/call.raw" 2>/dev/null
    windows pipe --call piped --out "$room/windows" "${stereo[@]}" <"$room/call.raw" 2>/dev/null
    same "$room/linux/piped.agent.wav" "$room/windows/piped.agent.wav"
    # shellcheck disable=SC2094 # it is read only
    windows pipe --call handed-on --out "$room/windows" "${stereo[@]}" --pass-through original \
        <"$room/call.raw" 2>/dev/null | cmp - "$room/call.raw" || die 'what is handed on differs'
    if windows pipe --call kept --out "$room/windows" "${stereo[@]}" --pass-through original \
        <"$room/call.raw" >"$room/whole-call" 2>/dev/null; then die 'the whole call may go into a file'; fi
    [ ! -s "$room/whole-call" ] || die 'the whole call went into a file'
    windows verify "$room/windows" >/dev/null
}

# The sound begins behind a header of 44 bytes.
raw_without_sox() { tail -c +45 samples/calls/granted.wav >"$room/call.raw"; }

# A call that is steered over the API by `ctl`, both under Wine; its customer stands from the yes on.
steered() {
    mkfifo "$room/sound"
    windows pipe --call steered --out "$room/windows" "${stereo[@]}" --worst-buffering-ms 0 --http 0 --json \
        <"$room/sound" 2>"$room/said" &
    recorder=$!
    exec 8>"$room/sound"
    local url="" _
    for _ in $(seq 300); do
        url=$(grep -ao 'http://[0-9.:]*' "$room/said") && break
        kill -0 $recorder 2>/dev/null || die "the recorder ended: $(cat "$room/said")"
        sleep 0.1
    done
    [ -n "$url" ] || die 'the recorder does not say where it is steered'
    local ctl=(windows ctl --at "$url" --call steered)
    head -c 96000 "$room/call.raw" >&8
    "${ctl[@]}" told --notice standard --version 1 | expect 'accepted: told'
    "${ctl[@]}" granted --act dtmf --digit 1 --purpose training | expect 'accepted: granted'
    tail -c +96001 "$room/call.raw" >&8
    "${ctl[@]}" state | expect 'told'
    "${ctl[@]}" hung-up | expect 'accepted: hung_up'
    if "${ctl[@]}" granted --act dtmf --digit 1 --purpose training | grep -q accepted; then die 'a yes after the end'; fi
    "${ctl[@]}" close | expect 'ended: steered'
    exec 8>&-
    wait $recorder || die "the recorder failed: $(cat "$room/said")"
    recorder=
    [ -s "$room/windows/steered.customer.wav" ] || die 'the customer is missing after a yes'
    [ ! -e "$room/windows/.live/steered" ] || die 'the call lies in .live still'
    # What the customer answered changes nothing for the agent (CON-08).
    same "$room/linux/piped.agent.wav" "$room/windows/steered.agent.wav"
    windows verify "$room/windows" >/dev/null
    linux verify "$room/windows" >/dev/null
}

expect() {
    local text
    text=$(cat)
    [[ $text == *"$1"* ]] || die "expected \"$1\", got: $text"
}

same() { cmp "$1" "$2" || die "${2##*/} differs between Linux and Windows"; }

is() { [ "${2//$'\r'/}" = "${3//$'\r'/}" ] || die "$1: \"$2\" is not \"$3\""; }

finish() {
    exec 8>&- || true
    if [ -n "$recorder" ]; then kill "$recorder" 2>/dev/null || true; fi
    PATH="$PATH:/usr/lib/wine" wineserver -k 2>/dev/null || true # of this prefix alone
    PATH="$PATH:/usr/lib/wine" wineserver -w 2>/dev/null || true
    rm -rf "$room"
}

die() {
    echo "windows: $*" >&2
    exit 1
}

main "$@"
