#!/bin/bash
# From a fresh clone to alerts: installs what building needs, builds, and runs the inspector over
# a recording of the AWS CLI and curl falling for an IMDS impersonator.
set -euo pipefail

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'EOF'
usage: scripts/demo.sh

Installs packages (as root or through sudo), builds into build/release and shows the inspector on
a shipped recording. The first run takes about five minutes on two cores, later ones seconds.
Nothing else is installed, no network interface is touched.
EOF
  exit 0
fi
[ $# = 0 ] || { echo "usage: scripts/demo.sh" >&2; exit 2; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
capture=tests/captures/aws-cli-victim.pcap
inspector=build/release/app/inspector/imds-inspector
began=$SECONDS

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
if ! [ -t 1 ]; then step() { printf '\n== %s\n' "$*"; }; fi

step "1/5 packages (a minute or two the first time)"
scripts/install-deps.sh

step "2/5 build (about four minutes on two cores the first time)"
log=build/demo-build.log
mkdir -p build
if ! scripts/build.sh release -- app/inspector/imds-inspector app/alerts/imds-alerts >"$log" 2>&1
then
  tail -40 "$log"
  echo "the build failed; the whole log is in $log" >&2
  exit 1
fi
$inspector --version

step "3/5 alerts: a host off EC2 asks for instance metadata, and somebody answers"
echo "\$ $inspector --read $capture"
metrics=$(mktemp)
trap 'rm -f "$metrics"' EXIT
$inspector --read $capture --metrics-text "$metrics"

step "4/5 the first HTTP alert as JSON (Elastic Common Schema)"
echo "\$ $inspector --read $capture --format ecs | jq 'select(.imds.event == \"http_request\")'"
$inspector --read $capture --format ecs 2>/dev/null |
  jq -s '[.[] | select(.imds.event == "http_request")][0]'

step "5/5 a few of the metrics Prometheus would scrape"
grep -E '^imds_inspector_(alerts_total|findings_total|http_heads_total|packets_total|flows_created_total|scanned_bytes_total)' \
  "$metrics" | grep -v ' 0$'

printf '\nDone in %d s. What to try next:\n' $((SECONDS - began))
cat <<EOF
  $inspector --read YOUR.pcap               your own captures; needs no privileges
  $inspector --check                        what the configuration and the rules compile to
  sudo scripts/lab.sh --help                victim, impersonator and tap on this machine
  scripts/test.sh                           every test
  README.md, "First live run"               a real network card
EOF
