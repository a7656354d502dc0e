"""Addresses of brokers, and the hook this driver leans on inside paho."""

from __future__ import annotations

import ssl
from pathlib import Path

import paho.mqtt.client
import pytest

from triage.drivers.mqtt.options import broker_options
from triage.drivers.mqtt.pipe import Machine
from triage.errors import InputError


def test_an_address_with_everything_in_it() -> None:
    options = broker_options("mqtt://us%40er:p%3Aw@broker.example:1999", client_id="d")
    assert (options.host, options.port, options.username, options.password) == ("broker.example", 1999, "us@er", "p:w")
    assert options.tls is None
    assert "p:w" not in repr(options)


def test_defaults_and_arguments_win() -> None:
    options = broker_options("mqtts://broker.example", client_id="d", username="u%20", password="s")
    assert (options.port, options.username, options.password) == (8883, "u%20", "s")
    assert isinstance(options.tls, ssl.SSLContext)
    assert options.tls.verify_mode is ssl.CERT_REQUIRED
    assert broker_options("mqtt://[::1]", client_id="d").host == "::1"


@pytest.mark.parametrize(
    "url", ["", "broker", "http://broker", "mqtt://", "mqtt://broker:0x1", "mqtt://broker:99999", "mqtt://broker/path"]
)
def test_a_wrong_address_is_refused_with_its_remedy(url: str) -> None:
    with pytest.raises(InputError, match=r"mqtt\.url"):
        broker_options(url, client_id="d")


@pytest.mark.parametrize("client_id", ["", "x" * 129, "a\nb"])
def test_a_wrong_client_id_is_refused(client_id: str) -> None:
    with pytest.raises(InputError, match="client id"):
        broker_options("mqtt://broker", client_id=client_id)


def test_a_missing_tls_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TLS"):
        broker_options("mqtts://broker", client_id="d", ca_file=str(tmp_path / "none.pem"))


def test_paho_still_makes_its_socket_where_we_give_it_the_pipe() -> None:
    assert callable(paho.mqtt.client.Client.__dict__["_create_socket"])
    assert "_create_socket" in Machine.__dict__
    assert "self._sock = self._create_socket()" in Path(paho.mqtt.client.__file__).read_text(encoding="utf-8")
