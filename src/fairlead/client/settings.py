"""How patient a client is. None of these sends anything again."""

import secrets
import ssl
import time

import msgspec

from fairlead.client.signing import SigningKey, signed_headers

_NONCE_BYTES = 16


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`timeout_s`: how long the system may be silent in a call; a place is answered within 5 s as shipped.

    `connect_timeout_s`: how long connecting may take. `idle_s`: how long a connection is kept unused,
    less than the system's 75 s. `connections_max`: of an AsyncClient at a time; further calls wait.
    For a system that asks who calls: `api_key`, the secret of an API key (`fl_live_…`), which is sent;
    `signing_key`, with which every request is signed; or `certificate`, a file with private key and
    certificate in PEM, shown over https. `ca_file`: whom to trust over https, such as the system's `ca.pem`;
    None: whom the machine trusts.
    """

    timeout_s: float = 10.0
    connect_timeout_s: float = 3.0
    idle_s: float = 30.0
    connections_max: int = 100
    api_key: str | None = None
    signing_key: SigningKey | None = None
    ca_file: str | None = None
    certificate: str | None = None

    def __repr__(self) -> str:
        """Show everything but the key."""
        shown = ((name, getattr(self, name)) for name in self.__struct_fields__)
        words = (
            f"{name}={'***' if name == 'api_key' and value else value!r}" for name, value in shown
        )
        return f"Settings({', '.join(words)})"

    def headers(
        self, method: str, host: str, target: str, body: bytes | None = None
    ) -> dict[str, str]:
        """Return the headers of a request, to be sent now; `host` and `target` as they are sent.

        Raises ValueError if the signing key is not of a kind that signs.
        """
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self.api_key is not None:
            headers["X-CoinAPI-Key"] = self.api_key
        if self.signing_key is not None:
            headers |= signed_headers(
                self.signing_key,
                method,
                host,
                target,
                body or b"",
                timestamp_ms=time.time_ns() // 1_000_000,
                nonce=secrets.token_urlsafe(_NONCE_BYTES),
            )
        return headers

    def tls(self, *, is_secure: bool) -> ssl.SSLContext | None:
        """Return what is shown and trusted over https, None for http.

        Raises ValueError if files are named for http, or do not hold what they should; and OSError.
        """
        if not is_secure:
            if self.ca_file is not None or self.certificate is not None:
                raise ValueError(
                    "ca_file and certificate are for https://HOST:PORT, the url is http"
                )
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:
            raise ValueError(f"{self.ca_file} holds no certificate in PEM") from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate)
            except ssl.SSLError as error:
                text = f"{self.certificate} holds no certificate with its private key in PEM"
                raise ValueError(text) from error
        return context

    def at_most(self, timeout_s: float | None) -> float:
        """Return the shorter of our timeout and that of one step."""
        return self.timeout_s if timeout_s is None else min(self.timeout_s, timeout_s)
