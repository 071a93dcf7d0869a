#!/bin/bash
# Configures (once) and compiles one build type into build/<type>.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: scripts/build.sh [release|trained|debug|sanitize] [--for-this-machine] [-- NINJA ARGUMENTS]

  release    (default) optimised, portable: every x86-64 server since about 2010
  trained    release, optimised as a whole (LTO) and by what ran most in generated traffic (PGO):
             takes three times as long to build, without the tests; docs/performance.md has the gain
  debug      no optimisation, every public header also compiled on its own
  sanitize   AddressSanitizer and UndefinedBehaviorSanitizer, with clang when there is one

  --for-this-machine   -march=native: faster, runs only on this kind of processor
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
type=release
options=()
ninja_arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    release | trained | debug | sanitize) type=$1 ;;
    --for-this-machine) options+=(-Dmarch=native) ;;
    --) shift; ninja_arguments=("$@"); break ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

# A process per core, but no more than memory carries: a C++ compiler takes up to about 1 GiB.
memory_gib=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
jobs=$(nproc)
if [ "$jobs" -gt "$((memory_gib > 0 ? memory_gib : 1))" ]; then jobs=$((memory_gib > 0 ? memory_gib : 1)); fi

compiler=()
case $type in
  # Inlined across files, g++ 12 takes standard containers for overflowing ones;
  # the same code compiles without a warning file by file.
  trained)
    options+=(--buildtype=release -Db_lto=true -Dtests=false
      "-Dcpp_link_args=-Wno-stringop-overflow -Wno-stringop-overread -Wno-free-nonheap-object")
    ;;
  debug) options+=(--buildtype=debug -Dheader_check=true) ;;
  sanitize)
    options+=(--buildtype=debugoptimized "-Db_sanitize=address,undefined" -Db_lundef=false
      -Dheader_check=true -Dperf=false)
    # The project must compile with both; the release build uses the system's default (gcc).
    if command -v clang++ >/dev/null; then compiler=(env CC=clang CXX=clang++); fi
    ;;
esac

directory=build/$type

# Builds the program that leaves profiles behind, and runs it over other packets (another seed) than
# are measured with. The profiles stay in the build folder, where the second compilation looks for
# them. Code that did not run has none, which is no fault, and is compiled as without training.
# Done again only when a source has changed.
train() {
  local profile sources
  sources=$(find lib app perf conf/rules meson.build meson_options.txt -type f -print0 | sort -z |
    xargs -0 sha256sum | sha256sum)
  if [ "$(cat "$directory/trained-with" 2>/dev/null)" = "$sources" ]; then return; fi
  meson configure "$directory" -Db_pgo=generate -Dcpp_args=
  ninja -C "$directory" -j "$jobs" perf/bench-pipeline
  find "$directory" -name '*.gcda' -delete
  for profile in mix small http imds imix hostile; do
    "$directory/perf/bench-pipeline" --profile "$profile" --packets 200000 --rounds 2 --seed 1000 \
      --small-pages
  done
  meson configure "$directory" -Db_pgo=use \
    -Dcpp_args="-Wno-missing-profile -fprofile-partial-training"
  echo "$sources" >"$directory/trained-with"
}
if [ -e "$directory/build.ninja" ]; then
  if [ ${#options[@]} -gt 0 ]; then meson configure "$directory" "${options[@]}"; fi
else
  "${compiler[@]}" meson setup "$directory" "${options[@]}"
fi
if [ "$type" = trained ]; then train; fi
ninja -C "$directory" -j "$jobs" "${ninja_arguments[@]}"
