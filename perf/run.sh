#!/bin/bash
# Measures: micro-benchmarks of the rooms, then the whole pipeline over generated traces.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: perf/run.sh [OPTIONS]

  --profile NAME   only this trace, and no micro-benchmarks; may be repeated
                   (build/release/perf/imds-tracegen --list names them)
  --rounds N       rounds of each trace, of which the median counts (default 11)
  --native         build for this machine's processor, into build/native
  --build-dir DIR  use the programs in DIR, build nothing
  --out DIR        where traces and results go (default build/perf)
  --json FILE      also write the rows of the pipeline to FILE
  --quick          small traces, two rounds, no micro-benchmarks: checks that everything that should
                   be found is found. Its times mean nothing.

Results: results.json and results.md in the output folder. Building takes about 5 minutes the first
time, measuring about 3. The exit code is 1 if any trace did not give exactly its alerts.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
profiles=()
rounds=11
native=
build=
out=build/perf
json=
quick=
while [ $# -gt 0 ]; do
  case $1 in
    --profile) profiles+=("${2:?--profile needs a name}"); shift ;;
    --rounds) rounds=${2:?--rounds needs a number}; shift ;;
    --native) native=1 ;;
    --build-dir) build=${2:?--build-dir needs a folder}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --json) json=${2:?--json needs a file}; shift ;;
    --quick) quick=1 ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

micro=(packet classify flow http rules alert)
if [ -n "$quick" ] || [ ${#profiles[@]} -gt 0 ]; then micro=(); fi
packets=()
if [ -n "$quick" ]; then rounds=2 packets=(--packets 10000); fi

if [ -z "$build" ]; then
  build=build/release
  if [ -n "$native" ]; then build=build/native; fi
  if [ ! -e "$build/build.ninja" ]; then
    meson setup "$build" ${native:+-Dmarch=native}
  fi
  targets=(perf/imds-tracegen perf/bench-pipeline)
  for room in "${micro[@]}"; do targets+=("perf/bench-$room"); done
  ninja -C "$build" "${targets[@]}"
fi
if [ ${#profiles[@]} -eq 0 ]; then
  mapfile -t profiles < <("$build/perf/imds-tracegen" --list | cut -d' ' -f1)
fi

mkdir -p "$out"
rm -f "$out"/pipeline-*.json "$out"/bench-*.json "$out"/results.json "$out"/results.md
wrong=0
for room in "${micro[@]}"; do
  echo "== bench-$room"
  # Compiling a thousand rules is load time, not packet time.
  "$build/perf/bench-$room" --benchmark_filter=-compile --benchmark_min_time=0.2 \
    --benchmark_out="$out/bench-$room.json" --benchmark_out_format=json >"$out/bench-$room.log" 2>&1 ||
    { tail -5 "$out/bench-$room.log"; exit 1; }
done
for profile in "${profiles[@]}"; do
  trace=$out/$profile.pcap
  "$build/perf/imds-tracegen" --profile "$profile" --out "$trace" "${packets[@]}"
  code=0
  "$build/perf/bench-pipeline" --trace "$trace" --rounds "$rounds" \
    --json "$out/pipeline-$profile.json" || code=$?
  rm -f "$trace" "$trace.expected.json"
  case $code in
    0) ;;
    1) wrong=1 ;;
    *) exit "$code" ;;
  esac
done
/usr/bin/python3 perf/report.py "$out" "$build" ${json:+"$json"}
if [ "$wrong" = 1 ]; then
  echo "perf/run.sh: a trace did not give its alerts; its figures do not count" >&2
  exit 1
fi
