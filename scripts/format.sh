#!/bin/bash
# Formats the C and C++ sources in place; with --check only tells what would change (exit 1).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
case ${1:-} in
  --check) mode=(--dry-run --Werror) ;;
  '') ;;
  *) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
find lib app tests perf -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0 |
  xargs -0 -r -n 20 clang-format "${mode[@]}"
