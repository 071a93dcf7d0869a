#!/bin/bash
# Configures (once) and compiles one build type into build/<type>.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: scripts/build.sh [release|debug|sanitize] [--for-this-machine] [-- NINJA ARGUMENTS]

  release    (default) optimised, portable: every x86-64 server since about 2010
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
    release | debug | sanitize) type=$1 ;;
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
  debug) options+=(--buildtype=debug -Dheader_check=true) ;;
  sanitize)
    options+=(--buildtype=debugoptimized "-Db_sanitize=address,undefined" -Db_lundef=false
      -Dheader_check=true -Dperf=false)
    # The project must compile with both; the release build uses the system's default (gcc).
    if command -v clang++ >/dev/null; then compiler=(env CC=clang CXX=clang++); fi
    ;;
esac

directory=build/$type
if [ -e "$directory/build.ninja" ]; then
  if [ ${#options[@]} -gt 0 ]; then meson configure "$directory" "${options[@]}"; fi
else
  "${compiler[@]}" meson setup "$directory" "${options[@]}"
fi
ninja -C "$directory" -j "$jobs" "${ninja_arguments[@]}"
