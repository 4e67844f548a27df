#!/usr/bin/env bash
# Plays what the program is for on an instrumented build of it, and keeps what was hot: profile/seawall.profdata, which the
# release build uses (docs/adr/0011-profile.md). Half an hour; leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

# They would go before the flags that count.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

built=$PWD/target/profile
raw=$built/raw
host=$(rustc -vV | sed -n 's/^host: //p')
merge=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata

if [[ ! -x $merge ]]; then
    rustup component add llvm-tools || { echo "profile: needs the compiler's llvm-profdata (rustup component add llvm-tools)" >&2; exit 2; }
fi
cargo build --release --locked --bin seawall --target-dir "$built" --config "build.rustflags=['-C', 'profile-generate=$raw']"
cargo build --release --locked -p seawall-bench
# The compiler's own helpers are instrumented too, and have left what they saw.
rm -rf "$raw"
python3 bench/train.py "$built/release/seawall"
"$merge" merge --sparse --output profile/seawall.profdata "$raw"/*.profraw
rustc -vV >profile/rustc.txt
ls -l profile/seawall.profdata
