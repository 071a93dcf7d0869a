#!/usr/bin/python3
"""Writes every technique's capture into a folder: for scripts, and to look at with other tools.

usage: make_captures.py FOLDER [--one-file]

--one-file joins them, without frames longer than one packet buffer of DPDK's pcap driver.
"""

import pathlib
import sys

import technique as techniques
from scene import PcapFile, write_pcap

START = 1_760_000_000
APART = 1000


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    packets = 0
    everything = techniques.load()
    if "--one-file" in sys.argv:
        with PcapFile(folder / "evasion.pcap", START) as capture:
            for number, technique in enumerate(everything.values(), 1):
                for _, frame in technique.frames(number):
                    if len(frame) <= 2000:
                        capture.add(frame)
            packets = capture.packets
    else:
        for number, (name, technique) in enumerate(everything.items(), 1):
            frames = technique.frames(number)
            packets += write_pcap(folder / (name + ".pcap"), frames, START + APART * number)
    print("%d techniques, %d packets" % (len(everything), packets))


if __name__ == "__main__":
    main()
