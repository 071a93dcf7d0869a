#!/usr/bin/env python3
"""How many cores, how much memory and how many appliances a network needs.

usage: scripts/capacity.py --results build/perf/results.json [--network NAME] [OPTIONS]

From cycles per packet as perf/run.sh measured them on the machine in question, and a description of
the traffic. docs/capacity.md tells the model. Its own predictions for measured profiles are printed
beside what was measured: judge by them how far to trust the rest.

Exit code: 0; 2 bad input, with what is wrong.
"""
import argparse
import json
import math
import pathlib
import re
import sys

# Bytes a frame takes on the wire beyond what is captured: preamble, gap, FCS.
WIRE_OVERHEAD = 24
NEEDED = ["small", "elephant", "http", "imds", "flows-10k"]
# Descriptions to start from. Shares are of bytes, in percent.
NETWORKS = {
    "office": {"gbit_per_s": 10, "packet_bytes": 850, "shares": {"tls": 80, "http": 5, "udp": 15},
               "flows": 200e3, "new_flows": 5e3, "tunnelled": 0},
    "campus": {"gbit_per_s": 40, "packet_bytes": 875,
               "shares": {"tls": 70, "http": 8, "udp": 21.9, "imds": 0.1},
               "flows": 2e6, "new_flows": 40e3, "tunnelled": 5},
    "datacentre": {"gbit_per_s": 400, "packet_bytes": 900,
                   "shares": {"tls": 55, "http": 25, "udp": 19, "imds": 1},
                   "flows": 10e6, "new_flows": 300e3, "tunnelled": 60},
    "exchange": {"gbit_per_s": 1600, "packet_bytes": 800,
                 "shares": {"tls": 62, "http": 3, "udp": 35},
                 "flows": 40e6, "new_flows": 800e3, "tunnelled": 10},
}
KINDS = ["tls", "http", "udp", "imds", "small"]
LINKS = [10, 40, 100, 400]


class BadInput(Exception):
    pass


# What was measured.

class Results:
    def __init__(self, rows, others=()):
        self.rows = {}
        for row in [*rows, *others]:
            if not isinstance(row, dict) or not isinstance(row.get("profile"), str):
                raise BadInput("a row without a profile")
            self.rows[row["profile"]] = row
        missing = [name for name in NEEDED if name not in self.rows]
        if missing:
            raise BadInput(f"no row for {', '.join(missing)}: run perf/run.sh without --profile, or "
                           f"with --profile for each of {', '.join(NEEDED)}")
        wrong = [name for name, row in self.rows.items() if row.get("ground_truth_ok") is False]
        if wrong:
            raise BadInput(f"rows that did not find what is in them do not count: {', '.join(wrong)}")

    def figure(self, profile, key):
        value = self.rows[profile].get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise BadInput(f"row {profile}: {key} is {value!r}, expected a number above 0")
        return float(value)

    def cycles(self, profile):
        return self.figure(profile, "cycles_per_packet")

    def has(self, *profiles):
        return all(profile in self.rows for profile in profiles)

    def hz(self):
        """Cycles in a second, of the counter the rows are measured by."""
        return self.figure("small", "mpps") * 1e6 * self.cycles("small")

    def bytes_per_flow(self):
        """Of a flow table's entry with its share of the index; None when no row tells."""
        for row in self.rows.values():
            value = (row.get("memory") or {}).get("bytes_per_flow")
            if value:
                return float(value)
        return None

    def scaling(self):
        """Speed of two workers as a multiple of one, halved; None when it was not measured."""
        ratio = self.rows.get("mix-2-workers", {}).get("ratio_to_one_worker")
        return min(1.0, ratio / 2) if ratio else None


def read_results(path):
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; perf/run.sh writes it") from error
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error
    if isinstance(content, list):  # of run.sh --json
        return Results(content)
    if not isinstance(content, dict) or not isinstance(content.get("pipeline"), list):
        raise BadInput(f"{path}: expected the results.json of perf/run.sh, or what its --json writes")
    return Results(content["pipeline"])


# The traffic.

