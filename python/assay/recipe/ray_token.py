"""Ray's token, shown to a cluster that asks for one."""

from __future__ import annotations

import os
from pathlib import Path

_MODE = "RAY_AUTH_MODE"


def show_token() -> None:
    """Has Ray's client show the token of this user, if there is one and ``RAY_AUTH_MODE`` says nothing else.

    A head node asks for tokens by itself as soon as its user has one; the client at ``ray://`` shows none by itself, and then
    only times out. Ray reads the variable when it is imported, so this comes first.
    """
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if _MODE not in os.environ and (given or (Path.home() / ".ray" / "auth_token").is_file()):
        os.environ[_MODE] = "token"
