#!/bin/bash
# Feeds every evasion capture to one running inspector, over and over, and watches its memory.
set -euo pipefail

usage() {
  cat <<'EOT'
usage: scripts/soak.sh [--seconds N] [--build DIRECTORY]

  --seconds N         how long; default 600
  --build DIRECTORY   of the programs; default build/release, or $IMDS_BUILD

The captures of tests/e2e/evasion are joined to one file that DPDK's pcap driver delivers in a loop,
as fast as the inspector takes it. Prints resident memory as it goes; fails when it grows by more
than 4 MiB after the first sixth, when the inspector ends, or when its counts do not add up.
Needs no privileges beyond those of an inspector without hugepages.
EOT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=600
build=${IMDS_BUILD:-build/release}
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --build) build=${2:?--build needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

name=imds-soak-$$
folder=$(mktemp -d)
inspector=
cleanup() {
  if [ -n "$inspector" ]; then kill "$inspector" 2>/dev/null || true; fi
  rm -rf "$folder" "/dev/shm/$name" "/var/run/dpdk/$name"
}
trap cleanup EXIT

PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/e2e/evasion/make_captures.py "$folder" --one-file
cat >"$folder/inspector.yaml" <<EOF2
observer: {hostname: soak}
ports:
  - {name: loop, device: "net_pcap0,rx_pcap=$folder/evasion.pcap,infinite_rx=1", rx_descriptors: 16384}
memory: {hugepages: "off"}
eal: {file_prefix: $name}
rules: {paths: [$PWD/conf/rules], fields: $PWD/conf/fields.yaml}
flow: {capacity: 65536}
inspect: {arena_mib: 16}
alerts: {ring: {name: /$name, records: 4096}}
metrics: {listen: "127.0.0.1:0"}
EOF2

"$build/app/inspector/imds-inspector" --config "$folder/inspector.yaml" \
  >"$folder/stdout" 2>"$folder/stderr" &
inspector=$!

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$inspector/status"; }
fail() {
  echo "soak: $1" >&2
  cat "$folder/stdout" "$folder/stderr" | tail -20 >&2
  exit 1
}

step=$((seconds / 12 > 0 ? seconds / 12 : 1))
settled=0
began=$SECONDS
sleep 2
while [ $((SECONDS - began)) -lt "$seconds" ]; do
  kill -0 "$inspector" 2>/dev/null || fail "the inspector has ended"
  memory=$(resident)
  printf '%5d s  %8d KiB resident\n' $((SECONDS - began)) "$memory"
  if [ $((SECONDS - began)) -le $((seconds / 6 + step)) ]; then settled=$memory; fi
  [ "$memory" -le $((settled + 4096)) ] || fail "memory grows: $settled, then $memory KiB"
  sleep "$step"
done

kill -TERM "$inspector"
code=0
wait "$inspector" || code=$?
inspector=
[ "$code" = 0 ] || fail "exit code $code"
cat "$folder/stdout" "$folder/stderr" | grep -E "^(packets|findings|alerts) "
