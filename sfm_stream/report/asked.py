"""What supervisord answers, as far as this user may ask it."""

from __future__ import annotations

import http.client
import xmlrpc.client
from collections.abc import Collection
from pathlib import Path

from sfm_stream import supervisord
from sfm_stream.report.facts import Process, Supervisor

SECONDS = 10.0
"""How long an answer may take."""
CAPTURES = ("filterstream", "streamsample")


def ask(config: Path, known: Collection[str]) -> Supervisor:
    """Asks for all programs of ours.

    Args:
        config: supervisord's configuration file.
        known: The programs of which there are settings.
    """
    try:
        supervisor = supervisord.connect(config, seconds=0, answer=SECONDS)
        live, commands = supervisord.processes(supervisor, bool), supervisord.commands(supervisor)
    except supervisord.AbsentError as error:
        return Supervisor("dead", str(error))
    except supervisord.UnreachableError as error:
        return Supervisor("not seen", str(error))
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        return Supervisor("not seen", f"it answers, and then does not: {error}")
    processes = {}
    for name, each in live.items():
        command = commands.get(name)
        if supervisord.deployed(each, command, known=name in known):
            captures = name in known or any(f" {word}" in (command or "") for word in CAPTURES)
            said = each["spawnerr"] or each["description"]
            processes[name] = Process(each["statename"], each["exitstatus"], str(said), captures)
    return Supervisor("answers", processes=processes)