class Traffic:
    """Shares are of bytes and sum up to 1."""

    def __init__(self, gbit_per_s, packet_bytes, shares, flows, new_flows, tunnelled,
                 http_bytes=55_000):
        self.gbit_per_s = gbit_per_s
        self.packet_bytes = packet_bytes
        self.flows = flows
        self.new_flows = new_flows
        self.tunnelled = tunnelled / 100
        self.http_bytes = http_bytes  # request and answer together
        total = sum(shares.values())
        if abs(total - 100) > 0.5:
            raise BadInput(f"shares of traffic sum up to {total:g} %, not 100 %")
        self.shares = {kind: shares.get(kind, 0) / total for kind in KINDS}
        for name, value, least, most in [
                ("rate", gbit_per_s, 0.001, 1e6), ("average packet", packet_bytes, 60, 9216),
                ("flows", flows, 1, 1e12), ("new flows per second", new_flows, 0, 1e10),
                ("tunnelled share", tunnelled, 0, 100), ("bytes per request", http_bytes, 100, 1e9)]:
            if not least <= value <= most:
                raise BadInput(f"{name} is {value:g}, expected {least:g} to {most:g}")

    def packets_per_s(self):
        """As the wire carries them at `gbit_per_s`."""
        return self.gbit_per_s * 1e9 / 8 / (self.packet_bytes + WIRE_OVERHEAD)


def by_size(results, size):
    """Cycles for a packet of `size` bytes in which nothing is of interest: a line through `small` and
    `elephant`, which are such packets."""
    small, large = results.figure("small", "bytes_per_packet"), results.figure(
        "elephant", "bytes_per_packet")
    if large <= small:
        raise BadInput("packets of `elephant` are not larger than those of `small`")
    slope = (results.cycles("elephant") - results.cycles("small")) / (large - small)
    return max(1.0, results.cycles("small") + slope * (size - small))


def cycles_per_new_flow(results):
    """What `flows-10k`, with its short connections, costs beyond packets of its size."""
    extra = results.cycles("flows-10k") - by_size(
        results, results.figure("flows-10k", "bytes_per_packet"))
    per_packet = results.figure("flows-10k", "flows") / results.figure("flows-10k", "packets")
    return max(0.0, extra / per_packet)


def flow_factor(results, flows):
    """How much dearer packets become when this many flows live at once, from the rows flows-N;
    (factor, whether the measurement goes that far)."""
    points = sorted((count, results.cycles(name) / results.cycles("flows-10k"))
                    for name, count in (("flows-10k", 1e4), ("flows-1M", 1e6), ("flows-10M", 1e7))
                    if results.has(name))
    if flows <= points[0][0]:
        return 1.0, True
    for (low, below), (high, above) in zip(points, points[1:]):
        if flows <= high:
            part = math.log(flows / low) / math.log(high / low)
            return below + (above - below) * part, True
    return max(factor for _, factor in points), False


def predict(results, traffic):
    """Cycles per packet of the traffic."""
    size = traffic.packet_bytes
    # Shares of packets: those with a request head, and those of metadata conversations.
    imds_size = results.figure("imds", "bytes_per_packet")
    imds = min(1.0, traffic.shares["imds"] * size / imds_size)
    small = min(1.0 - imds, traffic.shares["small"] * size / results.figure(
        "small", "bytes_per_packet"))
    heads = min(1.0 - imds - small, traffic.shares["http"] * size / traffic.http_bytes)
    rest = max(0.0, 1.0 - imds - small - heads)
    if rest > 0:
        used = (imds * imds_size + small * results.figure("small", "bytes_per_packet")
                + heads * results.figure("http", "bytes_per_packet"))
        rest_size = min(9216.0, max(60.0, (size - used) / rest))
    else:
        rest_size = size
    cycles = (imds * results.cycles("imds") + small * results.cycles("small")
              + heads * results.cycles("http") + rest * by_size(results, rest_size))
    cycles += traffic.new_flows / traffic.packets_per_s() * cycles_per_new_flow(results)
    if results.has("mix", "mix-vxlan"):
        cycles += traffic.tunnelled * max(0.0, results.cycles("mix-vxlan") - results.cycles("mix"))
    return cycles * flow_factor(results, traffic.flows)[0]


# The model against rows it was not made from.

def checks(results):
    """(profile, predicted, measured) cycles per packet of `mix` and `imix`."""
    described = {
        "mix": {"tls": 60, "http": 30, "udp": 9, "imds": 1},
        "imix": {"tls": 50, "udp": 50},
    }
    done = []
    for profile, shares in described.items():
        if not results.has(profile):
            continue
        row = results.rows[profile]
        # Flows begun per packet are the row's own; at any rate, here that of one Mpps.
        size = results.figure(profile, "bytes_per_packet")
        traffic = Traffic((size + WIRE_OVERHEAD) * 8e-3, size, shares,
                          max(1.0, float(row.get("concurrent_flows") or row["flows"])),
                          1e6 * row["flows"] / results.figure(profile, "packets"), 0)
        done.append((profile, predict(results, traffic), results.cycles(profile)))
    return done


