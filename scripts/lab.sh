#!/bin/bash
# A laboratory of network namespaces: a victim, an impersonator that serves fake instance metadata,
# and the place where the inspector listens. Nothing outside the namespaces is changed.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: scripts/lab.sh COMMAND [OPTIONS]

  up        build the lab and start the impersonator
            --inline       no switch: victim -- inA [inspector] inB -- impersonator
            --split        two taps, tap0 sees what the victim sends, tap1 what it receives
            --vlan ID      the tap's copies carry this 802.1Q tag, as from a packet broker
            --imds-mode M  both (default), v1 (token request refused), v2 (token required)
  down      stop the impersonator and remove the namespaces
  status    what exists
  run WHERE COMMAND...   run a command in a namespace: victim, imds, switch or sensor
  attack    ask for credentials from the victim: AWS CLI, then curl over IPv4 and IPv6
  record FILE   record the tap to FILE until interrupted (tcpdump)

  --name NAME   before COMMAND: another lab beside the first one
                (default imdslab; at most 10 letters, digits)

In the default form the victim and the impersonator meet on a bridge; the victim's bridge port is
mirrored, each direction once, to the interface tap0 in the sensor namespace:

  victim (10.77.0.10, fd00:77::10) ---- bridge ---- imds (169.254.169.254, fd00:ec2::254)
                                     |
                                     +-- copies --> tap0 (sensor)

A first run by hand, from the project's folder:
  sudo scripts/lab.sh up
  sudo scripts/lab.sh run sensor build/release/app/inspector/imds-inspector --interface tap0
  sudo scripts/lab.sh attack                  (in a second terminal)
  sudo build/release/app/alerts/imds-alerts follow     (in a third)
  sudo scripts/lab.sh down
EOF
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fake_imds=$here/../tests/support/fake_imds.py
tagging_tap=$here/../tests/support/tagging_tap.py

name=imdslab
form=tap
vlan=
imds_mode=both
readonly victim_mac=02:77:00:00:00:0a imds_mac=02:77:00:00:00:fe
readonly imds4=169.254.169.254 imds6=fd00:ec2::254

die() {
  echo "lab: $*" >&2
  exit "${2:-1}"
}

usage_error() {
  echo "lab: $* (see scripts/lab.sh --help)" >&2
  exit 2
}

in_ns() {  # in_ns ROLE COMMAND...
  local role=$1
  shift
  ip netns exec "$name-$role" "$@"
}

state_dir() { echo "/run/imds-lab/$name"; }

# A veth pair whose frames are frames as on a wire: no offload leaves a checksum to be filled in
# later or a 64 KiB "packet" for a card that does not exist.
wire() {  # wire ROLE1 IF1 ROLE2 IF2
  ip link add "$2" netns "$name-$1" type veth peer name "$4" netns "$name-$3"
  local end role interface
  for end in "$1 $2" "$3 $4"; do
    read -r role interface <<<"$end"
    in_ns "$role" ethtool -K "$interface" rx off tx off sg off tso off gso off gro off \
      >/dev/null 2>&1 || true
    in_ns "$role" ip link set "$interface" up
  done
}

# An interface that only carries others' frames.
silence() {  # silence ROLE INTERFACE
  in_ns "$1" ip link set "$2" arp off promisc on
}

make_namespaces() {
  local role
  for role in "$@"; do
    ip netns add "$name-$role"
    in_ns "$role" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
      net.ipv6.conf.default.router_solicitations=0 net.ipv6.conf.all.accept_dad=0
    in_ns "$role" ip link set lo up
  done
  # Where frames only pass through, the kernel must not speak.
  for role in switch sensor; do
    if [ -e "/run/netns/$name-$role" ]; then
      in_ns $role sysctl -qw net.ipv6.conf.default.disable_ipv6=1
    fi
  done
}

