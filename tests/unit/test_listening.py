"""The address that the server listens on: what is taken, what is refused, and in which words."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.demo import demo
from app.cli.listening import check_free, url_of
from app.cli.serve import Server, serve
from app.config import Settings
from app.domain.errors import ConfigurationError
from tests.server.conftest import free_port

_HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").is_file() and Path("/proc/net/if_inet6").read_text() != ""


@pytest.mark.parametrize(
    ("host", "bind", "url"),
    [
        ("127.0.0.1", "127.0.0.1:8123", "http://localhost:8123"),
        ("localhost", "127.0.0.1:8123", "http://localhost:8123"),
        ("0.0.0.0", "0.0.0.0:8123", "http://localhost:8123"),
        ("127.0.0.2", "127.0.0.2:8123", "http://127.0.0.2:8123"),
        ("::1", "[::1]:8123", "http://[::1]:8123"),
        ("[::1]", "[::1]:8123", "http://[::1]:8123"),
        ("::", "[::]:8123", "http://localhost:8123"),
    ],
)
def test_a_host_is_listened_on_and_named(host: str, bind: str, url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, host=host, port=8123)
    assert Server(settings, "", None).cfg.bind == [bind]
    assert url_of(settings) == url


@pytest.mark.skipif(not _HAS_IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::", "[::1]"])
def test_ipv6_addresses_can_be_listened_on(host: str, tmp_path: Path) -> None:
    check_free(Settings(home=tmp_path, host=host, port=free_port()))


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("nowhere.invalid", "LOOKALIKE_HOST (or --host) is 'nowhere.invalid', which is no address or name"),
        ("1.2.3.4.5", "LOOKALIKE_HOST (or --host) is '1.2.3.4.5', which is no address or name"),
        ("http://127.0.0.1", "LOOKALIKE_HOST (or --host) is 'http://127.0.0.1', which is no address or name"),
        ("a" * 300, "which is no address or name"),
        ("192.0.2.1", "cannot listen on '192.0.2.1' (Cannot assign requested address): LOOKALIKE_HOST"),
    ],
)
def test_a_host_that_is_not_of_this_machine_is_said(host: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_free(Settings(home=tmp_path, host=host, port=free_port()))
    assert said in str(caught.value)


@pytest.mark.parametrize("command", [serve, demo], ids=["serve", "demo"])
def test_a_port_that_is_taken_is_said_before_any_work(command: object, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = CliRunner(env={"LOOKALIKE_HOME": str(home)}).invoke(command, ["--port", str(port)])  # type: ignore[arg-type]
    assert isinstance(done.exception, ConfigurationError)
    assert f"the port {port} is in use by another program" in str(done.exception)
    assert "PORT=" in str(done.exception)
    assert not home.exists()
