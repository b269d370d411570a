"""A host of a scenario, as its tests see it: processes, files, supervisor and what the simulator knows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import testinfra

OTHERS = re.compile("other-.*|twitterfilter-1")
"""Programs of other people that a scenario has beside ours; the last is an older SFM's."""
POLL = 0.5
"""Seconds between two looks at something that takes its time."""


class Program(NamedTuple):
    """A line of ``supervisorctl status``; `pid` is 0 unless it runs."""

    name: str
    state: str
    pid: int


class Host:
    """One container, reached by ssh as root; `infra` is testinfra's host."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.infra = testinfra.get_host(f"ssh://{name}", ssh_config=f"{os.environ['SFM_CONTAINERS_DIR']}/ssh_config")

    def __repr__(self) -> str:
        return self.name

    def run(self, command: str) -> str:
        """The output of a shell command that must succeed."""
        done = self.infra.run(command)
        assert done.rc == 0, f"{self.name}: {command!r} exited {done.rc}:\n{done.stdout}{done.stderr}"
        return str(done.stdout)

    def output(self, command: str) -> str:
        """All that a shell command says, whether it succeeds or not."""
        done = self.infra.run(command)
        return str(done.stdout) + str(done.stderr)

    def programs(self) -> dict[str, Program]:
        """What supervisor knows, by name (3 is supervisorctl's exit code for: not all of them run)."""
        done = self.infra.run("supervisorctl status")
        assert done.rc in (0, 3), f"{self.name}: supervisorctl status: {done.stdout}{done.stderr}"
        found = {}
        for line in done.stdout.splitlines():
            words = line.split()
            pid = int(words[3].rstrip(",")) if words[2:3] == ["pid"] else 0
            found[words[0]] = Program(words[0], words[1], pid)
        return found

    def pids(self) -> dict[str, int]:
        """The process of each program that runs."""
        return {name: each.pid for name, each in self.programs().items() if each.state == "RUNNING"}

    def json(self, path: str) -> Any:  # noqa: ANN401 - as the file has it
        """The content of a JSON file."""
        return json.loads(self.run(f"cat {shlex.quote(path)}"))

    def status(self, program: str) -> dict[str, Any]:
        """The live status that a program writes."""
        return dict(self.json(f"/var/lib/sfm/state/status/{program}.json"))

    def journal(self, program: str, state_dir: str = "/var/lib/sfm/state") -> list[dict[str, Any]]:
        """A program's journal, in order."""
        return [json.loads(line) for line in self.run(f"cat {state_dir}/journal/{program}.jsonl").splitlines()]

    def api(self, path: str, token: str, *, method: str = "GET", port: int = 8970) -> Any:  # noqa: ANN401
        """What the simulator on this host answers to a request in the name of `token`."""
        script = (
            "import sys,urllib.request as u;"
            "r=u.Request(sys.argv[2],method=sys.argv[1],headers={'Authorization':'Bearer '+sys.argv[3]});"
            "print(u.urlopen(r,timeout=10).read().decode())"
        )
        url = f"http://127.0.0.1:{port}{path}"
        return json.loads(self.run(shlex.join(["python3", "-c", script, method, url, token])))

    def connections(self, token: str) -> list[str]:
        """The ids of the live connections that the simulator counts for `token`."""
        answer = self.api("/2/connections?status=active&connection.fields=id,connected_at,endpoint_name", token)
        return sorted(str(each["id"]) for each in answer.get("data") or [])

    def rules(self, token: str) -> dict[str, str]:
        """The live rules of `token`'s app at the simulator: value by tag."""
        answer = self.api("/2/tweets/search/stream/rules", token)
        return {rule.get("tag", ""): rule["value"] for rule in answer.get("data") or []}

    def captured(self, directory: str = "/var/lib/sfm/data") -> dict[str, int]:
        """Every capture file and segment below `directory`, with its size in bytes."""
        lines = self.run(f"find {directory} -type f -name '*.jsonl.gz*' -printf '%s %p\\n'").splitlines()
        return {path: int(size) for size, path in (line.split(" ", 1) for line in lines)}

    def checksums(self, directory: str = "/var/lib/sfm/data") -> dict[str, str]:
        """The sha256 of every finished capture file below `directory`."""
        found = self.run(f"find {directory} -type f -name '*.jsonl.gz' -exec sha256sum {{}} +").splitlines()
        return {path: digest for digest, path in (line.split(maxsplit=1) for line in found)}

    def growing(self, programs: Iterable[str], seconds: float = 30) -> None:
        """Waits until each of `programs` has received a post after this call."""
        wanted = list(programs)
        now = float(self.run("date +%s.%N"))

        def late() -> list[str]:
            path = "/var/lib/sfm/state/status"
            script = "; ".join(f"printf '%s ' {p}; cat {path}/{p}.json | tr -d '\\n'; echo" for p in wanted)
            stamps = {}
            for line in self.output(script).splitlines():
                name, _, text = line.partition(" ")
                if text.startswith("{"):
                    stamps[name] = json.loads(text).get("last_post")
            return [name for name in wanted if seconds_of(stamps.get(name)) < now]

        wait(lambda: not late(), f"{self.name}: no new post for {wanted}", seconds, detail=late)

    def diagnosis(self) -> str:
        """What a person would look at first: supervisor's view, its log, and each program's last lines."""
        return self.output(
            "echo '--- supervisorctl status'; supervisorctl status;"
            "echo '--- supervisord.log'; tail -n 30 /var/log/supervisor/supervisord.log;"
            'for f in /var/log/sfm/*.log; do [ -s $f ] && { echo "--- $f"; tail -n 12 $f; }; done;'
            "ls -la /etc/sfm /etc/sfm/* /var/lib/sfm/data 2>&1 | head -80"
        )


def seconds_of(stamp: str | float | None) -> float:
    """A time of a status or a journal in seconds since 1970; 0 for none."""
    if stamp is None:
        return 0.0
    if isinstance(stamp, int | float):
        return float(stamp)
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


def wait(ready: Callable[[], bool], what: str, seconds: float = 30, detail: Callable[[], object] | None = None) -> None:
    """Waits until `ready`; fails with `what` after so many seconds."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what}, {seconds} s long" + (f": {detail()}" if detail else "")
        time.sleep(POLL)


def podman(*words: str) -> str:
    """Runs podman on this machine."""
    return subprocess.run(["podman", *words], check=True, capture_output=True, text=True).stdout


def expected_programs(variables: Mapping[str, Any]) -> set[str]:
    """The programs that a host's variables declare."""
    return expected_streams(variables) | expected_simulators(variables)


def expected_simulators(variables: Mapping[str, Any]) -> set[str]:
    """Those of them that simulate a source, which `sfm_simulator` names or, with options alone, is X."""
    declared = variables.get("sfm_simulator") or {}
    sources = declared if all(isinstance(each, Mapping) for each in declared.values()) else ["x"]
    return {"sfm-simulator" if source == "x" else f"sfm-simulator-{source}" for source in sources}


def expected_streams(variables: Mapping[str, Any]) -> set[str]:
    """Those of them that capture, worked out from the inventory's own words alone."""
    filters = variables.get("sfm_filters") or []
    prefixes = {"x": "twitterfilter"}
    sources = {each["name"]: each.get("source", "x") for each in filters if each.get("active", True)}
    names = {f"{prefixes.get(source, source)}-{name}" for name, source in sources.items()}
    sample = variables.get("sfm_streamsample") or {}
    if sample and sample.get("active", True):
        names.add("streamsample")
    return names
