"""What a technique is, and the list of all of them."""

import dataclasses
import importlib
import typing

from scene import DEFAULT, Request, Scene, to_bytes

MODULES = [
    "link_tunnels",
    "tunnels_nested",
    "ip_headers",
    "fragments",
    "tcp",
    "tcp_conflicts",
    "http",
    "http_framing",
    "http2",
    "normalisation",
    "unknown_protocols",
]

# What of an alert a technique must not change.
SAME = (
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "network.transport",
    "http.request.method",
    "url.original",
    "url.path",
    "url.domain",
    "user_agent.original",
    "rule.id",
)


@dataclasses.dataclass(frozen=True)
class Technique:
    name: str  # test id, and the row's name in docs/evasion.md
    summary: str  # the row's text
    build: typing.Callable  # Scene -> frames
    request: Request = DEFAULT  # what the plain delivery asks for
    endpoint: bool = False  # to the metadata address itself, or to any other server
    version: int = 4  # of IP, of the plain delivery and of the scene
    # What the rule of the bulletin must say, no more and no less.
    alerts: tuple = ("http_request",)
    # Which of the events that tell of an evasion must be seen; others must not.
    events: frozenset = frozenset()
    # Events that may be seen or not.
    tolerated: frozenset = frozenset()
    # Whether other readings of the same bytes may be alerted too.
    readings: bool = False
    # Fields in which the alert rightly differs from that of the plain delivery.
    differs: tuple = ()
    # Fields every request's alert must have: name -> value.
    fields: dict = dataclasses.field(default_factory=dict)
    # Counters that must have moved: "name{label=value}" -> at least.
    counters: dict = dataclasses.field(default_factory=dict)
    # Sections of the configuration it needs.
    config: dict = dataclasses.field(default_factory=dict)
    # What is not found, or seen less well; for the table.
    limits: str = ""
    layer: str = ""  # module, filled in on loading

    def __hash__(self):
        return hash(self.name)

    def scene(self, number):
        scene = Scene(number, self.endpoint, self.request)
        scene.version = self.version
        return scene

    def frames(self, number):
        scene = self.scene(number)
        return to_bytes(scene.frames(self.build(scene)))

    def plain_frames(self, number):
        scene = self.scene(number)
        return to_bytes(scene.frames(scene.conversation()))


def load():
    """All techniques by name, in the order of MODULES and of their tables."""
    found = {}
    for module in MODULES:
        for technique in importlib.import_module("techniques." + module).TECHNIQUES:
            assert technique.name not in found, technique.name
            found[technique.name] = dataclasses.replace(technique, layer=module)
    return found
