#!/usr/bin/env python3
"""A packet broker in miniature: copies both directions of one interface to another and puts an
802.1Q tag on every copy.

  tagging_tap.py --from victim0 --to span0 --vlan 100 [--ready FILE]

Both interfaces are in the namespace it runs in. An ordinary process instead of a tc action, since
not every kernel has the action that pushes a tag.
"""

import argparse
import os
import socket
import struct

ETH_P_ALL = 0x0003
ETHERNET_ADDRESSES = 12
FRAME_LIMIT = 65536


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", dest="target", required=True)
    parser.add_argument("--vlan", type=int, required=True)
    parser.add_argument("--ready", help="write the process id here once copying")
    args = parser.parse_args()

    tag = struct.pack("!HH", 0x8100, args.vlan)
    # A packet socket sees what the interface receives and what is sent through it, once each.
    source = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    source.bind((args.source, ETH_P_ALL))
    target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    target.bind((args.target, 0))
    if args.ready:
        with open(args.ready, "w", encoding="ascii") as handle:
            handle.write("%d\n" % os.getpid())
    while True:
        frame = source.recv(FRAME_LIMIT)
        target.send(frame[:ETHERNET_ADDRESSES] + tag + frame[ETHERNET_ADDRESSES:])


if __name__ == "__main__":
    main()
