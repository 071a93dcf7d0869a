"""Every technique is found, with the fields the plain delivery of the same request gives."""

import collections
import re

import pytest

import harness
import runner
import technique as techniques

pytestmark = pytest.mark.sanitize

ALL = list(techniques.load().values())
OF_A_REQUEST = {"http.request.method", "url.original", "url.path", "url.domain",
                "user_agent.original"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return runner.Runs(tmp_path_factory.mktemp("evasion"))


def differences(alert, reference, names):
    return [n for n in names if harness.field(alert, n) != harness.field(reference, n)]


def without_other_readings(technique, found, reference):
    """The alerts without those of readings that contradict the plain delivery: that one reading
    is the plain one's suffices."""
    same = OF_A_REQUEST - set(technique.differs)
    requests = [a for a in found if a["imds"]["event"] == "http_request"]
    others = [a for a in requests if differences(a, reference, same)]
    assert len(others) < len(requests), "no reading is the plain delivery's"
    for other in others:
        flow = set(techniques.SAME) - OF_A_REQUEST - set(technique.differs)
        assert not differences(other, reference, flow)
    return [a for a in found if a not in others]


def check_alerts(technique, outcome, plain):
    """Exactly the events that belong to it, and in them what the plain delivery says."""
    reference = [a for a in plain.by_bulletin() if a["imds"]["event"] == "http_request"]
    assert len(reference) == 1, "the plain delivery itself"
    found = outcome.by_bulletin()
    if technique.readings:
        found = without_other_readings(technique, found, reference[0])
    wanted = list(technique.alerts) + ["connection"] * technique.endpoint
    assert collections.Counter(a["imds"]["event"] for a in found) == collections.Counter(wanted)
    seen = outcome.evasion_events() - technique.tolerated
    assert seen == technique.events, "events that tell of an evasion"

    for alert in found:
        event = alert["imds"]["event"]
        same = set(techniques.SAME) - set(technique.differs)
        if event != "http_request":
            same -= OF_A_REQUEST
        assert not differences(alert, reference[0], same)
        if event != "connection":
            for name, value in technique.fields.items():
                assert harness.field(alert, name) == value, name


def check_counters(technique, outcome):
    for wanted, least in technique.counters.items():
        name, _, labels = wanted.partition("{")
        labels = dict(re.findall(r"(\w+)=([^,}]*)", labels))
        assert outcome.metrics.sum("imds_inspector_" + name, **labels) >= least, wanted


@pytest.mark.parametrize("technique", ALL, ids=lambda technique: technique.name)
def test_technique(technique, runs):
    outcome = runs.evasive(technique)
    runner.check_accounts(outcome.process, outcome.metrics, outcome.packets)
    check_alerts(technique, outcome, runs.plain(technique))
    check_counters(technique, outcome)


def test_all_at_once(runs):
    """The same captures with all clocks set alike, so that their packets come mixed."""
    members = [t for t in ALL if not t.config]
    outcomes = runs.run_mixed(members)
    first = outcomes[members[0].name]
    runner.check_accounts(first.process, first.metrics, first.packets)
    for member in members:
        check_alerts(member, outcomes[member.name], runs.plain(member))
