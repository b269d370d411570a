"""A capture that reaches X through a proxy with a login, and trusts an authority of its site's own."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.program import Program
from tests.support.proxy import Proxy, authority, relay, serving
from tests.support.simulator import Simulator
from tests.support.waiting import until

NAME = "api.x.test"
"""A name that nothing can resolve: a request that gets there was led by the proxy."""
PASSWORD = "s3cret-of-the-proxy"


class Site:
    """A host behind the proxy, with a simulated X beyond it that speaks TLS."""

    def __init__(self, folder: Path, proxy: Proxy, address: tuple[str, int], authority_file: Path) -> None:
        self.proxy, self.authority = proxy, authority_file
        self.address = f"{address[0]}:{address[1]}"
        self.program = Program(folder / "host", f"https://{NAME}")

    def write_environment(self, **values: str) -> None:
        """As the deployment does."""
        path = self.program.folder / "environment.json"
        path.write_text(json.dumps(values))
        path.chmod(0o640)

    def login(self, password: str = PASSWORD) -> str:
        """The proxy's address with a login."""
        return f"http://sfm:{password}@{self.address}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority_file, context = authority(tmp_path / "authority", NAME)
    with Simulator(tmp_path, "--rate", "50") as x:
        parts = urlsplit(x.url)
        with serving(functools.partial(relay, server=(parts.hostname, parts.port)), context) as tls:
            proxy = Proxy(f"sfm:{PASSWORD}", tls)
            with serving(proxy) as address:
                made = Site(tmp_path, proxy, address, authority_file)
                yield made
                if made.program.process is not None and made.program.process.poll() is None:
                    made.program.kill()


def test_posts_come_through_a_proxy_that_asks_for_a_login(site: Site) -> None:
    """Rules, stream and the end of it; the login stays in its file and in the memory of the program."""
    site.write_environment(HTTPS_PROXY=site.login(), REQUESTS_CA_BUNDLE=str(site.authority))
    site.program.start()
    until(lambda: (site.program.status().get("posts_today") or 0) > 5)
    assert site.program.process is not None
    process = Path(f"/proc/{site.program.process.pid}")
    assert PASSWORD not in (process / "environ").read_text() + (process / "cmdline").read_text()
    assert site.program.stop() == 0
    assert len(site.program.ids()) > 5
    assert {*site.proxy.asked} == {f"{NAME}:443"}
    assert site.proxy.refused == 0
    kept = [path for path in site.program.folder.rglob("*") if path.is_file() and path.name != "environment.json"]
    assert [path for path in kept if PASSWORD.encode() in path.read_bytes()] == []


def test_a_wrong_login_is_named_as_what_it_is_and_not_shown(site: Site) -> None:
    """It is tried again and again, as a network that is down: the proxy may be at fault."""
    site.write_environment(HTTPS_PROXY=site.login("wr0ng-password"), REQUESTS_CA_BUNDLE=str(site.authority))
    site.program.start()
    until(lambda: site.proxy.refused > 0 and "407" in site.program.said())
    site.program.stop()
    assert "407 Proxy Authentication Required" in site.program.said()
    assert "wr0ng-password" not in site.program.said()


def test_what_the_system_trusts_is_trusted(site: Site) -> None:
    """Where the site names no certificates itself; OpenSSL's own variable stands for another store of the system."""
    site.write_environment(HTTPS_PROXY=site.login())
    site.program.start(environment={"SSL_CERT_FILE": str(site.authority), "REQUESTS_CA_BUNDLE": ""})
    until(lambda: (site.program.status().get("posts_today") or 0) > 0)
    assert site.program.stop() == 0


def test_a_stranger_on_the_way_is_not_trusted(site: Site) -> None:
    """Its authority is unknown to the system: no secret is sent."""
    site.write_environment(HTTPS_PROXY=site.login())
    site.program.start()
    until(lambda: "certificate" in site.program.said().lower())
    site.program.stop()
    assert not any(entry for entry in site.program.journal("connect"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"HTTPS_PORXY": "http://a:1"}, "HTTPS_PORXY'; did you mean 'HTTPS_PROXY'?"),
        ({"HTTPS_PROXY": "proxy.example.org"}, "HTTPS_PROXY: found no address of a proxy; http://HOST:PORT or"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE: /nowhere.pem is not there, or may not be read; put"),
    ],
)
def test_an_environment_that_cannot_hold_ends_the_program_with_words(
    site: Site, values: dict[str, str], words: str
) -> None:
    """It would not get better by itself."""
    site.write_environment(**values, NO_PROXY="example.org")
    site.program.start()
    assert site.program.wait() == 64
    assert words in site.program.said()


def test_what_is_on_the_host_itself_is_reached_without_the_proxy(tmp_path: Path, site: Site) -> None:
    """The simulator of a trial, though there is a proxy."""
    with Simulator(tmp_path, "--rate", "50") as x:
        site.program.write_settings(api_url=x.url)
        site.write_environment(HTTP_PROXY=site.login(), NO_PROXY="example.org")
        site.program.start()
        until(lambda: (site.program.status().get("posts_today") or 0) > 0)
        assert site.program.stop() == 0
    assert site.proxy.asked == []
    assert site.proxy.refused == 0
