"""Fixtures: whatever a test starts through them ends with the test, also when it fails."""

import os

import pytest

import harness


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="needs root, for network namespaces")
        for item in items:
            if "lab" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    yield
    harness.forget_all()


@pytest.fixture
def owned():
    """owned(object) -> object, closed after the test, last first."""
    objects = []

    def own(thing):
        objects.append(thing)
        return thing

    yield own
    for thing in reversed(objects):
        thing.close()


@pytest.fixture(scope="module")
def lab():
    """A lab with one tap, shared by a module's tests."""
    made = harness.Lab()
    yield made
    made.close()


@pytest.fixture
def start_inspector(owned, tmp_path):
    """start_inspector(lab or None, ports, **sections): a running inspector in the sensor."""

    def start(lab, ports, more=(), **sections):
        path, config = harness.live_config(tmp_path, ports, **sections)
        namespace = lab.namespace("sensor") if lab else None
        return owned(harness.Inspector(path, config, namespace, more))

    return start


@pytest.fixture
def follow(owned):
    """follow(inspector): a reader of its ring, attached before any traffic."""

    def start(inspector, *more):
        follower = owned(harness.Follower(inspector.ring, *more))
        harness.wait_for("attached reader", lambda: "following" in follower.stderr)
        return follower

    return start


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """The folder with every capture file tests/captures/make_sample.cc makes."""
    folder = tmp_path_factory.mktemp("captures")
    done = harness.run(harness.MAKE_SAMPLE, folder)
    assert done.returncode == 0, done.stderr
    return folder
