#!/bin/bash
# Installs the Debian packages the project needs. Nothing is done when all of them are there.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: scripts/install-deps.sh [--tests] [--list]

  (nothing)   what building and running needs; scripts/demo.sh asks for no more
  --tests     also what the tests, the lab of network namespaces and the style checks need
  --list      print the packages and stop

Works as root, or through sudo. Asks nothing. Debian's prometheus package would start a server at
once: here only the program is wanted (the tests start their own, on a private port), so the
service is kept from starting when this script is what installs it. Likewise cloud-init, which would
set up the machine at its next start: only its code is wanted.
EOF
}

# Groups, each with its reason.
build=(
  build-essential meson ninja-build pkg-config    # compiler and build system
  ccache                                          # a second build takes seconds
  libdpdk-dev                                     # packet input and output
  libboost-dev libboost-program-options-dev       # command line
  libyaml-cpp-dev nlohmann-json3-dev              # configuration and rules in, alerts out
  libspdlog-dev prometheus-cpp-dev                # logs, metrics
  libexpected-dev libssl-dev zlib1g-dev libnuma-dev
  libnghttp2-dev                                  # HTTP/2 header compression
  libpcre2-dev                                    # regular expressions Hyperscan cannot express
  libgtest-dev libgmock-dev libbenchmark-dev      # tests and benchmarks are part of the build
)
run=(
  dpdk                                            # dpdk-devbind.py, dpdk-hugepages.py
  curl jq                                         # to look at metrics and alerts
)
tests=(
  iproute2 ethtool procps iputils-ping tcpdump    # the lab of network namespaces
  awscli python3-botocore cloud-init              # real clients of the metadata service
  dnsmasq-base radvd iputils-arping               # real ways to claim its address
  udhcpc isc-dhcp-client                          # real clients that are told of them
  nghttp2-client nghttp2-server                   # real peers that speak HTTP/2
  prometheus                                      # a real scraper, and promtool
  dpdk-dev                                        # dpdk-testpmd, the other end of a memif
  libpcap-dev                                     # what perf/read.sh compares reading captures with
  python3 python3-pytest python3-pytest-timeout python3-yaml
  python3-scapy python3-hpack python3-hyperframe  # make the captures of tests/e2e/evasion
  tshark                                          # a second opinion on generated traces
  netsniff-ng tcpreplay lua5.4                    # perf/pktgen: trafgen and tcpreplay, its search
  clang libclang-rt-dev                           # the sanitised build uses the second compiler
  clang-format clang-tidy shellcheck              # style
)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Hyperscan where Debian has it (x86); Vectorscan gives the same libhs.pc and is kept if there.
pattern_matcher() {
  if is_installed libvectorscan-dev; then
    echo libvectorscan-dev
  elif is_installed libhyperscan-dev || [ "$(dpkg --print-architecture)" = amd64 ]; then
    echo libhyperscan-dev
  else
    echo libvectorscan-dev
  fi
}

wanted=("${build[@]}" "$(pattern_matcher)" "${run[@]}")
list_only=
for argument in "$@"; do
  case $argument in
    --tests) wanted+=("${tests[@]}") ;;
    --list) list_only=1 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "install-deps: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done
if [ -n "$list_only" ]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "install-deps: this is no Debian; install the equivalents of: ${wanted[*]}" >&2
  exit 4
fi

missing=()
for package in "${wanted[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  echo "install-deps: all ${#wanted[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null ||
    { echo "install-deps: neither root nor sudo; install: ${missing[*]}" >&2; exit 4; }
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

masked=
unmask() {
  if [ -n "$masked" ]; then
    "${as_root[@]}" rm -f /etc/systemd/system/prometheus.service
    "${as_root[@]}" systemctl disable --quiet prometheus 2>/dev/null || true
    masked=
  fi
}
# While its name is masked, the service can neither start nor be enabled by the installation.
if [[ " ${missing[*]} " == *" prometheus "* && -d /run/systemd/system &&
  ! -e /etc/systemd/system/prometheus.service ]]; then
  "${as_root[@]}" ln -s /dev/null /etc/systemd/system/prometheus.service
  masked=1
  trap unmask EXIT
fi

# As its documentation says; where cloud-init was there before, it stays as it is.
if [[ " ${missing[*]} " == *" cloud-init "* ]]; then
  "${as_root[@]}" mkdir -p /etc/cloud
  "${as_root[@]}" touch /etc/cloud/cloud-init.disabled
fi

echo "install-deps: installing ${#missing[@]} packages (a minute or two): ${missing[*]}"
apt update >/dev/null
apt install --no-install-recommends "${missing[@]}"
unmask
echo "install-deps: done"
