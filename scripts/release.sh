#!/usr/bin/env bash
# Builds target/release/seawall. Which of its paths are hot was learned by playing them (docs/adr/0011-profile.md): the compiler is
# told where it is the one that counted. Flags in the caller's variables go before that.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}

# Cargo may be told to take another compiler than the one that is asked (`cargo +nightly`), and is of the same release as it.
is_the_one_that_counted() {
    [[ "$(${RUSTC:-rustc} -vV)" == "$(cat profile/rustc.txt)" ]] &&
        [[ "$($cargo -V | cut -d' ' -f2)" == "$(sed -n 's/^release: //p' profile/rustc.txt)" ]]
}

# The host's own variable is named after it: CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS.
flags_of_the_caller() {
    local host
    host=$(${RUSTC:-rustc} -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    local of_the_host="CARGO_TARGET_${host}_RUSTFLAGS"
    echo "${RUSTFLAGS:-}${CARGO_ENCODED_RUSTFLAGS:-}${CARGO_BUILD_RUSTFLAGS:-}${!of_the_host:-}"
}

if [[ -n "$(flags_of_the_caller)" ]]; then
    echo "release: building with your RUSTFLAGS, so without the profile of hot paths (a little slower)" >&2
elif ! is_the_one_that_counted; then
    echo "release: building without the profile of hot paths, which is of another compiler (a little slower)" >&2
else
    # This variable ranks above all of cargo's files, so none of them takes the profile away unseen.
    export CARGO_ENCODED_RUSTFLAGS="-Cprofile-use=$PWD/profile/seawall.profdata"$'\x1f'"-Cllvm-args=-no-pgo-warn-mismatch"
fi
# Not quoted: it may be more than one word.
exec $cargo build --release --locked --bin seawall
