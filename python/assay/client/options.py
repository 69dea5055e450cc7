"""How a client reaches its servers: TLS, who it is, connections and balancing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assay.errors import InvalidInputError

TOKEN_VARIABLE = "ASSAY_TOKEN"  # noqa: S105 - the name of the variable


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Connection:
    """Options of `connect` that concern connections. Files are read when a client is made, in each process anew."""

    tls: bool = False
    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    server_name: str | None = None
    token: str | None = None
    token_file: str | os.PathLike[str] | None = None
    tenant: str | None = None
    channels: int = 2
    balance: Literal["round_robin", "least_outstanding"] = "round_robin"
    trace: bool = False

    def encoded(self) -> dict[str, bytes]:
        """As the extension module takes them.

        Raises:
            InvalidInputError: options that do not go together, a file that cannot be read, a value out of its range.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidInputError("certificate and key: give both, or none")
        if self.token is not None and self.token_file is not None:
            raise InvalidInputError("token and token_file: give one of them")
        if not 1 <= self.channels <= 64:
            raise InvalidInputError(f"channels: {self.channels} is not 1 to 64")
        if self.balance not in ("round_robin", "least_outstanding"):
            raise InvalidInputError(f"balance: {self.balance!r} is neither 'round_robin' nor 'least_outstanding'")
        files = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        options = {name: _read(name, path) for name, path in files.items() if path is not None}
        texts = {"server_name": self.server_name, "tenant": self.tenant, "token": self._token()}
        options |= {name: text.encode() for name, text in texts.items() if text is not None}
        if self.tls or self.server_name is not None or any(path is not None for path in files.values()):
            options["tls"] = b"1"
        if self.trace:
            options["trace"] = b"1"
        return options | {"channels": str(self.channels).encode(), "balance": self.balance.encode()}

    def _token(self) -> str | None:
        if self.token_file is not None:
            return _read("token_file", self.token_file).decode("utf-8", "replace").strip()
        return self.token if self.token is not None else os.environ.get(TOKEN_VARIABLE) or None


def _read(name: str, path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{name}: {os.fspath(path)}: {error.strerror}") from error
