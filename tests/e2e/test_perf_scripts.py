"""The arithmetic of the measuring scripts, on made-up figures: no times are taken here."""

import importlib.util
import json
import pathlib
import random
import subprocess
import sys

import pytest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "perf/runner"))


def load(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem + "_under_test", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


samples = load("perf/runner/samples.py")
counters = load("perf/runner/counters.py")
regress = load("perf/runner/regress.py")
report = load("perf/report.py")
capacity = load("scripts/capacity.py")
rule_sets = load("perf/runner/rule_sets.py")


def blocks(ratio, count, noise, seed, drift=0.0):
    """ABBA blocks of a tree that takes `ratio` times the reference's cycles."""
    source = random.Random(seed)
    made, now = [], 100.0
    for _ in range(count):
        block = []
        for factor in (1, ratio, ratio, 1):
            block.append(now * factor * source.lognormvariate(0, noise))
            now += drift
        made.append(tuple(block))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_a_slower_tree_is_a_regression(seed):
    row = regress.verdict("small", blocks(1.2, 9, 0.05, seed), True, 1.05)
    assert row["regression"]
    assert row["lower"] < 1.2 < row["upper"] or abs(row["ratio"] - 1.2) < 0.06


@pytest.mark.parametrize("seed", range(5))
def test_the_same_tree_on_a_noisy_machine_is_none(seed):
    row = regress.verdict("small", blocks(1.0, 9, 0.15, seed), True, 1.05)
    assert not row["regression"]
    assert row["lower"] < row["ratio"] < row["upper"]


def test_a_faster_tree_is_none():
    row = regress.verdict("small", blocks(0.7, 9, 0.1, 3), True, 1.05)
    assert not row["regression"]
    assert row["upper"] < 1


def test_a_drifting_machine_does_not_look_like_a_ratio():
    ratio, lower, upper = samples.ratio_with_interval(blocks(1.0, 9, 0.0, 1, drift=5.0))
    assert ratio == pytest.approx(1.0, abs=1e-9)
    assert (lower, upper) == (pytest.approx(1.0), pytest.approx(1.0))


def test_the_interval_narrows_with_more_blocks():
    _, few_lower, few_upper = samples.ratio_with_interval(blocks(1.1, 5, 0.1, 1))
    _, many_lower, many_upper = samples.ratio_with_interval(blocks(1.1, 60, 0.1, 1))
    assert many_upper - many_lower < few_upper - few_lower


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(100):
        _, lower, upper = samples.ratio_with_interval(blocks(1.0, 15, 0.1, seed), resamples=400)
        hits += lower <= 1.0 <= upper
    assert 85 <= hits <= 100


@pytest.mark.parametrize("bad", [[], [(1, 1, 1, 1)], [(1, 1, 1), (1, 1, 1)], [(1, 0, 1, 1)] * 3])
def test_figures_that_are_no_blocks(bad):
    with pytest.raises(ValueError):
        samples.ratio_with_interval(bad)


def test_median_row_keeps_a_rows_figures_together():
    rows = [{"c": 3, "x": "a"}, {"c": 1, "x": "b"}, {"c": 2, "x": "c"}]
    assert samples.median_row(rows, "c") == {"c": 2, "x": "c"}


def test_counts_of_perf_stat():
    text = ("1000000,,instructions:u,5,100.00,,\n"
            "<not supported>,,LLC-load-misses:u,0,100.00,,\n37,,dTLB-load-misses:u,5,100.00,,\n")
    assert counters.perf_stat_counts(text) == {"instructions:u": 1000000, "dTLB-load-misses:u": 37}


def test_instructions_of_callgrind():
    assert counters.collected("==1== Events    : Ir\n==1== Collected : 53109343\n") == 53109343


ROWS = [
    {"profile": "small", "mpps": 30.0, "cycles_above_bare": 50, "ground_truth_ok": True},
    {"profile": "mix", "gbit_per_s": 90, "cycles_above_bare": 99, "ground_truth_ok": False},
    {"profile": "flows-10k", "cycles_per_packet": 100, "ground_truth_ok": True},
    {"profile": "flows-1M", "cycles_per_packet": 170, "ground_truth_ok": True},
]


def test_budgets_are_judged():
    budgets = [
        {"row": "small", "what": "", "value": "mpps", "at_least": 25},
        {"row": "small", "what": "", "value": "cycles_above_bare", "at_most": 40},
        {"row": "mix", "what": "", "value": "cycles_above_bare", "at_most": 100},
        {"row": "flows-1M", "what": "", "value": "cycles_per_packet", "of": "flows-10k",
         "at_most": 1.6},
        {"row": "flows-10M", "what": "", "value": "cycles_per_packet", "of": "flows-10k",
         "at_most": 2.5},
    ]
    judged = report.judge(budgets, ROWS)
    # `mix` is fast enough, but missed alerts: that does not count.
    assert [b["ok"] for b in judged] == [True, False, False, False, None]
    assert judged[3]["reached"] == pytest.approx(1.7)


def test_shipped_budgets_are_well_formed():
    for budget in json.loads((ROOT / "perf/budgets.json").read_text()):
        assert {"row", "what", "value"} <= set(budget)
        assert ("at_most" in budget) != ("at_least" in budget)


def test_docs_get_the_table_between_their_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.update_docs(page, "new\n")
    report.update_docs(page, "newer\n")
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "newer" in text and "old" not in text and "new\n" not in text
    page.write_text("no markers\n")
    with pytest.raises(SystemExit, match="markers|lines"):
        report.update_docs(page, "new\n")


def test_the_page_has_the_markers():
    text = (ROOT / "docs/performance.md").read_text()
    assert text.count(report.BEGIN) == 1 and text.count(report.END) == 1


# Capacity.

def row(profile, cycles, size, packets=1_000_000, flows=20_000, **more):
    return {"profile": profile, "cycles_per_packet": cycles, "bytes_per_packet": size,
            "mpps": 2500.0 / cycles, "packets": packets, "flows": flows, "ground_truth_ok": True,
            **more}


def measured(**change):
    rows = {
        "small": row("small", 100, 60), "elephant": row("elephant", 100, 1060),
        "http": row("http", 700, 400), "imds": row("imds", 1000, 200),
        "flows-10k": row("flows-10k", 110, 460, flows=50_000,
                         memory={"bytes_per_flow": 400}),
        "flows-1M": row("flows-1M", 165, 460), "mix": row("mix", 160, 875, flows=25_000),
        "mix-vxlan": row("mix-vxlan", 260, 925),
    }
    rows.update(change)
    return [r for r in rows.values() if r is not None]


OPTIONS = {"headroom": 0.5, "bytes_per_flow": None, "worker_mib": 512, "cores": 16,
           "memory_gib": 128, "port_gbit": 200}


def opaque(**change):
    return capacity.Traffic(**{"gbit_per_s": 100, "packet_bytes": 976, "shares": {"tls": 100},
                               "flows": 10_000, "new_flows": 0, "tunnelled": 0, **change})


def test_cores_of_plain_traffic():
    # 976 + 24 bytes: 12.5 Mpps at 100 Gbit/s; 100 cycles at 2.5 GHz: 25 Mpps, half of it used.
    sized = capacity.size_up(capacity.Results(measured()), opaque(), OPTIONS)
    assert sized["mpps"] == pytest.approx(12.5)
    assert sized["cycles_per_packet"] == pytest.approx(100)
    assert sized["cores"] == 1
    assert capacity.size_up(capacity.Results(measured()), opaque(gbit_per_s=101),
                            OPTIONS)["cores"] == 2


def test_memory_of_flows():
    sized = capacity.size_up(capacity.Results(measured()), opaque(flows=1e6), OPTIONS)
    assert sized["flow_memory_gib"] == pytest.approx(1e6 * 1.25 * 400 / 2**30)
    given = capacity.size_up(capacity.Results(measured()), opaque(flows=1e6),
                             {**OPTIONS, "bytes_per_flow": 800})
    assert given["flow_memory_gib"] == pytest.approx(2 * sized["flow_memory_gib"])


def test_workers_that_do_not_add_up_cost_cores():
    slow = measured(**{"mix-2-workers": row("mix-2-workers", 160, 875, ratio_to_one_worker=1.0)})
    assert capacity.size_up(capacity.Results(slow), opaque(), OPTIONS)["cores"] == 2


def test_what_costs_more_is_predicted_to():
    results = capacity.Results(measured())
    plain = capacity.predict(results, opaque())
    assert capacity.predict(results, opaque(tunnelled=50)) == pytest.approx(plain + 50)
    assert capacity.predict(results, opaque(flows=1e6)) == pytest.approx(plain * 1.5)
    assert capacity.predict(results, opaque(shares={"imds": 100})) == pytest.approx(1000)
    # 50,000 connections in a million packets cost 10 cycles per packet more: 200 each.
    assert capacity.predict(results, opaque(new_flows=12.5e6)) == pytest.approx(plain + 200)
    assert capacity.predict(results, opaque(shares={"tls": 50, "http": 50})) > plain


def test_appliances():
    results = capacity.Results(measured())
    ports = capacity.size_up(results, opaque(gbit_per_s=1600), OPTIONS)
    assert (ports["appliances"], ports["decided_by"]) == (9, "ports")
    assert ports["appliances_with_spare"] == 10
    memory = capacity.size_up(results, opaque(flows=1e9), OPTIONS)
    assert memory["decided_by"] == "memory"


def test_the_model_is_checked_against_what_was_measured():
    checked = {profile: (predicted, actual)
               for profile, predicted, actual in capacity.checks(capacity.Results(measured()))}
    assert set(checked) == {"mix"}
    predicted, actual = checked["mix"]
    assert actual == 160
    # 1 % of the bytes in packets of 200 bytes at 1000 cycles, heads, 0.025 flows per packet.
    imds, heads = 0.01 * 875 / 200, 0.3 * 875 / 55_000
    plain = (imds * 1000 + heads * 700 + (1 - imds - heads) * 100 + 0.025 * 200)
    concurrent = 25_000
    assert predicted == pytest.approx(
        plain * capacity.flow_factor(capacity.Results(measured()), concurrent)[0])


def run_capacity(*words):
    return subprocess.run([sys.executable, ROOT / "scripts/capacity.py", *map(str, words)],
                          capture_output=True, text=True, timeout=30)


@pytest.fixture
def results_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"pipeline": measured()}))
    return path


