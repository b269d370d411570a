"""`sfm-stream filterstream` and `sfm-stream streamsample`: the programs that capture, as supervisor starts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.errors import ConfigError
from sfm_stream.places import config_dir_option
from sfm_stream.table import duration, render
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.settings.faults import Fault
    from sfm_stream.settings.model import StreamSettings


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


@click.command(
    epilog=examples(
        "sfm-stream filterstream storms --config-dir my-settings | jq .data.text",
        "sudo -u sfm sfm-stream filterstream storms --save",
        "sfm-stream filterstream --list",
    )
)
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


@click.command(
    epilog=examples(
        "sfm-stream streamsample --config-dir my-settings | jq .data.text",
        "sudo -u sfm sfm-stream streamsample --save",
    )
)
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

    from sfm_stream.capture.run import run
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
    run(settings, credential, settings_path=path, save=save, verbose=verbose)
