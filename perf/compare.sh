#!/bin/bash
# Programs somebody might use instead, on the same trace: speed per core and what they find.
set -euo pipefail

usage() {
  cat <<'END'
usage: perf/compare.sh [OPTIONS]

  --profile NAME   which trace (default mix)
  --packets N      how long a trace (default: the profile's own)
  --repeats N      times that each program reads it, in turns; the median counts (default 3; tshark once)
  --only NAME      only this peer (suricata, snort, ndpi, tshark); may be repeated
  --build-dir DIR  use the programs in DIR (default: builds build/trained)
  --out DIR        where results go (default build/perf)

Peers are used if they are installed:
  suricata    apt-get install -t bookworm-backports suricata
  snort       Snort 3; Debian has no package of it, so from snort.org's sources
  ndpiReader  apt-get install libndpi-bin
  tshark      apt-get install tshark

Their rules and configurations are in perf/peers/. Results: compare.json and compare.md in the output
folder; perf/run.sh takes the ratios from there into its table of budgets. Takes about 3 minutes.

Exit code: 0 compared; 1 our own program did not find exactly what is in the trace; 2 usage.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=
out=build/perf
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --profile | --packets | --repeats | --only)
      [ $# -ge 2 ] || { echo "perf/compare.sh: $1 needs a value" >&2; exit 2; }
      arguments+=("$1" "$2"); shift ;;
    --build-dir) build=${2:?--build-dir needs a folder}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "perf/compare.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ -z "$build" ]; then
  build=build/trained
  scripts/build.sh trained --for-this-machine -- perf/imds-tracegen perf/bench-pipeline \
    perf/read-with-libpcap app/inspector/imds-inspector
fi
mkdir -p "$out"
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 perf/runner/compare.py --build "$build" --out "$out" "${arguments[@]}"
