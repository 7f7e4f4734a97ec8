#!/usr/bin/env bash
# Holds the HTTP API against its OpenAPI document with schemathesis (PyPI): requests made of the schemas, right and wrong
# ones, over calls that nobody makes. What it needs is installed below target/.
#
#   tests/schemathesis.sh              100 requests a path
#   EXAMPLES=1000 tests/schemathesis.sh
#
# The stream of changes is left out: it does not end. Two checks are: a call that was hung up is gone, and a name may be
# used again when its call is over; schemathesis takes both for faults. That the token is needed is tested in tests/it/http.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/schemathesis
if [ ! -x $venv/bin/st ]; then
    python3 -m venv $venv
    $venv/bin/pip install --quiet 'schemathesis>=4,<5'
fi
cargo build --locked --quiet --example http_desk

# The desk ends when its standard input does: with this script.
coproc desk { exec "${CARGO_TARGET_DIR:-target}/debug/examples/http_desk" 127.0.0.1:0 a b c; }
read -r url <&"${desk[0]}"

# held CALL ARGUMENTS…: with a call's name, that call is used wherever one is named.
held() {
    local config=schemathesis.toml
    : > target/$config
    if [ -n "$1" ]; then printf '[parameters]\n"path.call" = "%s"\n' "$1" > target/$config; fi
    # Below target/, for what it keeps it keeps where it runs.
    cd target
    "../$venv/bin/st" --config-file $config run "${url}openapi.json" --max-examples "${EXAMPLES:-100}" --checks all \
        --exclude-checks ignored_auth,ensure_resource_availability,use_after_free --generation-database none "${@:2}"
    cd ..
}

# A yes is worth most: it is asked of a call that stands, before another path closes it.
held a --include-path '/v1/calls/{call}/granted' --phases coverage,fuzzing
held '' --exclude-path /v1/events "$@"