@pytest.mark.parametrize("network", sorted(capacity.NETWORKS))
def test_every_network_can_be_asked_for(results_file, tmp_path, network):
    out = tmp_path / "out.json"
    done = run_capacity("--results", results_file, "--network", network, "--json", out)
    assert done.returncode == 0, done.stderr
    assert "worker cores" in done.stdout and "measured 160" in done.stdout
    figures = json.loads(out.read_text())
    assert figures["cores"] >= 1 and len(figures["links"]) == 4


@pytest.mark.parametrize("words, message", [
    (["--mix", "tls=50,http=10"], "sum up to 60 %, not 100 %"),
    (["--mix", "voip=100"], "kinds are tls, http, udp, imds, small"),
    (["--mix", "tls=50,tls=50"], "tls is given twice"),
    (["--packet-bytes", "20"], "average packet is 20, expected 60 to 9216"),
    (["--flows", "many"], "is no amount"),
    (["--gbit", "0"], "expected more than 0"),
    (["--headroom", "1"], "expected 0 to below 1"),
    (["--tunnelled", "120"], "tunnelled share is 120"),
    (["--json", "/nonexistent/out.json"], "cannot write /nonexistent/out.json"),
])
def test_bad_descriptions(results_file, words, message):
    done = run_capacity("--results", results_file, *words)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("content, message", [
    (None, "No such file or directory; perf/run.sh writes it"),
    ("{", "is not JSON"),
    ('{"rows": []}', "expected the results.json of perf/run.sh"),
    ("[]", "no row for small, elephant"),
    ("[3]", "a row without a profile"),
    (json.dumps(measured(small=row("small", 100, 60) | {"ground_truth_ok": False})),
     "do not count: small"),
    (json.dumps(measured(http=row("http", 700, 400) | {"cycles_per_packet": "fast"})),
     "row http: cycles_per_packet is 'fast'"),
    (json.dumps([{k: v for k, v in r.items() if k != "memory"} for r in measured()]),
     "give --bytes-per-flow"),
])
def test_bad_results(tmp_path, content, message):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    done = run_capacity("--results", path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("script, words, message", [
    ("run.sh", ["--rounds", "none"], "a number from 1 on"),
    ("run.sh", ["--fast"], "unknown option --fast"),
    ("run.sh", ["--profile"], "needs a name"),
    ("compare.sh", ["--only"], "needs a value"),
    ("regress.sh", ["--against", "no-such-commit"], "no such commit: no-such-commit"),
    ("regress.sh", ["--rounds"], "value is missing"),
])
def test_scripts_refuse_what_they_do_not_understand(script, words, message):
    done = subprocess.run([ROOT / "perf" / script, *words], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr


def test_generated_rules_are_the_same_each_time_and_all_load(tmp_path):
    assert rule_sets.rule(7) == rule_sets.rule(7) != rule_sets.rule(107)
    count = 500
    rule_sets.write_rules(tmp_path, count)
    done = subprocess.run([harness.INSPECTOR, "--check", "--format", "json", "--rules", tmp_path],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["rules"]) == count and report["skipped"] == []
    # What is measured are rules that are indexed, as nearly all of the collections are.
    assert not report["cost"]["parses_every_head"]
