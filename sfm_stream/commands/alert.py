"""The command `alert`: tells people of trouble, once, and when it is over. A schedule calls it each minute."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from sfm_stream.places import config_dir_option, state_dir_option
from sfm_stream.usage import examples

UPTIME = Path("/proc/uptime")


@click.command(epilog=examples("sudo sfm-stream alert --test", "sudo sfm-stream alert"))
@click.option("--test", is_flag=True, help="Send a message in every way that is set, whatever the state of things.")
@config_dir_option
@state_dir_option
def alert(test: bool, config_dir: Path, state_dir: Path | None) -> None:
    """Tell people of the troubles that began, went on for another day, or ended since the last call.

    Nobody is told while a deployment is under way, nor in the first minutes after a boot. Exits with 3 where a message
    could not be delivered; `status` shows that as well, and the next call tries again.
    """
    from msgspec.structs import replace

    from sfm_stream import reading
    from sfm_stream.errors import ConfigError, FindingsError
    from sfm_stream.places import find_state_dir
    from sfm_stream.report import lines
    from sfm_stream.report.alerts import body, digest_due, evaluate, is_quiet, subject, untold
    from sfm_stream.report.deliver import Ways, preload
    from sfm_stream.report.judge import judge
    from sfm_stream.report.look import HostInputs
    from sfm_stream.report.memory import Memory, read_memory, write_memory
    from sfm_stream.settings.config import read_alerts, read_environment
    from sfm_stream.settings.environment import environment_path
    from sfm_stream.settings.host import alert_path

    host = HostInputs(config_dir)
    settings = read_alerts(alert_path(config_dir))
    if settings is None:
        raise ConfigError(
            f"{config_dir}: no way to tell people is set; in the inventory: sfm_alert_command, sfm_alert_mail or "
            "sfm_alert_urls"
        )
    environment = read_environment(environment_path(config_dir))
    preload(settings)
    state = find_state_dir(state_dir, config_dir)
    view = judge(host.facts(state), host.settings.limits)
    try:
        memory = read_memory(state) or Memory()
    except reading.UnreadableError:
        memory = Memory()  # whoever was told before is told again
    ways = Ways(settings, environment)
    name = socket.gethostname()
    if test:
        worked, failed = ways.deliver(f"sfm on {name}: a test", "This is a test: alerts of this host come here.")
        write_memory(state, replace(memory, fault="; ".join(failed)))
        if failed:
            raise FindingsError("\n".join(failed))
        click.echo(f"A test went out in {worked} way{'s' * (worked != 1)}.")
        return
    after, events = evaluate(memory, view, quiet=is_quiet(view, _uptime()))
    faults: list[str] = []
    if events:
        worked, faults = ways.deliver(subject(name, events), body(events, view.time))
        after = replace(after if worked else untold(after, memory, events), fault="; ".join(faults))
    if digest_due(memory, settings.digest, view.time):
        worked, failed = ways.deliver(f"sfm on {name}: the day's digest", lines.digest(view))
        faults = list(dict.fromkeys([*faults, *failed]))
        after = replace(after, fault="; ".join(faults), digest=view.time.date() if worked else memory.digest)
    write_memory(state, after)
    if faults:
        raise FindingsError("\n".join(faults))


def _uptime() -> float:
    try:
        return float(UPTIME.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return float("inf")
