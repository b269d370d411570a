"""The edits of supervisord.conf, as text."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

SOURCE = Path(__file__).parents[2] / "roles/sfm_supervisor/module_utils/sfm_supervisord_conf_text.py"
PATTERN = "/etc/sfm/supervisor.d/*.conf"
SOCKET = {"chmod": "0770", "chown": "root:sfm"}
HERE = "/etc/supervisor"

DEBIAN = """\
; supervisor config file

[unix_http_server]
file=/var/run/supervisor.sock   ; (the path to the socket file)
chmod=0700                       ; sockef file mode (default 0700)

[supervisord]
logfile=/var/log/supervisor/supervisord.log ; (main log file;default $CWD/supervisord.log)
pidfile=/var/run/supervisord.pid ; (supervisord pidfile;default supervisord.pid)

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix:///var/run/supervisor.sock ; use a unix:// URL  for a unix socket

[include]
files = /etc/supervisor/conf.d/*.conf
"""


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sfm_supervisord_conf_text", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


conf = _load()


def edit(text: str) -> str:
    return str(conf.edit(text, pattern=PATTERN, socket=SOCKET, here=HERE))


def content(text: str) -> dict[str, dict[str, str]]:
    parser = conf.parse(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def files(text: str) -> list[str]:
    return content(text)["include"]["files"].split()


def test_debians_own_file_gets_four_lines_and_keeps_the_rest() -> None:
    """What is added says who added it, and the line that no longer counts stays as a comment."""
    old, new = DEBIAN.splitlines(), edit(DEBIAN).splitlines()
    assert [line for line in new if line not in old] == [
        ";before sfm-stream: chmod=0700                       ; sockef file mode (default 0700)",
        "chmod=0770  ; added by sfm-stream",
        "chown=root:sfm  ; added by sfm-stream",
        "    /etc/sfm/supervisor.d/*.conf  ; added by sfm-stream",
    ]
    assert [line for line in old if line not in new] == [old[4]]
    assert files(edit(DEBIAN)) == ["/etc/supervisor/conf.d/*.conf", PATTERN]


@pytest.mark.parametrize(
    "include",
    [
        "files = /etc/supervisor/conf.d/*.conf",
        "files=/etc/supervisor/conf.d/*.conf /srv/*.ini",
        "Files :   /etc/supervisor/conf.d/*.conf   ; ours, mostly",
        "files =\n  /etc/supervisor/conf.d/*.conf ; one\n\n  /srv/*.ini\n; a comment",
        "files = ; nothing yet",
        "  files = a.conf\n\t\t\tb.conf",
        'files = "/etc/supervisor/conf.d/*.conf"',
        "files = a.conf\nfiles = b.conf",
        "; files = /etc/sfm/supervisor.d/*.conf",
        "",
    ],
)
def test_every_way_to_write_an_include_list_is_extended(include: str) -> None:
    """The patterns that were there stay, in order; ours comes last."""
    text = DEBIAN.replace("files = /etc/supervisor/conf.d/*.conf", include)
    before = content(text).get("include", {}).get("files", "").split()
    assert files(edit(text)) == [*before, PATTERN]
    assert conf.undo(edit(text)) == text


@pytest.mark.parametrize("spelling", [PATTERN, "../sfm/supervisor.d/*.conf", "%(here)s/../sfm/supervisor.d/*.conf"])
def test_a_pattern_that_is_there_already_is_not_added_and_not_removed(spelling: str) -> None:
    """Its author owns it, in whatever spelling."""
    text = DEBIAN + f"    {spelling}\n"
    assert files(edit(text)) == files(text)
    assert files(conf.undo(edit(text))) == files(text)


@pytest.mark.parametrize("section", ["unix_http_server", "rpcinterface:supervisor", "supervisorctl", "include"])
def test_a_missing_section_is_added_at_the_end(section: str) -> None:
    """The client cannot do without them; a section that is only a comment is missing."""
    head, tail = DEBIAN.split(f"[{section}]")
    body, *rest = tail.split("\n[", 1)
    commented = "".join(f";{line}\n" for line in f"[{section}]{body}".splitlines())
    text = head + commented + "".join(f"\n[{each}" for each in rest)
    assert section not in content(text)
    assert content(edit(text))[section].keys() >= content(DEBIAN)[section].keys()
    assert conf.undo(edit(text)) == text


def test_a_socket_of_the_operators_own_path_is_told_to_supervisorctl() -> None:
    """An added [supervisorctl] section leads to the socket that there is."""
    text = "[supervisord]\n[unix_http_server]\nfile = /run/own.sock\n"
    assert content(edit(text))["supervisorctl"]["serverurl"] == "unix:///run/own.sock"


@pytest.mark.parametrize("chmod", ["0770", "770", "00770"])
def test_a_socket_that_is_right_already_is_left_as_it_is(chmod: str) -> None:
    """An octal number has many spellings; none is worth an edit."""
    text = DEBIAN.replace("chmod=0700", f"chmod={chmod}\nchown = root:sfm ")
    assert content(edit(text))["unix_http_server"] == content(text)["unix_http_server"]
    assert conf.WAS not in edit(text)


def test_no_settings_for_the_socket_leave_it_to_the_operator() -> None:
    """An empty mapping touches nothing but the include list."""
    text = str(conf.edit(DEBIAN, pattern=PATTERN, socket={}, here=HERE))
    assert content(text)["unix_http_server"] == content(DEBIAN)["unix_http_server"]


def test_a_changed_pattern_replaces_our_earlier_one() -> None:
    """Another configuration directory leaves no line behind for the old one."""
    earlier = conf.edit(DEBIAN, pattern="/srv/sfm/supervisor.d/*.conf", socket=SOCKET, here=HERE)
    assert edit(earlier) == edit(DEBIAN)


def test_edits_of_others_in_between_survive_the_undoing() -> None:
    """What an operator adds around our lines is theirs."""
    edited = edit(DEBIAN).replace("[supervisord]", "[supervisord]\nminfds=4096")
    edited += "    /srv/mine/*.conf\n"
    expected = DEBIAN.replace("[supervisord]", "[supervisord]\nminfds=4096") + "    /srv/mine/*.conf\n"
    assert conf.undo(edited) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_stay_what_they_are(end: str, last: bool) -> None:
    """CRLF stays CRLF, and a last line without an end gets none."""
    text = DEBIAN.replace("\n", end) if last else DEBIAN.rstrip("\n").replace("\n", end)
    new = edit(text)
    assert new.replace(end, "").isprintable()
    assert new.endswith(end) == last
    assert conf.undo(new) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no \[supervisord\] section"),
        ("[include]\nfiles=a\n", r"no \[supervisord\] section"),
        ("nonsense\n[supervisord]\n", "no section headers"),
        ("[supervisord]\nnonsense\n", "parsing errors"),
    ],
)
def test_a_file_that_supervisor_cannot_read_is_refused(text: str, message: str) -> None:
    """We do not edit what is broken already; the message says where it breaks."""
    with pytest.raises(ValueError, match=message):
        edit(text)


INDENTS = st.sampled_from(["", " ", "    ", "\t"])
ENDS = st.sampled_from(["\n", "\n", "\r\n"])
TEXTS = st.sampled_from(
    [
        "",
        " ",
        "; a comment",
        "# another",
        ";[include]",
        "[supervisord]",
        "[supervisord] ; main",
        "[unix_http_server]",
        "[include]",
        "[include] # theirs",
        "[program:other]",
        "[supervisorctl]",
        "[rpcinterface:supervisor]",
        "file=/run/s.sock",
        "chmod=0700 ; tight",
        "CHMOD: 0777",
        "chmod =",
        "chown=root:root",
        "chown=root:sfm",
        "files = /etc/supervisor/conf.d/*.conf",
        "files=a.conf b.conf;c # d",
        "files =",
        f"files = {PATTERN}",
        "more.conf",
        "command = /bin/cat",
        "environment=A=\"1\",B='x;y'",
        "key : value=1",
    ]
)
LINES = st.builds(lambda indent, text, end: indent + text + end, INDENTS, TEXTS, ENDS)
FILES = st.builds(
    lambda before, after, last: "".join(before) + "[supervisord]\n" + "".join(after) + last,
    st.lists(LINES, max_size=6),
    st.lists(LINES, max_size=14),
    st.sampled_from(["", "; end", "nodaemon=false", "   "]),
)


@given(FILES)
@example("[supervisord]\n[unix_http_server]\n    [include]\n")
@example("[supervisord]\n[unix_http_server]\n    file=a\n  chown=b\n")
@example("[supervisord]\n  [include]\n\tfiles=a\n\n[unix_http_server]\r\n; only a comment")
def test_any_file_that_supervisor_reads_is_edited_and_given_back(text: str) -> None:
    """Our settings count, all others are as before, a second edit changes nothing, undoing gives all back."""
    try:
        before = content(text)
    except ValueError:
        assume(False)
    assume("supervisord" in before)
    new = edit(text)
    after = content(new)

    assert conf.includes(conf.parse(new), PATTERN, HERE)
    assert int(after["unix_http_server"]["chmod"], 8) == 0o770
    assert after["unix_http_server"]["chown"] == "root:sfm"
    old_files = before.get("include", {}).get("files", "").split()
    assert after["include"]["files"].split() in (old_files, [*old_files, PATTERN])
    for section, options in before.items():
        managed = {"include": {"files"}, "unix_http_server": {"chmod", "chown"}}.get(section, set())
        assert {k: v for k, v in after[section].items() if k not in managed} == {
            k: v for k, v in options.items() if k not in managed
        }
    assert edit(new) == new
    assert conf.undo(new) == text


@given(FILES)
def test_the_outline_finds_what_configparser_finds(text: str) -> None:
    """Each option of configparser's stands where the outline says, with all of its lines."""
    try:
        parser = conf.parse(text)
    except ValueError:
        assume(False)
    found = conf.outline(conf._split(text))
    assert {each.name for each in found.sections} == set(parser.sections())
    assert {(each.section, each.name) for each in found.options} == {
        (section, option) for section in parser.sections() for option in parser.options(section)
    }
