"""scripts/soak.sh, for some seconds: the long run is made by hand before a release."""

import os

import harness


def test_a_short_soak():
    done = harness.run(
        harness.ROOT / "scripts/soak.sh", "--seconds", "8", "--build", harness.BUILD, timeout=100,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "KiB resident" in done.stdout and "received" in done.stdout
