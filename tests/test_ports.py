"""A port that is kept is nobody's but who was told of it; a server that comes back finds it as it was."""

import socket
from pathlib import Path

import pytest

from tests.ports import LOOPBACK, keep, port_of
from tests.system import Exchange, running, write_config


def test_a_kept_port_is_given_to_nobody_but_a_server_that_is_told_of_it() -> None:
    with keep() as kept:
        port = kept.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port))
        assert not is_free(port)
        with socket.create_server((LOOPBACK, port)) as server:
            kept.close()
            socket.create_connection(server.getsockname()).close()


def test_the_ports_of_an_exchange_that_was_killed_are_kept_until_it_is_back(tmp_path: Path) -> None:
    config = write_config(tmp_path / "fairlead.toml", {}, [])
    exchange = Exchange(tmp_path / "exchange", config)
    with running(exchange):
        ports = [port_of(exchange.ready().url), port_of(exchange.endpoint["operator_url"])]
        exchange.kill()
        for port in ports:
            assert not is_free(port)
        again = Exchange(tmp_path / "exchange", config, after=exchange)
        with running(again):
            assert [port_of(again.ready().url), port_of(again.endpoint["operator_url"])] == ports
    for port in ports:
        assert is_free(port)


def is_free(port: int) -> bool:
    """Whether somebody gets a port who takes it."""
    with socket.socket() as other:
        try:
            other.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
