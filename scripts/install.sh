#!/usr/bin/env bash
# Builds the extension and installs it into the PostgreSQL of PG_CONFIG. Cargo runs as the calling user; only the copy
# into the server's directories uses sudo, and only when it has to. PROFILE chooses the cargo profile.
set -euo pipefail
. "$(dirname -- "$0")/common.sh"
cd "$ROOT"

pg_bindir >/dev/null
profile=${PROFILE:-release}
options=(--pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR" --profile "$profile")
[ -w "$("$PG_CONFIG" --pkglibdir)" ] && [ -w "$("$PG_CONFIG" --sharedir)/extension" ] || options+=(--sudo)

say "installing foreshard ($profile profile) into PostgreSQL $PG_MAJOR"
quietly cargo pgrx install "${options[@]}"
