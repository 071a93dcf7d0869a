#!/bin/bash
# Has the working tree become slower than a reference commit? Both run in turns on the same traces.
set -euo pipefail

usage() {
  cat <<'END'
usage: perf/regress.sh [OPTIONS]

  --against COMMIT   the reference (default: main, or HEAD~1 where main is the commit checked out)
  --profile NAME     only this trace; may be repeated (default: small, mix, http, imds, hostile)
  --rounds N         blocks of reference, tree, tree, reference (default 9, at least 2)
  --packets N        length of the traces (default 300000)
  --threshold X      how much slower counts as a regression (default 1.05)
  --portable         build both for any x86-64 (x86-64-v2) instead of this machine's processor
  --tree-build DIR   use the working tree's programs in DIR, build nothing of it
  --reference-build DIR  use the reference's program in DIR, build nothing of it
  --json FILE        write the result there

The reference is built in a git worktree of its own, build/regress/COMMIT, and kept there for the
next time. Both get the same files, made by the working tree's imds-tracegen, so a reference whose
bench-pipeline knows fewer options will do.

Prints the ratio of cycles per packet, tree to reference, with its 95 % confidence interval
(bootstrap over blocks). Building takes about 5 minutes for each, measuring about 1 per trace.

Exit code: 0 no regression; 1 the lower bound of a ratio exceeds the threshold, or the tree does not
find exactly what is in a trace; 2 usage or something that is missing.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
against=
march=native
tree=
reference=
arguments=()
fail() { echo "perf/regress.sh: $1" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --portable) march=x86-64-v2; shift; continue ;;
    --help | -h) usage; exit 0 ;;
  esac
  [ $# -ge 2 ] || { usage >&2; fail "unknown option, or its value is missing: $1"; }
  case $1 in
    --against) against=$2 ;;
    --tree-build) tree=$2 ;;
    --reference-build) reference=$2 ;;
    --profile | --rounds | --packets | --threshold | --json) arguments+=("$1" "$2") ;;
    *) usage >&2; fail "unknown option $1" ;;
  esac
  shift 2
done

build() {  # build SOURCE-FOLDER BUILD-FOLDER TARGETS...
  local source=$1 folder=$2
  shift 2
  if [ ! -e "$folder/build.ninja" ]; then
    # Only the one program is wanted; without tests the configuration is quicker.
    meson setup "$folder" "$source" --buildtype=release -Dmarch="$march" -Dtests=false ||
      fail "cannot configure $source"
  fi
  ninja -C "$folder" "$@" || fail "cannot build $source"
}

if [ -z "$reference" ]; then
  if [ -z "$against" ]; then
    against=main
    if [ "$(git rev-parse -q --verify main)" = "$(git rev-parse HEAD)" ]; then against=HEAD~1; fi
  fi
  commit=$(git rev-parse -q --verify "$against^{commit}") || fail "no such commit: $against"
  checkout=$PWD/build/regress/${commit:0:12}
  if [ ! -e "$checkout/meson.build" ]; then
    mkdir -p build/regress
    git worktree prune
    git worktree add --detach "$checkout" "$commit" >/dev/null || fail "cannot check $against out"
  fi
  reference=$checkout/build/$march
  build "$checkout" "$reference" perf/bench-pipeline
  arguments+=(--reference-name "$against ($(git rev-parse --short=10 "$commit"))")
fi
if [ -z "$tree" ]; then
  tree=build/native
  if [ "$march" != native ]; then tree=build/release; fi
  if [ ! -e "$tree/build.ninja" ]; then meson setup "$tree" --buildtype=release -Dmarch="$march"; fi
  ninja -C "$tree" perf/imds-tracegen perf/bench-pipeline || fail "cannot build the working tree"
fi
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 perf/runner/regress.py --tree "$tree" --reference "$reference" "${arguments[@]}"
