"""Pictures for the README, of simulated data: ``script/pictures`` calls this.

The status is what `sfm-stream status` prints of a host whose facts are invented, as text in an SVG; the report is a
page in a real Chromium.
"""

from __future__ import annotations

import html
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sfm_stream.record.gaps import Coverage, Gap
from sfm_stream.record.rates import Rates
from sfm_stream.record.status import Status
from sfm_stream.report import lines
from sfm_stream.report.facts import Alerting, Disk, Facts, HostFacts, Job, JobOutcome, Process, StreamFacts, Supervisor
from sfm_stream.report.judge import judge
from sfm_stream.settings.host import Limits
from sfm_stream.sources import registry
from tests.support.collected import three_streams

NOW = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
WIDTH, HEIGHT = 7.23, 17
"""Of a character, in the picture of a terminal."""
NBSP = "\N{NO-BREAK SPACE}"
CHROMIUM = (
    *("chromium", "--headless=new", "--no-sandbox", "--hide-scrollbars"),
    "--blink-settings=preferredColorScheme=1",
)


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _stream(
    source: str, name: str, per_minute: int, usual: int, *, state: str = "connected", since: float, **said: object
) -> StreamFacts:
    """What is seen of a stream that gets so many posts a minute."""
    program = registry.program(source, name)
    kind = registry.source(source).settings
    more = {"kind": "filterstream", "credential": "lab"} if registry.source(source).credential else {"contact": "me"}
    minutes = {f"{_ago(60 * minute):%Y-%m-%dT%H:%M}": per_minute for minute in range(60)}
    hours = {f"{NOW - timedelta(hours=hour):%Y-%m-%dT%H}": (usual * 60, 3600.0) for hour in range(1, 24 * 28)}
    down = 900.0 if state != "connected" else 0.0
    last = _ago(down + 1.2)
    status = Status(
        program=program,
        pid=7,
        since=_ago(down or since),
        state=state,
        connected_since=None if down else _ago(since),
        last_byte=last,
        last_post=last,
        posts_today=usual * 845,
        bytes_today=usual * 845 * 5000,
        **said,  # type: ignore[arg-type]
    )
    midnight = NOW.replace(hour=0, minute=0)
    times = {"start": _ago(40_000), "end": _ago(39_850), "seconds": 150.0}
    gap = Gap(**times, cause="no answer", planned=False, recovered=source != "x")  # type: ignore[arg-type]

    def coverage(start: datetime) -> Coverage:
        gone = 150 / (NOW - start).total_seconds()
        covered = 1 - gone if source == "x" else 1.0
        return Coverage(
            program=program, start=start, end=NOW, connected=1 - gone, covered=covered, gaps=(gap,), losses=()
        )

    return StreamFacts(
        program=program,
        settings=kind(source=source, name=name, **more),
        alive=True,
        live=status,
        rates=Rates(minutes=minutes, hours=hours),
        coverage=coverage(NOW - timedelta(days=1)),
        today=coverage(midnight),
        written=(usual * 1440 * 700, NOW - timedelta(days=1)),
        silence=30.0,
        gap_since=last if down else None,
    )


def status() -> str:
    """The table, of a host where one stream starves and one has lost its service."""
    streams = (
        _stream(
            "x", "elections", 62, 58, since=191_000, rules_wanted="r", rules_live="r", rules_checked=_ago(20),
            this_month=412_630, per_month=1_000_000, dollars=2063.15,
        ),
        _stream(
            "x", "storms", 1, 140, since=88_000, rules_wanted="r", rules_live="r", rules_checked=_ago(20),
            this_month=573_112, per_month=1_000_000, dollars=2865.56,
        ),
        _stream("bluesky", "harvest", 31, 33, since=604_000),
        _stream("wikimedia", "ballots", 0, 9, state="waiting", since=900, detail="HTTP 503"),
    )  # fmt: skip
    facts = Facts(
        time=NOW,
        host=HostFacts(
            supervisor=Supervisor("answers", processes={each.program: Process("RUNNING") for each in streams}),
            disks=(Disk("/var/lib/sfm/data", "data", free=212 * 10**9, size=500 * 10**9, floor=10**9, device=1),),
            jobs=(
                Job(name="organize", outcome=JobOutcome(time=_ago(2880)), every=3600),
                Job(name="audit", outcome=JobOutcome(time=_ago(2_020_000)), every=31 * 86400),
                Job(name="report", outcome=JobOutcome(time=_ago(41_040)), every=86400),
            ),
            alerting=Alerting(ways="mail", evaluated=_ago(20)),
            version="0.1.0",  # whatever the release, the picture stays
        ),
        streams=streams,
    )
    return lines.text(judge(facts, Limits()), "/etc/sfm")


def terminal(command: str, text: str) -> str:
    """Text as a terminal shows it."""
    shown = [line.replace(" ", NBSP) for line in (f"$ {command}", *text.splitlines())]
    width = round(max(map(len, shown)) * WIDTH + 40)
    height = len(shown) * HEIGHT + 40
    rows = "".join(
        f'<text x="20" y="{30 + index * HEIGHT}"{_colour(line)}>{html.escape(line).replace(" ", NBSP)}</text>\n'
        for index, line in enumerate(shown)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{html.escape(command)}">\n<rect width="100%" height="100%" rx="8" fill="#13161a"/>\n'
        '<g fill="#e7e9ec" font-size="12" '
        "font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n"
        f"{rows}</g></svg>\n"
    )


def _colour(line: str) -> str:
    if line.startswith(("$", "PROGRAM")):
        return ' fill="#a5adb8"'
    return ' fill="#ffb3ad"' if any(word in line for word in ("starving", "waiting", "troubles")) else ""


def report(picture: Path) -> None:
    """A page of a fortnight of three streams."""
    with tempfile.TemporaryDirectory() as place:
        start = date(2026, 11, 1)
        host = three_streams(Path(place), start, 14)
        out = Path(place) / "out"
        command = [sys.executable, "-m", "sfm_stream", "report", *host.options, "--to", "2026-11-14", "-o", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        page = out / "stream-twitterfilter-storms.html"
        shot = [*CHROMIUM, "--window-size=1000,1560", f"--screenshot={picture}", page.as_uri()]
        subprocess.run(shot, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(folder: Path) -> None:
    """Makes both."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.svg").write_text(terminal("sfm-stream status", status()), encoding="utf-8")
    report((folder / "report.png").absolute())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
