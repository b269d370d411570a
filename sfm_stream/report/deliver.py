"""Ways to tell people: a command of the site's own, mail, and the services that apprise knows."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

from sfm_stream.settings.environment import take_up
from sfm_stream.settings.host import AlertSettings

SENDMAIL = ("/usr/sbin/sendmail", "-i", "-t")
SECONDS = 60
"""How long one way may take."""


class UndeliveredError(Exception):
    """One way did not work; the message says why, and holds no secret."""


class Ways:
    """The ways that are set for a host.

    Args:
        settings: Which.
        environment: The variables by which services are reached, see `sfm_stream.settings.environment`. What is
            started here does not get them: a login may stand in them.
    """

    def __init__(self, settings: AlertSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment

    def deliver(self, subject: str, body: str) -> tuple[int, list[str]]:
        """Tells people in every way.

        Returns:
            In how many ways that worked, and why it did not in the others.
        """
        worked, faults = 0, []
        for name, way in self._ways():
            try:
                way(subject, body)
                worked += 1
            except UndeliveredError as error:
                faults.append(f"alerts by {name} fail: {error}")
        return worked, faults

    def _ways(self) -> Iterator[tuple[str, Callable[[str, str], None]]]:
        settings = self._settings
        if settings.command:
            yield "command", lambda subject, body: _command(settings.command, subject, body)
        if settings.mail:
            yield "mail", lambda subject, body: _mail(settings.mail, subject, body)
        if settings.urls:
            yield "apprise", self._apprise

    def _apprise(self, subject: str, body: str) -> None:
        take_up(self._environment)
        _apprise(settings=self._settings, subject=subject, body=body)


def preload(settings: AlertSettings) -> None:
    """Imports what the ways need, while root can read it."""
    if settings.urls:
        with suppress(ImportError):  # told when it is needed
            import apprise  # noqa: F401


def _command(command: str, subject: str, body: str) -> None:
    _run(shlex.split(command), f"{subject}\n\n{body}\n", {**os.environ, "SFM_ALERT_SUBJECT": subject})


def _mail(addresses: tuple[str, ...], subject: str, body: str) -> None:
    message = EmailMessage()
    message["To"] = ", ".join(addresses)
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    if not Path(SENDMAIL[0]).exists():
        raise UndeliveredError(f"there is no {SENDMAIL[0]}; a mail server such as postfix or msmtp-mta brings it")
    _run(list(SENDMAIL), message.as_string(), dict(os.environ))


def _run(arguments: list[str], text: str, environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            arguments, input=text.encode(), env=environment, capture_output=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise UndeliveredError(f"{arguments[0]} did not end within {SECONDS} s") from error
    except OSError as error:
        raise UndeliveredError(f"{arguments[0]}: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UndeliveredError(f"{arguments[0]} ended with {done.returncode}{f': {said[-1][:200]}' if said else ''}")


def _apprise(settings: AlertSettings, subject: str, body: str) -> None:
    try:
        import apprise
    except ImportError as error:
        raise UndeliveredError(f"apprise is not installed here ({error}); a deployment brings it") from error
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it names the addresses, which are secrets
    failed = []
    for number, url in enumerate(settings.urls, start=1):
        service = apprise.Apprise()
        if not service.add(str.__str__(url)):
            failed.append(f"it does not understand address {number} of sfm_alert_urls")
        elif not service.notify(title=subject, body=body):
            failed.append(f"the service of address {number} of sfm_alert_urls did not take the message")
    if failed:
        raise UndeliveredError("; ".join(failed))
