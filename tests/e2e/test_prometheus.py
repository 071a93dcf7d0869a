"""A real Prometheus scrapes the inspector; the shipped dashboard's expressions find data."""

import json
import re
import socket
import urllib.parse

import pytest
import yaml

import harness
from harness import IMDS4, IMDS6, METRICS_PORT

pytestmark = pytest.mark.lab

PROMETHEUS_PORT = 9090
SHIPPED = harness.ROOT / "conf/prometheus"
DASHBOARDS = sorted((harness.ROOT / "conf/grafana").rglob("*.json"))


class Prometheus(harness.Program):
    """Prometheus in the lab's sensor namespace with the shipped configuration, scraping fast."""

    def __init__(self, lab, folder):
        self.namespace = lab.namespace("sensor")
        config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
        config.setdefault("global", {}).update(
            {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        )
        for job in config["scrape_configs"]:
            job.pop("scrape_interval", None)
            job.pop("scrape_timeout", None)
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        for entry in SHIPPED.iterdir():
            if entry.name != "prometheus.yml":
                (folder / entry.name).symlink_to(entry)
        super().__init__(
            lab.command(
                "sensor", "prometheus",
                "--config.file=%s" % path,
                "--storage.tsdb.path=%s" % (folder / "tsdb"),
                "--web.listen-address=127.0.0.1:%d" % PROMETHEUS_PORT,
                "--log.level=warn",
            )
        )
        harness.wait_for("Prometheus", self._ready, 30)

    def _ready(self):
        assert self.alive(), self.stderr
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path):
        return harness.http_get(PROMETHEUS_PORT, path, self.namespace)

    def query(self, expression):
        status, body = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]

    def value(self, expression):
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else None


def panels(dashboard):
    """Every panel, also those folded into rows."""
    for panel in dashboard.get("panels", []):
        yield panel
        yield from panels(panel)


def expressions():
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                if target.get("expr"):
                    yield path.name, panel.get("title", "?"), target["expr"]


def without_variables(expression):
    """Grafana's variables as Grafana would fill them in with everything selected."""
    expression = re.sub(r"\$__rate_interval|\$\{__rate_interval\}", "10s", expression)
    expression = re.sub(r"\$__(range|interval)|\$\{__(range|interval)[^}]*\}", "1m", expression)
    return re.sub(r"\$\{?\w+(:\w+)?\}?", ".*", expression)


@pytest.fixture(scope="module")
def scraped(lab, tmp_path_factory):
    """An inspector that has seen an attack, and a Prometheus that has scraped it before and
    after; one port, a suppression, a filter, a correlation, throttling and evidence capture
    in use."""
    folder = tmp_path_factory.mktemp("prometheus")
    scanner = folder / "scanner.yml"
    scanner.write_text(
        "title: Known scanner\nlogsource: {category: network}\n"
        "filter: {rules: [866049a2-f864-4ac3-8dbf-20bd71e33544],"
        " selection: {'user_agent|startswith': known-scanner}, condition: selection}\n"
    )
    repeated = folder / "repeated.yml"
    repeated.write_text(
        "title: Not asked for here\nname: other\nlogsource: {category: proxy}\n"
        "detection: {request: {url.path: /nobody-asks}, condition: request}\n---\n"
        "title: Repeated\n"
        "correlation: {type: event_count, rules: [other], timespan: 1m, condition: {gte: 3}}\n"
        "level: low\n"
    )
    rules = [*harness.ONE_ALERT_RULES, scanner, repeated]
    evidence = folder / "evidence"
    evidence.mkdir(mode=0o700)
    path, config = harness.live_config(
        folder,
        [harness.port("tap", "tap0")],
        evidence={"capture": {"enabled": True, "directory": str(evidence)}},
        suppress=[{"name": "cloud-subnet", "source": ["fd00:77::/64"]}],
        rules={"paths": [str(path) for path in rules]},
        alerts={"throttle": {"enabled": True}},
    )
    inspector = prometheus = None
    try:
        inspector = harness.Inspector(path, config, lab.namespace("sensor"))
        prometheus = Prometheus(lab, folder)
        harness.wait_for("the first scrape", lambda: prometheus.value("up") == 1, 30)
        for _ in range(5):
            lab.curl_v2(IMDS4)
        lab.curl_v2("[%s]" % IMDS6)
        yield lab, inspector, prometheus
    finally:
        for program in (prometheus, inspector):
            if program is not None:
                program.close()


