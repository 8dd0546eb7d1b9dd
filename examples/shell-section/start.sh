#!/usr/bin/env bash
# A critical section in a shell script. Eight deposits at once, first without a lock, then each under `holdfast run`.
set -euo pipefail
cd "$(dirname "$0")"
account=$(mktemp)
trap 'rm -f "$account"' EXIT
holdfast() { node ../../build/src/cli/main.js "$@"; }

echo 0 >"$account"
for _ in 1 2 3 4 5 6 7 8; do ./deposit.sh "$account" & done
wait
echo "without a lock, 8 deposits make $(cat "$account")"

echo 0 >"$account"
for _ in 1 2 3 4 5 6 7 8; do holdfast run --wait forever account -- ./deposit.sh "$account" & done
wait
echo "with holdfast run, 8 deposits make $(cat "$account")"
[ "$(cat "$account")" -eq 8 ]

echo "somebody else has it: the exit code says so"
holdfast run account -- sleep 30 &
holder=$!
until holdfast show account --json | grep -q '"token"'; do sleep 0.1; done
code=0
holdfast run --wait 0 account -- true || code=$?
echo "exit code $code"
[ "$code" -eq 113 ]
kill "$holder"
wait "$holder" || true
