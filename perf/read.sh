#!/bin/bash
# Measures `imds-inspector --read` on a capture file against only reading the file with libpcap.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: perf/read.sh [OPTIONS]

  --profile NAME   which trace (default mix; build/release/perf/imds-tracegen --list names them)
  --packets N      about how many packets (default: the profile's own)
  --rounds N       runs of each program, of which the median counts (default 11)
  --native         build for this machine's processor, into build/native
  --build-dir DIR  use the programs in DIR, build nothing
  --out DIR        where the trace is made and removed again (default build/perf); it should fit in
                   memory, else the disk is measured
  --json FILE      write the result there

Processor time is user and system time of the whole process, from its start to its end, alerts
written to a file; Gbit/s is the frames' bits by that time. The programs take turns. Beside the two,
what the inspector takes to start (a capture of a few packets), and what starting and reading take
together (read-bare: packets received and given back, nothing else). The exit code is 1 if the
alerts were not exactly those of the trace.
EOF
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
profile=mix
packets=()
rounds=11
native=
build=
out=build/perf
json=
while [ $# -gt 0 ]; do
  case $1 in
    --profile) profile=${2:?--profile needs a name}; shift ;;
    --packets) packets=(--packets "${2:?--packets needs a number}"); shift ;;
    --rounds) rounds=${2:?--rounds needs a number}; shift ;;
    --native) native=1 ;;
    --build-dir) build=${2:?--build-dir needs a folder}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --json) json=${2:?--json needs a file}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

if [ -z "$build" ]; then
  build=build/release
  if [ -n "$native" ]; then build=build/native; fi
  if [ ! -e "$build/build.ninja" ]; then
    meson setup "$build" ${native:+-Dmarch=native}
  fi
  ninja -C "$build" read-programs
fi

mkdir -p "$out"
trace=$out/read-$profile.pcap
trap 'rm -f "$trace" "$trace.expected.json"' EXIT
"$build/perf/imds-tracegen" --profile "$profile" --out "$trace" "${packets[@]}"
/usr/bin/python3 perf/read.py "$trace" "$build" "$rounds" ${json:+"$json"}