def test_shipped_configuration_is_valid():
    done = harness.run("promtool", "check", "config", SHIPPED / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_counters_in_prometheus_equal_what_was_sent(scraped):
    _, _, prometheus = scraped
    # Five token requests and five reads, each on a connection of its own, over IPv4; the two
    # over IPv6 are suppressed.
    harness.wait_for(
        "20 alerts in Prometheus",
        lambda: prometheus.value("sum(imds_inspector_alerts_total)") == 20,
    )
    # The suppressed ones may be among those of the next scrape.
    suppressed = 'imds_inspector_suppressed_total{suppression="cloud-subnet"}'
    harness.wait_for("4 suppressed hits", lambda: prometheus.value(suppressed) == 4)
    assert prometheus.value("sum(imds_inspector_ring_published_alerts_total)") == 20
    by_event = {
        sample["metric"]["event"]: float(sample["value"][1])
        for sample in prometheus.query("sum by (event) (imds_inspector_findings_total) > 0")
    }
    # Findings are counted before suppression. How often hosts ask for the address is theirs.
    assert by_event.pop("address_claim") >= 1
    # No rule here is about answers: the story is told those that it does not know of.
    repeats = prometheus.value("sum(imds_inspector_story_repeats_total)")
    assert by_event.pop("http_response") + by_event.pop("token_issued") + repeats == 12 + 6
    # Of machines that answer, the first answer to each client.
    assert by_event == {"connection": 12, "responder": 2, "http_request": 12}
    assert (
        prometheus.value(
            "sum(imds_inspector_port_received_packets_total)"
            " - sum(imds_inspector_packets_total)"
        )
        == 0
    )


def test_there_is_a_dashboard():
    assert DASHBOARDS and len(list(expressions())) >= 8


@pytest.mark.parametrize(
    "title, expression",
    [
        pytest.param(title, expression, id=re.sub(r"\W+", "-", title.lower()))
        for _, title, expression in expressions()
    ],
)
def test_no_panel_is_empty(scraped, title, expression):
    _, _, prometheus = scraped
    filled = without_variables(expression)
    harness.wait_for(
        "data for panel '%s': %s" % (title, filled), lambda: prometheus.query(filled), 15
    )


def test_metrics_pass_promtool(scraped):
    _, inspector, _ = scraped
    done = harness.run("promtool", "check", "metrics", stdin=inspector.metrics().text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""


def test_idle_connections_do_not_block_metrics(scraped):
    _, inspector, _ = scraped

    def idle_then_fetch():
        idle = []
        try:
            for number in range(3):
                connection = socket.create_connection(("127.0.0.1", METRICS_PORT))
                if number:
                    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: half")
                idle.append(connection)
            return harness.http_get(METRICS_PORT, "/metrics", timeout=5)[0]
        finally:
            for connection in idle:
                connection.close()

    assert harness.in_namespace(inspector.namespace, idle_then_fetch) == 200


def test_metrics_listen_on_loopback_only(scraped):
    lab, _, _ = scraped
    done = lab.run("sensor", "ss", "-Hltn", "sport = :%d" % METRICS_PORT)
    addresses = [line.split()[3] for line in done.stdout.splitlines()]
    assert addresses == ["127.0.0.1:%d" % METRICS_PORT]


def test_documentation_names_every_metric_and_no_other(scraped):
    _, inspector, _ = scraped
    exposed = set(re.findall(r"^# TYPE (imds_inspector_\w+) ", inspector.metrics().text, re.M))
    prefix = "imds_inspector_"
    reference = (harness.ROOT / "docs/metrics.md").read_text()
    documented = {prefix + name for name in re.findall(r"^\| `(\w+)` \|", reference, re.M)}
    assert documented == exposed
    for path in [harness.ROOT / "README.md", *(harness.ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"`(imds_inspector_\w+)[`{]", path.read_text()))
        assert named - exposed == set(), path


def test_shipped_alerting_rules_work_and_the_attack_fires(scraped):
    _, _, prometheus = scraped
    _, body = prometheus.get("/api/v1/rules")
    rules = [rule for group in json.loads(body)["data"]["groups"] for rule in group["rules"]]
    assert rules

    def evaluated():
        _, body = prometheus.get("/api/v1/rules")
        groups = json.loads(body)["data"]["groups"]
        health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        return set(health.values()) == {"ok"}

    harness.wait_for("every rule to be evaluated well", evaluated)

    def firing():
        return prometheus.query('ALERTS{alertname="ImdsAlert", alertstate="firing"}')

    harness.wait_for("ImdsAlert", firing)
    assert prometheus.query('ALERTS{alertname="InspectorDown"}') == []
