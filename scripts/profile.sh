#!/usr/bin/env bash
# Plays what the program is for on an instrumented build of it, and keeps what was hot: profile/seawall.profdata, which the
# release build uses (docs/adr/0011-profile.md). Half an hour; leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

built=$PWD/target/profile
raw=$built/raw
rustc=${RUSTC:-rustc}
host=$($rustc -vV | sed -n 's/^host: //p')
merge=$($rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata

if [[ ! -x $merge ]]; then
    rustup component add llvm-tools || { echo "profile: needs the compiler's llvm-profdata (rustup component add llvm-tools)" >&2; exit 2; }
fi
# This variable ranks above all others of cargo's flags, so that it is an instrumented build whatever the caller has.
CARGO_ENCODED_RUSTFLAGS="-Cprofile-generate=$raw" cargo build --release --locked --bin seawall --target-dir "$built"
rm -rf "$raw"
"$built/release/seawall" --version
compgen -G "$raw/*.profraw" >/dev/null || { echo "profile: the build counts nothing" >&2; exit 2; }
env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS cargo build --release --locked -p seawall-bench --bin load --bin upstream
# The compiler's own helpers are instrumented too, and have left what they saw.
rm -rf "$raw"
python3 bench/train.py "$built/release/seawall"
"$merge" merge --sparse --output profile/seawall.profdata "$raw"/*.profraw
$rustc -vV >profile/rustc.txt
ls -l profile/seawall.profdata
