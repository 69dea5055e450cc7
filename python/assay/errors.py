"""Everything assay raises.

A wrong, malformed or costly *answer* is never one of these: it is a score with a status. An exception means that the
caller or the machine has to change something, and its message says what.
"""

from __future__ import annotations


class AssayError(Exception):
    """Base of every error assay raises; raised itself only for a bug in assay."""


class InvalidSpecError(AssayError, ValueError):
    """A reward spec, recipe or option is not valid. The message names the field and the nearest valid name."""


class InvalidInputError(AssayError, ValueError):
    """An argument or a file is not of the documented shape, dtype or range."""


class LimitError(AssayError):
    """Something the caller sized (a batch, a message, a file) is over the documented limit."""


class DeadlineError(AssayError):
    """A call's deadline passed before the work was done."""


class UnavailableError(AssayError):
    """A server or a file system that the call needs cannot be reached."""


class SandboxError(AssayError):
    """The host cannot isolate programs as asked."""
