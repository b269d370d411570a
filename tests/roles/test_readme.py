"""What the README says works as it is typed there."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.roles.streams_host import BIN, ROOT, TOKEN

README = (ROOT / "README.md").read_text()
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def blocks(language: str = "") -> list[str]:
    """The fenced blocks of a language; those without one are what is typed."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for each, text in found if each == language]


def typed(beginning: str) -> list[str]:
    """The lines to type that begin so, without the remarks behind them."""
    lines = [line for block in blocks() for line in block.splitlines() if line.startswith(beginning)]
    return [re.sub(r"\s{2,}#.*", "", line) for line in lines]


def at_a_terminal(command: list[str], *answers: tuple[str, str]) -> str:
    """What a command says to a person who answers its questions."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(command[0], command, ENVIRONMENT)
    said = ""
    waiting = list(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            said += os.read(terminal, 4096).decode() if ready else ""
        except OSError:
            break
        if waiting and waiting[0][0] in said:
            said = said.partition(waiting[0][0])[2]
            time.sleep(0.2)  # the question is asked before the echo is off, and what came before would be thrown away
            os.write(terminal, waiting.pop(0)[1].encode() + b"\n")
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0, said
    assert waiting == []
    return said.replace("\r\n", "\n")


def test_a_token_that_is_encrypted_as_it_says_is_the_token(tmp_path: Path) -> None:
    """Pasted at the prompt, put into the inventory with the lines beside it, and deployed with the password."""
    (command,) = typed("ansible-vault")
    said = at_a_terminal(
        command.split(),
        ("New Vault password", "open sesame"),
        ("Confirm New Vault password", "open sesame"),
        ("name", "vault_library_token"),
        ("String to encrypt", TOKEN),
    )
    assert TOKEN not in said
    encrypted = re.search(r"^vault_library_token: !vault \|\n(?: +\S+\n)+", said, re.MULTILINE)
    assert encrypted is not None, said
    (beside,) = [block for block in blocks("yaml") if "vault_library_token" in block]
    stream = "sfm_streamsample: {credential: library}\n"
    variables = "".join(f"    {line}\n" for line in (encrypted[0] + beside + stream).splitlines())
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(f"all:\n  hosts:\n    first:\n  vars:\n{variables}")
    (tmp_path / "password").write_text("open sesame\n")
    password = ["--vault-password-file", tmp_path / "password"]
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", inventory, "playbooks/preflight.yml", *password],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 host, 1 stream, 1 of them active" in done.stdout


def test_the_free_start_passes_the_examination_as_it_is_typed(tmp_path: Path) -> None:
    """An inventory of its own: one host, one stream, no account, and nothing to warn of."""
    (text,) = [block for block in blocks("yaml") if "source: bluesky" in block]
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(text)
    command = [BIN / "ansible-playbook", "-i", inventory, "playbooks/preflight.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 host, 1 stream, 1 of them active" in done.stdout
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_capture_files_are_read_as_it_says(tmp_path: Path) -> None:
    """By our own commands, jq and twarc2, in a home where none was ever used."""
    tags = {"hashtags": [{"start": 5, "end": 10, "tag": "vote"}]}
    data = {"id": "2125734974282797056", "created_at": "2026-11-05T23:34:46.772Z", "author_id": "12", "lang": "en"}
    data |= {"text": 'a "b" #vote', "entities": tags}
    post = {"data": data, "includes": {"users": [{"id": "12", "username": "x", "name": "X"}]}, "matching_rules": []}
    file = "twitterfilter-elections-2026-11-05T23-30-00Z.jsonl.gz"
    (tmp_path / file).write_bytes(gzip.compress(json.dumps(post).encode() + b"\n"))
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "BEARER_TOKEN"}
    shown = [
        subprocess.run(
            ["bash", "-ec", f"set -o pipefail; {line.replace('elections', file, 1)}"],
            cwd=tmp_path,
            env={**environment, "HOME": str(tmp_path / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in (*typed("sfm-stream read elections"), *typed("sfm-stream export elections"))
        if "--follow" not in line
    ]
    assert len(shown) == 4
    assert shown[0].split("\t") == ["2026-11-05T23:34:46.772Z", 'a "b" #vote\n']
    assert json.loads((tmp_path / "fortnight.jsonl").read_text()) == post
    assert json.loads((tmp_path / "flat.jsonl").read_text())["author"]["username"] == "x"
    assert ',"a ""b"" #vote",' in (tmp_path / "fortnight.csv").read_text()
