#!/usr/bin/env bash
# Reads a number, thinks, and writes it back plus one: what goes wrong when two do it at once. Argument: the file.
set -euo pipefail
balance=$(cat "$1")
sleep 0.05
echo $((balance + 1)) >"$1"
