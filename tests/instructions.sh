#!/usr/bin/env bash
# Counts the instructions of the hot loops (benches/instructions) under valgrind and compares them with
# benches/instructions.txt.
#
#   tests/instructions.sh                   fails where a loop takes over 5 % more than is written; says where one takes less
#   tests/instructions.sh --write           writes what was counted
#   TOLERANCE_PERCENT=2 PROGRAM=FILE …      another tolerance; a program that was built before
#
# Counts depend on the compiler: with another one than that of the file, what differs is told and nothing fails. Loops for
# instructions that the machine does not have are left out, and so is everything without valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

written=benches/instructions.txt
tolerance=${TOLERANCE_PERCENT:-5}
if ! command -v valgrind >/dev/null; then
    echo 'valgrind is not installed: the instructions of the hot loops are not counted'
    exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "the counts in $written are those of x86-64: nothing is compared on $(uname -m)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=${PROGRAM:-${CARGO_TARGET_DIR:-target}/release/examples/instructions}
if [ -z "${PROGRAM:-}" ]; then cargo build --locked --quiet --release --no-default-features --example instructions; fi

# Every time `counted` is left what it did is laid down, in a file of its own.
valgrind --tool=callgrind --callgrind-out-file="$work/out" --toggle-collect='*::counted' --dump-after='*::counted' \
    "$program" >"$work/loops" 2>"$work/said" || {
    cat "$work/said" >&2
    exit 1
}

{
    echo '# Instructions a frame of the hot loops, counted by callgrind: tests/instructions.sh'
    rustc --version
    part=0
    while IFS=$'\t' read -r name frames; do
        part=$((part + 1))
        awk -v name="$name" -v frames="$frames" \
            '/^(totals|summary):/ { count = $2 } END { if (!count) exit 1; printf "%s\t%.1f\n", name, count / frames }' "$work/out.$part"
    done <"$work/loops"
} >"$work/counted"

if [ "${1:-}" = --write ]; then
    cp "$work/counted" "$written"
    cat "$written"
    exit 0
fi

awk -F '\t' -v tolerance="$tolerance" '
    FNR == 1 { file++ }
    /^#/ { next }
    /^rustc / { compiler[file] = $0; next }
    file == 1 { before[$1] = $2; next }
    {
        seen[$1] = 1
        if (!($1 in before)) { printf "%s: %s, and nothing is written of it (--write)\n", $1, $2; worse = 1; next }
        percent = 100 * ($2 / before[$1] - 1)
        said = percent > tolerance ? "MORE" : percent < -tolerance ? "less (--write keeps it)" : ""
        printf "%-34s %9.1f  was %9.1f  %+6.1f %%  %s\n", $1, $2, before[$1], percent, said
        if (percent > tolerance) worse = 1
    }
    END {
        for (name in before) if (!(name in seen)) printf "%s: left out on this machine\n", name
        if (compiler[1] != compiler[2]) {
            printf "counted with %s, written with %s: told only\n", compiler[2], compiler[1]
            worse = 0
        }
        exit worse
    }' "$written" "$work/counted"