# What it takes.

def size_up(results, traffic, options):
    cycles = predict(results, traffic)
    packets = traffic.packets_per_s()
    scaling = results.scaling() or 1.0
    per_core = results.hz() / cycles * scaling
    usable = per_core * (1 - options["headroom"])
    per_flow = options["bytes_per_flow"] or results.bytes_per_flow()
    if per_flow is None:
        raise BadInput("no row tells `memory.bytes_per_flow`: give --bytes-per-flow")
    cores = math.ceil(packets / usable)
    # A table that is nearly full evicts what is idle; a quarter more keeps it from that.
    flow_bytes = traffic.flows * 1.25 * per_flow
    memory = flow_bytes + cores * options["worker_mib"] * (1 << 20)
    need = {
        "cores": math.ceil(cores / options["cores"]),
        "ports": math.ceil(traffic.gbit_per_s / (options["port_gbit"] * 0.9)),
        "memory": math.ceil(memory / (options["memory_gib"] * (1 << 30))),
    }
    appliances = max(need.values())
    return {
        "cycles_per_packet": cycles, "mpps": packets * 1e-6,
        "mpps_per_core": per_core * 1e-6,
        "gbit_per_s_per_core": per_core * (traffic.packet_bytes + WIRE_OVERHEAD) * 8e-9,
        "headroom": options["headroom"], "cores": cores, "bytes_per_flow": per_flow,
        "flow_memory_gib": flow_bytes / (1 << 30), "memory_gib": memory / (1 << 30),
        "appliances": appliances, "appliances_with_spare": appliances + 1,
        "decided_by": max(need, key=need.get),
    }


def cores_for_links(results, traffic, options):
    """(Gbit/s, cores) for the usual links, the traffic scaled to each."""
    rows = []
    for rate in LINKS:
        scale = rate / traffic.gbit_per_s
        scaled = Traffic(rate, traffic.packet_bytes,
                         {kind: share * 100 for kind, share in traffic.shares.items()},
                         max(1.0, traffic.flows * scale), traffic.new_flows * scale,
                         traffic.tunnelled * 100, traffic.http_bytes)
        sized = size_up(results, scaled, options)
        rows.append((rate, scaled.flows, sized["cores"], sized["memory_gib"]))
    return rows


# Command line.

