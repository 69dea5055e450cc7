"""For all tests."""

import signal

import pytest
from hypothesis import settings

# No test asserts a time: on a busy machine one example may take any.
settings.register_profile("assay", deadline=None)
settings.load_profile("assay")


def pytest_configure() -> None:
    """Makes Ctrl-C count, here and in every process that a test starts.

    A shell starts what it runs in the background with SIGINT ignored, and that is inherited; the tests of Ctrl-C would then
    wait for something that cannot happen.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take longest, so that no process is left alone with one of them at the end.

    Needs xdist's ``--no-loadscope-reorder``: of itself it begins with the files of the most tests.
    """
    slow = ("test_cluster.py", "test_tiny.py", "test_kill.py")
    items.sort(key=lambda item: slow.index(item.path.name) if item.path.name in slow else len(slow))
