"""How to reach a broker, parsed and checked once."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from triage.errors import InputError, InputFault

KEEPALIVE_S = 10.0
# We ping after one silence and give up after the second; the margin pays for the ticks in between.
_SILENCE_SHARE = 0.8
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_CLIENT_ID_LIMIT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOptions:
    """Address, identity and limits of the connection to a broker.

    ``keepalive_s`` is the promise: a broker that stopped answering is noticed within twice that time.
    """

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    keepalive_s: float = KEEPALIVE_S

    @property
    def address(self) -> str:
        """Host and port, for messages; never a secret."""
        return f"{self.host}:{self.port}"

    @property
    def silence_s(self) -> int:
        """The keepalive that the broker is told: it hears from us that often, and drops us after 1.5 times that."""
        return max(1, int(self.keepalive_s * _SILENCE_SHARE))


def _fault(problem: str, remedy: str) -> InputError:
    return InputError([InputFault("config", None, "mqtt.url", problem, remedy)])


def _tls(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except (OSError, ValueError) as error:
        raise _fault(f"the TLS files cannot be used: {error}", "check mqtt.ca_file, cert_file and key_file") from error
    return context


def broker_options(  # noqa: PLR0913 -- one argument a setting
    url: str,
    *,
    client_id: str,
    username: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    keepalive_s: float = KEEPALIVE_S,
) -> BrokerOptions:
    """Read ``mqtt://[user:password@]host[:port]`` or ``mqtts://…``; explicit arguments win over the URL's.

    Raises:
        InputError: the URL, the client id or a TLS file cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"}:
        raise _fault("this is no broker's address", "write mqtt://host:1883 or mqtts://host:8883")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise _fault("the port is no port", "write a number from 1 to 65535") from error
    if not client_id or len(client_id) > _CLIENT_ID_LIMIT or not client_id.isprintable():
        raise _fault("the client id is empty, too long or unprintable", "name this daemon, in at most 128 characters")
    user = username if username is not None else parts.username
    secret = password if password is not None else parts.password
    return BrokerOptions(
        host=parts.hostname,
        port=port,
        client_id=client_id,
        username=None if user is None else (user if username is not None else unquote(user)),
        password=None if secret is None else (secret if password is not None else unquote(secret)),
        tls=_tls(ca_file, cert_file, key_file) if parts.scheme == "mqtts" else None,
        keepalive_s=keepalive_s,
    )
