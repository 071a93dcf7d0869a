#!/bin/bash
# Builds the fuzzers of tests/fuzz with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer
# and lets each run for some minutes. Needs clang and libclang-rt-dev (install-deps.sh --tests).
set -euo pipefail

usage() {
  cat <<'EOT'
usage: scripts/fuzz.sh [--minutes N] [--list] [NAME...]

  --minutes N   how long each fuzzer runs (default 1)
  --list        print the names of the fuzzers
  NAME          only these; default: all, one after the other

What a fuzzer has learnt stays in build/fuzz/corpus/NAME and is where the next run begins. An input
that breaks something is kept as tests/fuzz/crashes/NAME/…: commit it with the repair, the tests
replay it from then on. Exit code 1 if there was one.
EOT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=1
list=
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=${2:?--minutes needs a number}; shift ;;
    --list) list=1 ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ $minutes =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }

all=()
for source in tests/fuzz/*.cc; do
  if grep -q LLVMFuzzerTestOneInput "$source" && [ "$source" != tests/fuzz/replay.cc ]; then
    all+=("$(basename "$source" .cc)")
  fi
done
if [ -n "$list" ]; then
  printf '%s\n' "${all[@]}"
  exit 0
fi
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")
for name in "${names[@]}"; do
  [[ " ${all[*]} " == *" $name "* ]] || { echo "fuzz: no fuzzer '$name' (see --list)" >&2; exit 2; }
done

directory=build/fuzz
if [ ! -e $directory/build.ninja ]; then
  CC=clang CXX=clang++ meson setup $directory --buildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false -Dperf=false -Dfuzzing=true
fi
ninja -C $directory tests/fuzz/make-fuzz-seeds "${names[@]/#/tests/fuzz/fuzz-}"

export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0
found=0
for name in "${names[@]}"; do
  corpus=$directory/corpus/$name
  seeds=$directory/seeds/$name
  crashes=tests/fuzz/crashes/$name
  mkdir -p "$corpus" "$(dirname "$seeds")" "$crashes"
  $directory/tests/fuzz/make-fuzz-seeds "$name" "$seeds" conf
  printf '\n== %s: %d minute(s)\n' "$name" "$minutes"
  if $directory/tests/fuzz/fuzz-"$name" -max_total_time=$((minutes * 60)) -timeout=20 \
    -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$crashes/" \
    "$corpus" "$seeds" "$crashes" >"$directory/$name.log" 2>&1; then
    grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' \
      "$directory/$name.log"
  else
    found=1
    tail -60 "$directory/$name.log"
    echo "FOUND SOMETHING: the input is in $crashes, the log in $directory/$name.log"
  fi
  rmdir --ignore-fail-on-non-empty "$crashes"
done
exit $found