address_hosts() {
  in_ns victim ip link set eth0 address $victim_mac
  in_ns imds ip link set eth0 address $imds_mac
  in_ns victim ip addr add 10.77.0.10/24 dev eth0
  in_ns victim ip addr add fd00:77::10/64 dev eth0 nodad
  in_ns imds ip addr add 10.77.0.1/24 dev eth0
  in_ns imds ip addr add fd00:77::1/64 dev eth0 nodad
  # The impersonation itself: it owns both metadata addresses; the victim, like any host off EC2
  # with a link-local route, asks for them on its own link.
  in_ns imds ip addr add $imds4/32 dev eth0
  in_ns imds ip addr add $imds6/128 dev eth0 nodad
  in_ns victim ip route add $imds4/32 dev eth0
  in_ns victim ip -6 route add $imds6/128 dev eth0
}

# Copies of one direction of a bridge port. u32 with an empty match takes every frame and exists
# in every kernel that has mirred.
mirror() {  # mirror INTERFACE ingress|egress TO
  in_ns switch tc filter add dev "$1" "$2" protocol all prio 1 u32 match u32 0 0 \
    action mirred egress mirror dev "$3"
}

build_tap() {
  make_namespaces victim imds switch sensor
  wire victim eth0 switch victim0
  wire imds eth0 switch imds0
  wire switch span0 sensor tap0
  local towards_victim=span0 port
  if [ "$form" = split ]; then
    wire switch span1 sensor tap1
    silence switch span1
    silence sensor tap1
    towards_victim=span1
  fi
  silence switch span0
  silence sensor tap0

  in_ns switch ip link add bridge0 type bridge stp_state 0 mcast_snooping 0
  in_ns switch ip link set bridge0 up
  for port in victim0 imds0; do
    in_ns switch ip link set "$port" master bridge0
  done

  if [ -n "$vlan" ]; then
    # The tag is put on by a process, since not every kernel can push one while mirroring.
    start switch tagger "$tagging_tap" --from victim0 --to span0 --vlan "$vlan"
  else
    in_ns switch tc qdisc add dev victim0 clsact
    mirror victim0 ingress span0
    mirror victim0 egress $towards_victim
  fi
}

build_inline() {
  make_namespaces victim imds sensor
  wire victim eth0 sensor inA
  wire imds eth0 sensor inB
  silence sensor inA
  silence sensor inB
}

# A helper process that outlives this script; it writes its process id to a file once it works.
start() {  # start ROLE NAME COMMAND...
  local role=$1 helper=$2 try job
  shift 2
  local dir
  dir=$(state_dir)
  in_ns "$role" setsid "$@" --ready "$dir/$helper.pid" </dev/null >"$dir/$helper.log" 2>&1 &
  job=$!
  for try in $(seq 100); do
    [ -s "$dir/$helper.pid" ] && return
    kill -0 "$job" 2>/dev/null || break
    sleep 0.1
  done
  cat "$dir/$helper.log" >&2
  die "$helper did not start (waited ${try} tenths of a second)"
}

up() {
  [ ! -e "$(state_dir)" ] || die "the lab '$name' exists; 'scripts/lab.sh down' removes it"
  local tool
  for tool in ip tc ethtool python3; do
    command -v $tool >/dev/null || die "$tool is missing: scripts/install-deps.sh --tests" 4
  done
  mkdir -p "$(state_dir)"
  trap 'remove' EXIT
  if [ "$form" = inline ]; then build_inline; else build_tap; fi
  address_hosts
  start imds imds /usr/bin/python3 "$fake_imds" --listen "$imds4:80" --listen "[$imds6]:80" \
    --mode "$imds_mode" --log "$(state_dir)/requests.jsonl"
  echo "$form${vlan:+ vlan $vlan}" >"$(state_dir)/form"
  trap - EXIT
  status
}

