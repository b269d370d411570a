"""The command line. Thin: a command imports what it needs, so that `--help` stays quick and a capture small."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sfm_stream import __version__
from sfm_stream.errors import ConfigError, SfmError
from sfm_stream.places import config_dir_option
from sfm_stream.table import duration, json_option, json_text, printable, render

if TYPE_CHECKING:
    from sfm_stream.settings.faults import Fault
    from sfm_stream.settings.model import StreamSettings

_ELSEWHERE = {
    "gaps": "sfm_stream.commands.gaps:gaps",
    "status": "sfm_stream.commands.status:status",
    "audit": "sfm_stream.commands.audit:audit",
    "check": "sfm_stream.commands.check:check",
    "history": "sfm_stream.commands.history:history",
    "organizedata": "sfm_stream.commands.organizedata:organizedata",
    "read": "sfm_stream.commands.read:read",
    "report": "sfm_stream.commands.report:report",
    "simulate": "sfm_stream.simulator.command:simulate",
}
"""Commands that live beside what they run: name -> module:attribute."""


class _LazyGroup(click.Group):
    """A group that imports a command from `_ELSEWHERE` only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = _ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def main() -> NoReturn:
    """Runs the command line; every error is one line on stderr and its own exit code (see `sfm_stream.errors`)."""
    try:
        sys.exit(cli.main(prog_name="sfm-stream", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except SfmError as error:
        for line in filter(None, str(error).splitlines()):
            click.echo(f"sfm-stream: {printable(line)}", err=True)
        sys.exit(error.exit_code)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Keeps social-media streams flowing into an archive."""


def _capture_options(command: click.decorators.FC) -> click.decorators.FC:
    """What both streams take; SFM's own options, and --config-dir."""
    for option in (
        config_dir_option,
        click.option("--verbose", is_flag=True, help="Log more."),
        click.option("--list", "listing", is_flag=True, help="Print all streams of this host, and do nothing else."),
        click.option(
            "--interval",
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds a file covers, in place of the setting.",
        ),
        click.option(
            "--dir",
            "data_dir",
            type=click.Path(path_type=Path),
            help="Where files go, in place of the setting.",
        ),
        click.option("--save", is_flag=True, help="Write files; without it, print the posts."),
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("name", required=False)
@_capture_options
def filterstream(
    name: str | None,
    save: bool,
    data_dir: Path | None,
    interval: float | None,
    listing: bool,
    verbose: bool,
    config_dir: Path,
) -> None:
    """Capture what matches the filter NAME."""
    if listing:
        _list(config_dir)
    elif name is None:
        raise click.UsageError("Give the NAME of a filter; --list shows them all.")
    else:
        from sfm_stream.settings.config import find_filter

        path = find_filter(config_dir, name)
        arguments = f"filterstream {name}"
        _capture(path, arguments, config_dir, save=save, data_dir=data_dir, interval=interval, verbose=verbose)


@cli.command()
@_capture_options
def streamsample(
    save: bool, data_dir: Path | None, interval: float | None, listing: bool, verbose: bool, config_dir: Path
) -> None:
    """Capture X's sample of all posts."""
    if listing:
        _list(config_dir)
    else:
        from sfm_stream.settings.config import stream_path

        path = stream_path(config_dir, "streamsample")
        _capture(path, "streamsample", config_dir, save=save, data_dir=data_dir, interval=interval, verbose=verbose)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check settings and credential FILES without starting anything."""
    from sfm_stream.settings.config import validate_file

    faults: list[str] = []
    for file in files:
        try:
            validate_file(file)
        except ConfigError as error:
            faults += str(error).splitlines()
    if as_json:
        click.echo(json_text({"files": len(files), "faults": faults}))
    if faults:
        raise ConfigError("" if as_json else "\n".join(faults))
    if not as_json:
        click.echo(f"{len(files)} valid")


@cli.group()
def rules() -> None:
    """Work with the rules of a filter."""


@rules.command("show")
@click.argument("name")
@config_dir_option
def rules_show(name: str, config_dir: Path) -> None:
    """Print what the filter NAME matches, as its source is asked for it."""
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    for tag, value in source(stream.source).rules(stream):
        click.echo(f"{tag}\t{len(value)}\t{value}")


@rules.command("test")
@click.argument("name")
@click.option(
    "--posts",
    required=True,
    type=click.File("rb"),
    help="Recorded lines, as the source streams them; - for standard input.",
)
@config_dir_option
def rules_test(name: str, posts: Iterable[bytes], config_dir: Path) -> None:
    """Show what the filter NAME would have matched among recorded posts, before paying for it."""
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    click.echo(source(stream.source).test_rules(stream, posts))


@rules.command("check")
@click.argument("name")
@config_dir_option
def rules_check(name: str, config_dir: Path) -> None:
    """Have the source judge what the filter NAME asks of it, without taking it."""
    from sfm_stream.settings.config import credential_of
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    asked = source(stream.source)
    credential = credential_of(config_dir, stream)
    click.echo(f"{asked.title} takes the rules of {name}: {asked.check_rules(stream, credential)}")


@rules.command("resolve")
@click.option("--ask/--known-only", default=True, help="Whether sources are asked for those the host does not know.")
@click.option("--paid/--free", default=True, help="Whether those are asked that charge for it.")
@config_dir_option
def rules_resolve(ask: bool, paid: bool, config_dir: Path) -> None:
    """Print the ids of accounts followed by name: for deployments, which give the settings to be as a JSON list."""
    from sfm_stream.commands.resolve import resolve
    from sfm_stream.settings.config import read_environment
    from sfm_stream.settings.environment import environment_path, take_up

    if ask:
        take_up(read_environment(environment_path(config_dir)))
    declared = sys.stdin.buffer.read()
    click.echo(json_text(resolve(declared, config_dir, ask=ask, paid=paid)))


def _read_filter(name: str, config_dir: Path) -> StreamSettings:
    from sfm_stream.settings.config import find_filter, read_stream

    return read_stream(find_filter(config_dir, name))


@cli.command()
@json_option
def sources(as_json: bool) -> None:
    """List the services that filters can collect from, with what each needs and can."""
    from sfm_stream.sources import registry

    found = [registry.source(name) for name in registry.names()]
    if as_json:
        click.echo(json_text([{"source": each.name, "title": each.title, **each.traits._asdict()} for each in found]))
    else:
        rows = [(each.name, *each.traits) for each in found]
        click.echo(render(("SOURCE", "NEEDS", "GAPS", "DELETIONS", "COSTS"), rows))


def _list(config_dir: Path) -> None:
    from sfm_stream.settings.config import Unusable, list_streams
    from sfm_stream.sources.registry import source

    streams = list(list_streams(config_dir))
    rows = [
        (stream.program, "unknown", None, None, None)
        if isinstance(stream, Unusable)
        else (
            stream.program,
            "yes" if stream.active else "no",
            stream.credential or None,
            len(source(stream.source).rules(stream)) or None,
            duration(stream.save_interval),
        )
        for stream in streams
    ]
    click.echo(render(("PROGRAM", "ACTIVE", "CREDENTIAL", "RULES", "INTERVAL"), rows, right=("RULES",)))
    if faults := [stream.fault for stream in streams if isinstance(stream, Unusable)]:
        raise ConfigError("\n".join(faults))


def _capture(
    path: Path,
    arguments: str,
    config_dir: Path,
    *,
    save: bool,
    data_dir: Path | None,
    interval: float | None,
    verbose: bool,
) -> None:
    import resource

    import msgspec

    from sfm_stream.capture import recorder
    from sfm_stream.owner import become_owner, refuse_root
    from sfm_stream.settings.config import credential_of, read_environment, read_stream
    from sfm_stream.settings.environment import environment_path, take_up

    # A core dump would hold the credential, in a file that other people may be allowed to read.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def settings() -> StreamSettings:
        """The settings as they are now, under the options of this command line; called again at SIGHUP."""
        stream = read_stream(path)
        return msgspec.structs.replace(
            stream,
            data_dir=str(data_dir) if data_dir else stream.data_dir,
            save_interval=interval or stream.save_interval,
        )

    unknown: list[Fault] = []
    stream = read_stream(path, unknown=unknown)
    if unknown:
        said = "; ".join(f"{each.where}: {each.problem}" for each in unknown)
        click.echo(
            f"sfm-stream: warning: settings of another release, used without what is unknown here: {said}", err=True
        )
    credential = credential_of(config_dir, stream)
    take_up(read_environment(environment_path(config_dir)))
    if save:
        refuse_root(f"{arguments} --save", Path(data_dir or stream.data_dir), Path(stream.state_dir))
    else:
        become_owner(Path(stream.state_dir))  # the budget's counters are kept there
    recorder.run(settings, credential, settings_path=path, save=save, verbose=verbose)
