#!/usr/bin/env bash
# Runs the end-to-end tests NN_name.sh in order, each with servers of its own: all of them, or those named.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

names=("$@")
[ $# -gt 0 ] || names=([0-9][0-9]_*.sh)

for name in "${names[@]}"; do
    name=$(basename "$name" .sh)
    [ -e "$name.sh" ] || { echo "not ok: there is no test $name.sh"; echo "0 1" >>"$counts"; continue; }
    printf -- '--- %s\n' "$name"
    before=$SECONDS reported=$(wc -l <"$counts")
    E2E_COUNTS=$counts bash "$name.sh" </dev/null || true
    # A test that was killed has not reported.
    [ "$(wc -l <"$counts")" -gt "$reported" ] || { echo "not ok: $name was killed"; echo "0 1" >>"$counts"; }
    printf -- '--- %s: %s s\n' "$name" $((SECONDS - before))
done

read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$counts")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