remove() {
  local dir pidfile pid role
  dir=$(state_dir)
  for pidfile in "$dir"/*.pid; do
    [ -e "$pidfile" ] || continue
    pid=$(<"$pidfile")
    # Only what is still ours: the pid may have been given to another process since.
    if grep -qaE 'fake_imds|tagging_tap' "/proc/$pid/cmdline" 2>/dev/null; then
      kill "$pid" 2>/dev/null || true
      for _ in $(seq 50); do
        [ -e "/proc/$pid" ] || break
        sleep 0.1
      done
    fi
  done
  for role in victim imds switch sensor; do
    if [ -e "/run/netns/$name-$role" ]; then ip netns del "$name-$role"; fi
  done
  rm -rf "$dir"
}

status() {
  local dir
  dir=$(state_dir)
  if [ ! -e "$dir/form" ] && [ ! -e "$dir/imds.pid" ]; then
    echo "lab '$name': down"
    return
  fi
  echo "lab '$name': up ($(cat "$dir/form" 2>/dev/null || echo incomplete))"
  ip netns list | awk -v p="$name-" 'index($1, p) == 1 { print "  namespace " $1 }'
  if kill -0 "$(<"$dir/imds.pid")" 2>/dev/null; then
    echo "  impersonator on $imds4 and $imds6, requests in $dir/requests.jsonl"
  else
    echo "  impersonator: NOT running, see $dir/imds.log"
  fi
}

# The clients find no other source of credentials than the instance metadata.
as_clean_client() {
  in_ns victim env -i PATH=/usr/bin:/bin HOME=/nonexistent LANG=C.UTF-8 \
    AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null "$@"
}

attack() {
  local url token
  echo "== aws configure export-credentials (the AWS CLI falls for the impersonator)"
  as_clean_client aws configure export-credentials | sed -E 's/(Secret|Session)[^:]*: .*/\1…/'
  for url in "http://$imds4" "http://[$imds6]"; do
    echo "== curl $url: token, then identity document"
    token=$(as_clean_client curl -sS --max-time 5 -X PUT "$url/latest/api/token" \
      -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')
    as_clean_client curl -sS --max-time 5 "$url/latest/dynamic/instance-identity/document" \
      -H "X-aws-ec2-metadata-token: $token" | head -3
  done
}

main() {
  local command='' words=()
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --name) name=${2:?--name needs a value}; shift 2 ;;
      --inline) form=inline; shift ;;
      --split) form='split'; shift ;;
      --vlan) vlan=${2:?--vlan needs an id}; shift 2 ;;
      --imds-mode) imds_mode=${2:?--imds-mode needs a value}; shift 2 ;;
      -*) usage_error "unknown option $1" ;;
      *)
        command=$1
        shift
        if [ "$command" = run ]; then words=("$@"); break; fi
        if [ "$command" = record ]; then words=("${1:-}"); shift || true; fi
        ;;
    esac
  done
  [ -n "$command" ] || usage_error "no command"
  [[ $name =~ ^[a-zA-Z0-9]{1,10}$ ]] || usage_error "bad name '$name'"
  [[ -z $vlan || ($vlan =~ ^[0-9]+$ && $vlan -ge 1 && $vlan -le 4094) ]] ||
    usage_error "--vlan wants 1..4094"
  [[ -z $vlan || $form = tap ]] || usage_error "--vlan goes with the single tap only"

  [ "$(id -u)" = 0 ] || die "namespaces need root: run it with sudo" 4
  case $command in
    up) up ;;
    down) remove; echo "lab '$name': down" ;;
    status) status ;;
    attack) attack ;;
    run)
      [ ${#words[@]} -ge 2 ] || usage_error "run WHERE COMMAND..."
      [ -e "/run/netns/$name-${words[0]}" ] ||
        die "there is no namespace '$name-${words[0]}'; is the lab up?"
      exec ip netns exec "$name-${words[0]}" "${words[@]:1}"
      ;;
    record)
      [ -n "${words[0]}" ] || usage_error "record FILE"
      in_ns sensor tcpdump -i tap0 -w "${words[0]}" -U
      ;;
    *) usage_error "unknown command '$command'" ;;
  esac
}

main "$@"
