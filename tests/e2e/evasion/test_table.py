"""docs/evasion.md says what is tested, no more and no less."""

import re

import table
import technique as techniques

TEXT = table.DOCUMENT.read_text()


def test_every_technique_has_its_row_and_every_row_its_technique():
    named = re.findall(r'^\| <a id="([^"]+)"></a>\[`([^`]+)`\]', TEXT, re.MULTILINE)
    assert all(anchor == name for anchor, name in named)
    assert [name for _, name in named] == list(techniques.load())


def test_rows_say_what_the_tests_demand():
    """Else run tests/e2e/evasion/table.py."""
    assert table.rendered(TEXT) == TEXT


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\((\.\.?/[^)#]+)", TEXT):
        assert (table.DOCUMENT.parent / link).exists(), link
