"""Running programs to measure them: what they cost, and how they ended."""
import dataclasses
import os
import pathlib
import resource
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Missing(Exception):
    """Something a measurement needs is not here; the text says what, and how to get it."""


@dataclasses.dataclass
class Run:
    code: int  # negative: the signal that ended it
    output: str  # both streams
    cpu_seconds: float  # user and system, with its children
    wall_seconds: float
    peak_mib: float  # of resident memory, huge pages not included

    def last_line(self):
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}, no output"


def run(command, timeout=1800, cwd=None, environment=None):
    """Runs `command` to its end. Missing when it takes longer than `timeout` seconds."""
    with tempfile.TemporaryFile() as out:
        begin = time.monotonic()
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env=environment)
        used = _wait(child, begin + timeout)
        wall = time.monotonic() - begin
        if used is None:
            raise Missing(f"{command[0]} did not end within {timeout} s")
        out.seek(0)
        text = out.read().decode(errors="replace")
    return Run(child.returncode, text, used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def _wait(child, deadline):
    """The child's resource usage, or None after it had to be killed. wait4() counts this child only."""
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return used
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            return None
        time.sleep(0.01)


def is_root():
    return os.geteuid() == 0


def free_memory_mib():
    return _meminfo("MemAvailable") // 1024


def free_huge_pages_mib():
    """MiB of free 2 MiB pages."""
    folder = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    return int(folder.read_text()) * 2 if folder.exists() else 0


def _meminfo(name):
    for line in open("/proc/meminfo"):
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def limit_memory_locks():
    """Programs that lock memory need the hard limit; harmless where it may not be raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
