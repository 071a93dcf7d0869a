#!/bin/bash
# Measures: micro-benchmarks of the rooms, then the whole pipeline over generated traces, next to
# what DPDK itself does with the same packets.
set -euo pipefail

usage() {
  cat <<'END'
usage: perf/run.sh [OPTIONS]

  --profile NAME    only this trace, nothing but the pipeline; may be repeated. Names:
                    imds-tracegen --list, and mix-2-workers (two workers on two queues)
  --repeats N       times that all of it is done in turns; the median counts (default 3)
  --rounds N        rounds of a trace in each of them (default 11)
  --untrained       build for this machine's processor without training, into build/native.
                    Otherwise with it: scripts/build.sh trained --for-this-machine
  --portable        build for any x86-64 server since 2010 (x86-64-v2), into build/release
  --build-dir DIR   use the programs in DIR, build nothing
  --out DIR         where results go (default build/perf)
  --json FILE       also write the rows of the pipeline to FILE
  --instructions    with --profile: count instructions too (everything: always). Without hardware
                    counters this is callgrind on the portable build, which is built if it is not there
  --no-baselines    leave dpdk-testpmd out
  --no-huge-pages   leave the kernel's huge pages as they are
  --update-docs     put the tables into docs/performance.md
  --quick           small traces, two rounds, nothing else: checks that everything that should be
                    found is found. Its times mean nothing.

Results: results.json and results.md in the output folder. Building takes about 8 minutes the first
time, and 5 more for the portable build; measuring everything about 15, one profile about 1.

Nothing needs root. As root it reserves 2 MiB huge pages if too few are free (half of the available
memory, 12 GiB at most) and gives them back at the end. What is missing (dpdk-testpmd, hardware
counters, valgrind, memory) is named, and the rest measured.

Exit code: 0 measured; 1 a trace did not give exactly its alerts; 2 usage; 3 a profile that was asked
for could not be measured.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command_line="perf/run.sh $*"
profiles=()
rounds=11
repeats=3
build=
kind=trained
out=build/perf
json=
instructions=
baselines=1
huge_pages=1
update_docs=
quick=
need() { echo "perf/run.sh: $1 needs $2" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --profile) profiles+=("${2:-$(need "$1" "a name")}"); shift ;;
    --rounds) rounds=${2:-$(need "$1" "a number")}; shift ;;
    --repeats) repeats=${2:-$(need "$1" "a number")}; shift ;;
    --build-dir) build=${2:-$(need "$1" "a folder")}; shift ;;
    --out) out=${2:-$(need "$1" "a folder")}; shift ;;
    --json) json=${2:-$(need "$1" "a file")}; shift ;;
    --portable) kind=release ;;
    --untrained) kind=native ;;
    --instructions) instructions=1 ;;
    --no-baselines) baselines= ;;
    --no-huge-pages) huge_pages= ;;
    --update-docs) update_docs=1 ;;
    --quick) quick=1 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "perf/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
for number in "$rounds" "$repeats"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || need "--rounds and --repeats each" "a number from 1 on"
done

everything=1
if [ -n "$quick" ] || [ ${#profiles[@]} -gt 0 ]; then everything=; fi
micro=()
if [ -n "$everything" ]; then micro=(packet classify flow http rules alert) instructions=1; fi
if [ -n "$quick" ]; then
  rounds=2 repeats=1 baselines='' instructions='' huge_pages=''
  if [ "$kind" = trained ]; then kind=native; fi  # its times mean nothing
fi

compile() {  # compile FOLDER MESON-OPTION TARGETS...
  local folder=$1 option=$2
  shift 2
  if [ ! -e "$folder/build.ninja" ]; then meson setup "$folder" --buildtype=release "$option"; fi
  ninja -C "$folder" "$@"
}

programs=(perf/imds-tracegen perf/bench-pipeline)
if [ -z "$build" ]; then
  targets=("${programs[@]}")
  for room in "${micro[@]}"; do targets+=("perf/bench-$room"); done
  # perf/read.sh and perf/startup.sh start the inspector itself.
  if [ -n "$everything" ]; then targets+=(app/inspector/imds-inspector read-programs); fi
  build=build/$kind
  case $kind in
    trained) scripts/build.sh trained --for-this-machine -- "${targets[@]}" ;;
    native) compile "$build" -Dmarch=native "${targets[@]}" ;;
    release) compile "$build" -Dmarch=x86-64-v2 "${targets[@]}" ;;
  esac
fi

# Callgrind knows no AVX-512, which the native build may use.
portable_build=
if [ -n "$instructions" ] && command -v valgrind >/dev/null; then
  portable_build=build/release
  if [ "$build" != "$portable_build" ]; then
    compile "$portable_build" -Dmarch=x86-64-v2 "${programs[@]}"
  fi
fi

pages=/sys/kernel/mm/hugepages/hugepages-2048kB
pages_before=
# shellcheck disable=SC2317  # the trap calls it
give_back() {
  if [ -n "$pages_before" ]; then echo "$pages_before" >"$pages/nr_hugepages"; fi
}
trap give_back EXIT
trap 'exit 130' INT TERM

reserve_huge_pages() {
  local half free
  half=$(awk '/^MemAvailable:/ { pages = int($2 / 4096); print pages < 6144 ? pages : 6144 }' \
    /proc/meminfo)
  if [ ! -e "$pages/nr_hugepages" ]; then
    echo "huge pages: not available: this kernel has none of 2 MiB; on 4 KiB pages"
    return
  fi
  free=$(cat "$pages/free_hugepages")
  if [ "$free" -ge "$half" ]; then return; fi
  if [ "$(id -u)" != 0 ] || [ ! -w "$pages/nr_hugepages" ]; then
    echo "huge pages: $free free, and only root may reserve more"
    return
  fi
  pages_before=$(cat "$pages/nr_hugepages")
  echo $((pages_before + half - free)) >"$pages/nr_hugepages" || true
  echo "huge pages: $(cat "$pages/free_hugepages") of 2 MiB free for this run"
}
if [ -n "$huge_pages" ]; then reserve_huge_pages; fi

mkdir -p "$out"
rm -f "$out"/bench-*.json "$out"/pipeline.json "$out"/results.json "$out"/results.md
for room in "${micro[@]}"; do
  echo "== bench-$room"
  if [ ! -x "$build/perf/bench-$room" ]; then
    echo "bench-$room: not available: not built in $build"
    continue
  fi
  # Compiling a thousand rules is load time, not packet time.
  "$build/perf/bench-$room" --benchmark_filter=-compile --benchmark_min_time=0.2 \
    --benchmark_out="$out/bench-$room.json" --benchmark_out_format=json >"$out/bench-$room.log" 2>&1 ||
    { tail -5 "$out/bench-$room.log"; exit 1; }
done

code=0
selected=()
if [ -z "$baselines" ]; then selected+=(--no-baselines); fi
for profile in "${profiles[@]}"; do selected+=(--profile "$profile"); done
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 perf/runner/run.py --build "$build" --out "$out" --rounds "$rounds" \
  --repeats "$repeats" ${portable_build:+--portable-build "$portable_build"} ${quick:+--quick} \
  "${selected[@]}" || code=$?
if [ ! -e "$out/pipeline.json" ]; then exit "$((code ? code : 3))"; fi
/usr/bin/python3 perf/report.py "$out" --build "$build" --command "$command_line" \
  ${json:+--json "$json"} ${update_docs:+--update-docs docs/performance.md}
exit "$code"
