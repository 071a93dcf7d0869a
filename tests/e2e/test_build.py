"""The build keeps the order of the rooms; the structure check finds what the build cannot."""

import json
import re
import shutil

import pytest

import harness
from harness import ROOT, run


@pytest.fixture
def copy(tmp_path):
    """The project's sources alone, to be broken."""
    target = tmp_path / "project"
    shutil.copytree(
        ROOT, target, ignore=shutil.ignore_patterns("build", ".git", "__pycache__", ".cache")
    )
    return target


def test_an_upward_dependency_does_not_configure(copy):
    meson = copy / "lib/base/meson.build"
    meson.write_text(meson.read_text() + "\nuses = ['event']\n")
    done = run("meson", "setup", copy / "build/broken", copy, timeout=120)
    assert done.returncode != 0
    assert "lib/base uses event, which is not listed before it" in done.stdout


def check(project):
    return run("/usr/bin/python3", ROOT / "scripts/check-rooms.py", project)


def test_the_project_keeps_to_its_doors():
    done = check(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "room, line, said",
    [
        ("base", '#include "event/event.h"', "includes room 'event'"),
        ("http", "#include <rte_mbuf.h>", "DPDK headers belong to"),
        ("sigma", "#include <hs.h>", "hs.h belongs to lib/match"),
        ("alert", "void f() { std::cout << 1; }", "never prints"),
        ("config", "void f() { exit(1); }", "never exits"),
        ("flow", 'void f() { std::printf("x"); }', "never prints"),
    ],
)
def test_a_violation_is_found(copy, room, line, said):
    path = copy / "lib" / room / "broken.cc"
    path.write_text("// A file.\n" + line + "\n")
    done = check(copy)
    assert done.returncode == 1
    assert "lib/%s/broken.cc:2: " % room in done.stdout and said in done.stdout


def test_words_in_comments_and_names_are_no_violation(copy):
    (copy / "lib/base/fine.cc").write_text(
        '// This never calls exit() or printf().\nconst char* text = "printf(";\n'
        "void f(char* b) { std::snprintf(b, 1, text); }\nvoid g() { on_exit_hook(); }\n"
    )
    assert check(copy).returncode == 0


def test_the_chosen_instruction_set_has_the_last_word():
    """DPDK brings a -march of its own; of several, the compiler takes the last."""
    options = json.loads((harness.BUILD / "meson-info/intro-buildoptions.json").read_text())
    chosen = next(o["value"] for o in options if o["name"] == "march")
    commands = json.loads((harness.BUILD / "compile_commands.json").read_text())
    compiled = [c for c in commands if c["file"].endswith(".cc")]
    assert compiled
    for command in compiled:
        assert re.findall(r"-march=(\S+)", command["command"])[-1] == chosen, command["file"]


def test_dependencies_are_listed_without_installing():
    done = run(harness.ROOT / "scripts/install-deps.sh", "--tests", "--list")
    assert done.returncode == 0
    assert {"libdpdk-dev", "prometheus", "python3-pytest"} <= set(done.stdout.split())


def test_installation_is_complete_and_its_header_is_plain_c(tmp_path):
    """What a third party builds against: the ring's header alone, in C11 and in C++."""
    done = run(
        "meson", "install", "-C", harness.BUILD, "--no-rebuild", "--destdir", tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    installed = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        "imds-inspector", "imds-alerts", "inspector.yaml", "fields.yaml",
        "aws_imds_metadata_access.yml", "imds_alert_ring.h",
    } <= set(installed)
    header = installed["imds_alert_ring.h"]
    for compiler, standard, name in (("gcc", "c11", "user.c"), ("g++", "c++17", "user.cc")):
        user = tmp_path / name
        user.write_text(
            '#include "imds_alert_ring.h"\n'
            "int main(void) { return sizeof(struct imds_alert_record) == IMDS_ALERT_RECORD_SIZE"
            " ? 0 : 1; }\n"
        )
        program = tmp_path / (name + ".out")
        done = run(
            compiler, "-std=" + standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
            "-I", header.parent, user, "-o", program,
        )
        assert done.returncode == 0, done.stderr
        assert run(program).returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path):
    text = (harness.ROOT / "conf/imds-inspector.service.in").read_text()
    unit = tmp_path / "imds-inspector.service"
    # Of programs it says whether they are there.
    unit.write_text(re.sub(r"=@bindir@/\S+", "=/bin/true", text).replace("@config@", "/etc/inspector.yaml"))
    assert "@" not in unit.read_text()
    done = run("systemd-analyze", "verify", unit)
    assert done.returncode == 0 and done.stderr + done.stdout == ""
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in run("systemd-analyze", "verify", unit).stderr  # it would be told


def test_reader_in_the_documentation_compiles(tmp_path):
    text = (harness.ROOT / "docs/alerts.md").read_text()
    example = tmp_path / "reader.c"
    example.write_text(text.split("```c\n", 1)[1].split("```", 1)[0])
    (tmp_path / "imds-inspector").symlink_to(harness.ROOT / "lib/alert/include/alert")
    done = run(
        "gcc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", tmp_path,
        example, "-o", tmp_path / "reader",
    )
    assert done.returncode == 0, done.stderr
