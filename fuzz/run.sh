#!/usr/bin/env bash
# Fuzzes every target, or those named, for SECONDS each (default 10), two at a time. Needs stable Rust and a C++ compiler,
# and neither nightly nor cargo-fuzz: the compiler's own coverage pass is what libFuzzer reads.
# Usage: fuzz/run.sh [SECONDS] [TARGET…]
#
# Inputs that found something new stay in fuzz/corpus/, so that the next run goes on from there; fuzz/seeds/ is committed.
# An input that breaks a law is kept in fuzz/artifacts/.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here" || exit 1
seconds=${1:-10}
shift || true
[[ $seconds =~ ^[0-9]+$ ]] || { echo "fuzz: the first argument is a number of seconds, not '$seconds'" >&2; exit 2; }
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(basename -s .rs targets/*.rs)
for target in "${targets[@]}"; do
    [[ -f targets/$target.rs ]] || { echo "fuzz: no target is called '$target'; there are: $(basename -s .rs targets/*.rs | xargs)" >&2; exit 2; }
done

triple=$(rustc -vV | sed -n 's/^host: //p')
# With --target given, build scripts and macros are built without these.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS
unset CARGO_ENCODED_RUSTFLAGS
build=(cargo build --release --locked --target "$triple" --target-dir target)
for target in "${targets[@]}"; do build+=(--bin "$target"); done
"${build[@]}" || { echo "0 passed, ${#targets[@]} failed"; exit 1; }

logs=$(mktemp -d)
# Files of the targets that need some: in memory where there is such a place.
TMPDIR=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
export TMPDIR
trap 'rm -rf "$logs" "$TMPDIR"' EXIT

max_len() { # Long enough for what a format is about, short enough for many tries a second.
    case $1 in
        path | words) echo 256 ;;
        json | prices | journal | config) echo 2048 ;;
        *) echo 8192 ;;
    esac
}

dictionary() {
    case $1 in
        config | words | path | journal) ;;
        *) echo "-dict=dictionaries/wire.dict" ;;
    esac
}

fuzz() { # TARGET
    local target=$1
    mkdir -p "corpus/$target" "artifacts/$target"
    # shellcheck disable=SC2046
    "target/$triple/release/$target" "corpus/$target" "seeds/$target" $(dictionary "$target") \
        -max_total_time="$seconds" -max_len="$(max_len "$target")" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="artifacts/$target/" >"$logs/$target" 2>&1
    echo $? >"$logs/$target.code"
}

verdict() { # TARGET: prints one line, or what went wrong
    local target=$1 log="$logs/$1" code tries counters
    code=$(<"$log.code")
    tries=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    counters=$(sed -n 's/^INFO: Loaded .* (\([0-9]*\) inline 8-bit counters).*/\1/p' "$log")
    if ((code == 0 && ${counters:-0} > 100 && ${tries:-0} > 0)); then
        printf 'ok    %-13s %9d tries, %d of %d edges reached\n' "$target" "$tries" \
            "$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2)" "$counters"
        return 0
    fi
    echo "FAIL  $target (exit code $code, ${counters:-0} edges, ${tries:-0} tries)"
    grep -vE '^#|^INFO|^stat|^Dictionary' "$log" | tail -n 40
    local artifact
    artifact=$(sed -n "s/.*Test unit written to //p" "$log" | tail -n 1)
    if [[ -n $artifact ]]; then
        echo "The input: fuzz/$artifact. To see it again:"
        echo "    fuzz/target/$triple/release/$target fuzz/$artifact"
    fi
    return 1
}

running=0
for target in "${targets[@]}"; do
    ((running < 2)) || { wait -n; running=$((running - 1)); }
    fuzz "$target" &
    running=$((running + 1))
done
wait

passed=0 failed=0
for target in "${targets[@]}"; do
    if verdict "$target"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
