#!/usr/bin/python3
"""Adds up a JUnit XML report: "PASSED FAILED SKIPPED", then one line per failed test."""

import sys
import xml.etree.ElementTree as ElementTree


def main():
    passed = skipped = 0
    failed = []
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append("%s %s" % (case.get("classname", ""), case.get("name", "")))
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    print(passed, len(failed), skipped)
    for name in failed:
        print(name.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
