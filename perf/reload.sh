#!/bin/sh
# What exchanging the rules costs a worker that is at work: bench-pipeline --reloads on the mix.
#
#   perf/reload.sh [--json FILE] [--build-dir DIR] [--rounds N]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
json=
rounds=5
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=$2; shift 2 ;;
    --build-dir) build=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "perf/reload.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
bench=$build/perf/bench-pipeline
if [ ! -x "$bench" ]; then
  echo "perf/reload.sh: no $bench: build it first" >&2
  exit 2
fi
whole=$(mktemp)
trap 'rm -f "$whole"' EXIT
code=0
"$bench" --profile mix --reloads --rounds "$rounds" --json "$whole" || code=$?
if [ -n "$json" ] && [ -s "$whole" ]; then
  /usr/bin/python3 - "$whole" > "$json" <<'PYTHON'
import json, sys
row = json.load(open(sys.argv[1]))
print(json.dumps({"profile": "mix-reload", **row["reload"],
                  "ground_truth_ok": row["ground_truth_ok"]}, indent=2))
PYTHON
fi
exit $code