def amount(text):
    """1500, 200k, 2M, 1.5G."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kMG]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount; expected such as 1500, 200k or 2M")
    return float(found.group(1)) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[found.group(2)]


def shares(text):
    result = {}
    for part in text.split(","):
        kind, equals, percent = part.partition("=")
        if kind not in KINDS or not equals or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", percent):
            raise argparse.ArgumentTypeError(
                f"{part!r}: expected KIND=PERCENT, kinds are {', '.join(KINDS)}")
        if kind in result:
            raise argparse.ArgumentTypeError(f"{kind} is given twice")
        result[kind] = float(percent)
    return result


def fraction(text):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 to below 1, as 0.5")
    return value


def positive(text):
    value = amount(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected more than 0")
    return value


def arguments(words):
    parser = argparse.ArgumentParser(prog="capacity.py", description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, required=True,
                        help="results.json of perf/run.sh, or what its --json wrote")
    parser.add_argument("--network", choices=sorted(NETWORKS), default="campus",
                        help="description to start from (default campus)")
    parser.add_argument("--gbit", type=positive, help="rate, both directions added up")
    parser.add_argument("--mix", type=shares, help="shares of bytes: tls=70,http=8,udp=21,imds=1")
    parser.add_argument("--packet-bytes", type=positive, help="average frame without FCS")
    parser.add_argument("--flows", type=positive, help="at the same time: 200k, 2M")
    parser.add_argument("--new-flows", type=amount, help="per second")
    parser.add_argument("--tunnelled", type=amount, help="percent of packets in a tunnel")
    parser.add_argument("--request-bytes", type=positive, default=55_000,
                        help="of an HTTP request and its answer (default 55000)")
    parser.add_argument("--headroom", type=fraction, default=0.5,
                        help="share of a core kept free in the busy hour (default 0.5)")
    parser.add_argument("--bytes-per-flow", type=positive, help="default: from the results")
    parser.add_argument("--worker-mib", type=positive, default=512,
                        help="packet buffers and fixed memory of a worker (default 512)")
    parser.add_argument("--cores", type=positive, default=16, help="workers per appliance (16)")
    parser.add_argument("--memory-gib", type=positive, default=128, help="per appliance (128)")
    parser.add_argument("--port-gbit", type=positive, default=200,
                        help="of all ports of an appliance (200)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures here")
    return parser.parse_args(words)


def describe(given):
    start = NETWORKS[given.network]

    def chosen(value, key):
        return start[key] if value is None else value
    return Traffic(chosen(given.gbit, "gbit_per_s"), chosen(given.packet_bytes, "packet_bytes"),
                   chosen(given.mix, "shares"), chosen(given.flows, "flows"),
                   chosen(given.new_flows, "new_flows"), chosen(given.tunnelled, "tunnelled"),
                   given.request_bytes)


def report(results, traffic, options, network):
    sized = size_up(results, traffic, options)
    _, reaches = flow_factor(results, traffic.flows)
    mix = ", ".join(f"{kind} {share * 100:g} %" for kind, share in traffic.shares.items() if share)
    lines = [
        f"Traffic ({network}): {traffic.gbit_per_s:g} Gbit/s, packets of {traffic.packet_bytes:g} "
        f"bytes, {traffic.flows:,.0f} flows, {traffic.new_flows:,.0f} new ones per second, "
        f"{traffic.tunnelled * 100:g} % tunnelled; by bytes {mix}.", "",
        f"  packets               {sized['mpps']:.2f} M/s",
        f"  cost                  {sized['cycles_per_packet']:.0f} cycles per packet",
        f"  one core at its limit {sized['mpps_per_core']:.2f} Mpps, "
        f"{sized['gbit_per_s_per_core']:.0f} Gbit/s",
        f"  worker cores          {sized['cores']}, with {options['headroom'] * 100:.0f} % of each "
        "kept free",
        f"  memory                {sized['memory_gib']:.1f} GiB, of it flows "
        f"{sized['flow_memory_gib']:.1f} ({sized['bytes_per_flow']:.0f} bytes each, a quarter to "
        "spare)",
        f"  appliances            {sized['appliances']} (decided by {sized['decided_by']}), "
        f"{sized['appliances_with_spare']} with one to spare", "",
        "The same traffic on other links:", "",
        "  Gbit/s        flows   cores   memory GiB"]
    links = cores_for_links(results, traffic, options)
    lines += [f"  {rate:6g} {flows:12,.0f} {cores:7d} {memory:12.1f}"
              for rate, flows, cores, memory in links]
    lines += ["", "Model against measurement, cycles per packet:"]
    checked = checks(results)
    lines += [f"  {profile:8} predicted {predicted:.0f}, measured {measured:.0f}: "
              f"{(predicted / measured - 1) * 100:+.0f} %" for profile, predicted, measured in checked]
    if not checked:
        lines.append("  not possible: neither mix nor imix was measured")
    if results.scaling() is None:
        lines.append("Note: two workers were not measured; cores are taken to add up fully.")
    if not reaches:
        lines.append("Note: more flows than the largest flows-N measured; cost may be higher.")
    if traffic.tunnelled and not results.has("mix", "mix-vxlan"):
        lines.append("Note: mix-vxlan was not measured; tunnels are taken to cost nothing.")
    sized["checks"] = [{"profile": p, "predicted": a, "measured": b} for p, a, b in checked]
    sized["links"] = [{"gbit_per_s": rate, "flows": flows, "cores": cores, "memory_gib": memory}
                      for rate, flows, cores, memory in links]
    return "\n".join(lines) + "\n", sized


def main(words=None):
    given = arguments(words)
    options = {"headroom": given.headroom, "bytes_per_flow": given.bytes_per_flow,
               "worker_mib": given.worker_mib, "cores": given.cores,
               "memory_gib": given.memory_gib, "port_gbit": given.port_gbit}
    try:
        text, figures = report(read_results(given.results), describe(given), options, given.network)
        if given.json:
            given.json.write_text(json.dumps(figures, indent=2) + "\n")
    except BadInput as error:
        print(f"capacity.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"capacity.py: cannot write {given.json}: {error.strerror}", file=sys.stderr)
        return 2
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
