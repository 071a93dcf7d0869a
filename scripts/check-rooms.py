#!/usr/bin/python3
"""Checks that the rooms keep to the doors named in their meson.build files.

  scripts/check-rooms.py [PROJECT FOLDER]

A room's sources and public headers may include directly only their own room's headers and those
of the rooms in its `uses`; the build alone cannot see this, because include folders are handed on
from room to room. DPDK and Hyperscan headers stay where they belong, and nothing in lib/ prints
or exits. Each violation is one line, file:line: text; exit code 1 if there is any.
"""

import pathlib
import re
import sys

DPDK_ROOMS = {"classify", "port", "pipeline"}
DPDK_FOLDERS = ("app/inspector", "perf", "tests/unit/classify", "tests/unit/port",
                "tests/unit/pipeline", "tests/unit/inspector", "tests/fuzz/stream_rig.h",
                "tests/support/include/support/eal.h")
HYPERSCAN_ROOMS = {"match"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PRINTS_OR_EXITS = re.compile(
    r"\bstd::(cout|cerr|clog)\b|(?<![\w.>])(?:std::)?(?:v?f?printf|puts|fputs|perror)\s*\("
    r"|(?<![\w.>])(?:std::)?(?:exit|_exit|quick_exit|abort)\s*\(|\brte_exit\s*\("
)
SOURCES = {".h", ".cc", ".c"}


def list_in(text, name):
    """The strings of `name = [...]` (the last such assignment) in a meson.build file."""
    found = re.findall(r"^%s\s*=\s*(?:files\()?\[?(.*?)[\])]" % name, text, re.S | re.M)
    return re.findall(r"'([^']+)'", found[-1]) if found else []


def without_comments_and_strings(line):
    line = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
    return line.split("//", 1)[0]


def source_files(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCES)


class Checker:
    def __init__(self, root):
        self.root = root
        self.violations = []
        self.rooms = list_in((root / "lib/meson.build").read_text(), "rooms")
        self.uses = {}
        for room in self.rooms:
            path = root / "lib" / room / "meson.build"
            self.uses[room] = set(list_in(path.read_text(), "uses")) if path.exists() else set()

    def complain(self, path, number, text):
        self.violations.append("%s:%d: %s" % (path.relative_to(self.root), number, text))

    def check_room(self, room):
        allowed = self.uses[room] | {room}
        for path in source_files(self.root / "lib" / room):
            in_block_comment = False
            for number, line in enumerate(path.read_text().splitlines(), 1):
                include = INCLUDE.match(line)
                if include:
                    self.check_include(path, number, room, allowed, include)
                    continue
                if in_block_comment or line.lstrip().startswith("/*"):
                    in_block_comment = "*/" not in line
                    continue
                if PRINTS_OR_EXITS.search(without_comments_and_strings(line)):
                    self.complain(path, number, "lib/ never prints and never exits: return an Error")

    def check_include(self, path, number, room, allowed, include):
        quote, target = include.groups()
        first = target.split("/", 1)[0] if "/" in target else None
        if quote == '"' and first in self.uses and first not in allowed:
            self.complain(
                path, number,
                "includes room '%s', which is not in `uses` of lib/%s/meson.build" % (first, room),
            )
        self.check_library(path, number, target, room in DPDK_ROOMS, room in HYPERSCAN_ROOMS)

    def check_library(self, path, number, target, dpdk_allowed, hyperscan_allowed):
        if target.startswith("rte_") and not dpdk_allowed:
            self.complain(path, number, "DPDK headers belong to " + ", ".join(sorted(DPDK_ROOMS)))
        if target in ("hs.h", "hs/hs.h") and not hyperscan_allowed:
            self.complain(path, number, "hs.h belongs to lib/match")

    def check_folder(self, folder):
        """Applications, tests and benchmarks: only the libraries' borders matter."""
        for path in source_files(self.root / folder):
            relative = str(path.relative_to(self.root))
            dpdk_allowed = relative.startswith(DPDK_FOLDERS)
            for number, line in enumerate(path.read_text().splitlines(), 1):
                include = INCLUDE.match(line)
                if include:
                    self.check_library(path, number, include.group(2), dpdk_allowed, False)

    def check_listed(self):
        """Every public header is listed in its room, or the header check would pass over it."""
        for room in self.rooms:
            meson = self.root / "lib" / room / "meson.build"
            listed = set(list_in(meson.read_text(), "headers")) if meson.exists() else set()
            include = self.root / "lib" / room / "include" / room
            for path in sorted(include.rglob("*.h")):
                if str(path.relative_to(include)) not in listed:
                    self.complain(path, 1, "public header not in `headers` of its meson.build")
        for folder in sorted((self.root / "lib").iterdir()):
            if folder.is_dir() and folder.name not in self.rooms:
                self.complain(folder / "meson.build", 1, "not a room of lib/meson.build")

    def run(self):
        for room in self.rooms:
            self.check_room(room)
        for folder in ("app", "tests", "perf"):
            self.check_folder(folder)
        self.check_listed()
        return self.violations


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    if root.is_file():
        root = root.parent.parent
    checker = Checker(root)
    violations = checker.run()
    for violation in violations:
        print(violation)
    uses = sum(len(uses) for uses in checker.uses.values())
    print("check-rooms: %d rooms, %d doors, %d violations"
          % (len(checker.rooms), uses, len(violations)), file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
