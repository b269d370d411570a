"""Help texts, manual pages and completion: of every command, and as the command is now."""

from __future__ import annotations

import itertools
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sfm_stream.cli import cli
from sfm_stream.manual import files

TOP = Path(__file__).parents[2]
LINK = TOP / "roles" / "sfm_base" / "files" / "link-shared"


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, info_name=name, parent=context))


ALL = list(commands(cli, click.Context(cli, info_name="sfm-stream", **cli.context_settings)))


@pytest.mark.parametrize("context", ALL, ids=lambda context: context.command_path)
def test_each_command_has_examples_that_it_takes(context: click.Context) -> None:
    """A person copies the first line that looks right: each option in it must be one that there is."""
    shown = context.command.get_help(context).partition("Examples:")[2]
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines
    for line in lines:
        words = shlex.split(line)
        for begin in (index + 1 for index, word in enumerate(words) if word == "sfm-stream"):
            parse(cli, list(itertools.takewhile(lambda word: word not in ("|", ">"), words[begin:])))


def parse(command: click.Command, words: list[str]) -> None:
    """Fails where an option is unknown, or a command; files need not be there."""
    context = click.Context(command, **cli.context_settings)  # click keeps the help option that it made first
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        assert below is not None, words
        parse(below, words[1:])
    elif not isinstance(command, click.Group):
        command.make_parser(context).parse_args(words)


def test_manual_pages_and_completion_are_those_of_the_commands() -> None:
    """After a change of a help text: script/manual."""
    made = dict(files())
    assert {path: (TOP / "share" / path).read_text() for path in made if (TOP / "share" / path).exists()} == made
    assert {str(path.relative_to(TOP / "share")) for path in (TOP / "share").rglob("*") if path.is_file()} == set(made)
    assert {path for path in made if path.startswith("man/")} == {
        f"man/man1/{context.command_path.replace(' ', '-')}.1" for context in ALL
    }


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_manual_pages_are_sound() -> None:
    """groff, which man calls, has nothing to warn of."""
    for page in sorted((TOP / "share" / "man" / "man1").iterdir()):
        command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), page.name
        assert "EXAMPLES" in done.stdout


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    """By the script that a host gets, in a real bash."""
    (tmp_path / "sfm-stream").write_text(f'#!/bin/sh\nexec {sys.executable} -m sfm_stream "$@"\n')
    (tmp_path / "sfm-stream").chmod(0o755)
    script = f"""
        PATH={tmp_path}:$PATH; source {TOP}/share/bash-completion/completions/sfm-stream
        COMP_WORDS=(sfm-stream $1) COMP_CWORD=$2; _sfm_stream_completion sfm-stream; echo "${{COMPREPLY[@]}}"
    """

    def completed(words: str, at: int) -> list[str]:
        command = ["bash", "-c", script, "bash", words, str(at)]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=TOP).stdout.split()

    assert completed("rep", 1) == ["report"]
    assert completed("report --wi", 2) == ["--without"]
    assert completed("report --without l", 3) == ["links"]


class Linked:
    """A host's release and its /usr/local/share."""

    def __init__(self, top: Path) -> None:
        self.venv, self.share = top / "venv", top / "share"
        shutil.copytree(TOP / "share", self.venv / "releases" / "r1" / "share")
        (self.venv / "current").symlink_to("releases/r1")

    def run(self, mode: str = "") -> list[str]:
        with LINK.open() as script:
            command = ["sh", "-s", str(self.venv), str(self.share), mode]
            done = subprocess.run(command, stdin=script, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()


def test_a_host_links_what_the_release_brings_and_nothing_of_others(tmp_path: Path) -> None:
    """A dry run says the same and does nothing; a page that is no more goes; removal leaves others' files alone."""
    host = Linked(tmp_path)
    many = len(dict(files()))
    assert len(host.run("dry")) == many
    assert not host.share.exists()
    assert len(host.run()) == many
    assert host.run() == host.run("dry") == []
    assert (host.share / "man/man1/sfm-stream.1").read_text().startswith(".TH")

    (host.venv / "releases/r1/share/man/man1/sfm-stream-read.1").unlink()
    theirs = host.share / "man/man1/sfm-stream-check.1"
    theirs.unlink()
    theirs.write_text("somebody else's")
    assert host.run() == [str(host.share / "man/man1/sfm-stream-read.1")]
    host.run("remove")
    assert [path for path in host.share.rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_text() == "somebody else's"
