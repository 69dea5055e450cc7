"""`assay report --serve`: the page on a loopback port, where a reviewer's marks go straight into the run's folder."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInputError, UnavailableError
from assay.report.build import collect
from assay.report.page import page
from assay.report.reviews import add_reviews, checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.report.run import Run

_MOST_BYTES = 64 * 1024


class ReportServer:
    """Serves one page about runs until it is closed; reads the runs anew whenever the page is loaded.

    It listens on 127.0.0.1 alone, answers only requests that name it as their host, and takes marks only with the token
    of a page it made, so that no other site a browser has open can write into a run.

    Args:
        folders: run folders.
        port: 0 for a free one.

    Raises:
        InvalidInputError: no folder, or one that is no run.
        UnavailableError: the port is taken.
    """

    def __init__(self, folders: Sequence[Path | str], *, port: int = 0) -> None:
        """See the class."""
        collect(folders)  # what is wrong with the folders is said before anything is opened
        self._folders = list(folders)
        self._token = secrets.token_urlsafe(24)
        self._writing = threading.Lock()
        server = self

        class Handler(_Handler):
            owner = server

        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UnavailableError(
                f"port {port} cannot be opened: {error.strerror}; choose another --port, or 0"
            ) from error

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def run(self) -> None:
        """Serves until `close` is called from another thread, or Ctrl-C."""
        self._http.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Ends `run` and closes the port."""
        self._http.shutdown()
        self._http.server_close()

    def made(self) -> bytes:
        """The page as of now."""
        _, data = collect(self._folders)
        return page(data, token=self._token).encode("utf-8")

    def hosts(self) -> set[str]:
        """The names under which a request may ask for it."""
        port = self._http.server_address[1]
        return {f"127.0.0.1:{port}", f"localhost:{port}"}

    def allowed(self, token: str) -> bool:
        """Whether a request comes from a page made here."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def take(self, message: Any) -> None:
        """Writes one mark.

        Raises:
            InvalidInputError: the message is not `{"run": position, "review": row}`.
            UnavailableError: the run's file cannot be written.
        """
        runs: list[Run] = collect(self._folders)[0] if isinstance(message, dict) else []
        position = message.get("run") if isinstance(message, dict) else None  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position < len(runs):
            raise InvalidInputError("run is not the position of a run of this report")
        row = checked(message.get("review"))
        with self._writing:
            add_reviews(runs[position].folder, [row])


class _Handler(BaseHTTPRequestHandler):
    """GET / is the page, POST /reviews takes a mark; all else is refused."""

    owner: ReportServer
    server_version = "assay"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._from_here():
            return
        if self.path.partition("?")[0] != "/":
            self._answer(HTTPStatus.NOT_FOUND, b"there is only /")
            return
        try:
            self._answer(HTTPStatus.OK, self.owner.made(), "text/html; charset=utf-8")
        except (InvalidInputError, UnavailableError) as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error).encode())

    def do_POST(self) -> None:
        if not self._from_here():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/reviews" or not self.owner.allowed(self.headers.get("X-Review-Token", "")):
            self._answer(HTTPStatus.FORBIDDEN, b"marks come from the page of this report; load it again")
        elif not (length.isascii() and length.isdigit()) or int(length) > _MOST_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"a mark is a small JSON object")
        else:
            try:
                self.owner.take(json.loads(self.rfile.read(int(length))))
            except (InvalidInputError, ValueError) as error:
                self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())
            except UnavailableError as error:
                self._answer(HTTPStatus.INSUFFICIENT_STORAGE, str(error).encode())
            else:
                self._answer(HTTPStatus.OK, b"{}", "application/json")

    def _from_here(self) -> bool:
        """Refuses a request under another host name: a site whose name was made to point here."""
        if self.headers.get("Host", "") in self.owner.hosts():
            return True
        self._answer(HTTPStatus.FORBIDDEN, b"ask for 127.0.0.1")
        return False

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """A page that is read is no news."""
