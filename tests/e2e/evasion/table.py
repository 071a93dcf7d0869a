#!/usr/bin/python3
"""Writes the tables of docs/evasion.md between its markers, from the techniques themselves."""

import pathlib
import sys

import technique as techniques

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs/evasion.md"
SOURCE = "../tests/e2e/evasion/techniques/%s.py"


def times(words):
    """("a", "a", "b") -> "2 × `a`, `b`"."""
    parts = []
    for word in dict.fromkeys(words):
        count = list(words).count(word)
        parts.append("`%s`" % word if count == 1 else "%d × `%s`" % (count, word))
    return ", ".join(parts)


def sees(technique):
    """What an operator sees, from what the test demands."""
    parts = []
    events = ["connection"] * technique.endpoint + list(technique.alerts)
    if events:
        parts.append(times(events))
    parts += ["`%s`" % event for event in sorted(technique.events)]
    tunnel = technique.fields.get("imds.tunnel.path")
    if tunnel:
        number = technique.fields.get("imds.tunnel.id")
        parts.append("`imds.tunnel` %s%s" % (tunnel, "" if number is None else ", id %d" % number))
    for name, value in technique.fields.items():
        if name.startswith("imds.tunnel."):
            continue
        parts.append("`%s` %s" % (name, ", ".join(value) if isinstance(value, list) else value))
    parts += ["`imds_inspector_%s`" % name.replace("=", '="').replace("}", '"}')
              for name in technique.counters]
    shown = [name for name in technique.differs if name not in technique.fields]
    if shown and technique.alerts:
        parts.append("of its own: " + ", ".join("`%s`" % name for name in shown))
    if technique.readings:
        parts.append("other readings may be alerted too")
    if technique.limits:
        parts.append("**" + technique.limits + "**")
    return "; ".join(parts) or "nothing"


def row(technique):
    return "| <a id=\"%s\"></a>[`%s`](%s) | %s | %s |" % (
        technique.name, technique.name, SOURCE % technique.layer,
        technique.summary.replace("|", "\\|"), sees(technique).replace("|", "\\|"),
    )


def rows(module):
    return [row(t) for t in techniques.load().values() if t.layer == module]


def markers(module):
    return "<!-- %s -->\n" % module, "<!-- end of %s -->" % module


def table(module):
    head = ["| technique | what is done | what an operator sees |", "|---|---|---|"]
    return "\n".join(head + rows(module)) + "\n"


def rendered(text):
    for module in techniques.MODULES:
        begin, end = markers(module)
        before, rest = text.split(begin)
        text = before + begin + "\n" + table(module) + "\n" + end + rest.split(end)[1]
    return text


if __name__ == "__main__":
    written = DOCUMENT.read_text()
    if "--check" not in sys.argv:
        DOCUMENT.write_text(rendered(written))
    elif rendered(written) != written:
        sys.exit("%s does not agree with the techniques: run %s" % (DOCUMENT, __file__))
