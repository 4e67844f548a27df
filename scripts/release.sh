#!/usr/bin/env bash
# Builds target/release/seawall. Which of its paths are hot was learned by playing them (docs/adr/0011-profile.md): the compiler is
# told where it is the one that counted. Flags of the caller's own go before that.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=()
if [[ -n "${RUSTFLAGS:-}${CARGO_ENCODED_RUSTFLAGS:-}" ]]; then
    echo "release: built with your RUSTFLAGS, without the profile of hot paths" >&2
elif [[ "$(rustc -vV)" != "$(cat profile/rustc.txt)" ]]; then
    echo "release: built without the profile of hot paths, which is of another compiler; make profile takes it anew" >&2
else
    flags=(--config "build.rustflags=['-C', 'profile-use=$PWD/profile/seawall.profdata', '-C', 'llvm-args=-no-pgo-warn-mismatch']")
fi
exec ${CARGO:-cargo} build --release --locked --bin seawall "${flags[@]}"
