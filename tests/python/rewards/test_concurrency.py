"""The GIL, threads and fork."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import assay

COUNT = 4000
COMPLETIONS = [f"<think>Let me see. {index} * 2</think> The answer is {2 * index}." for index in range(COUNT)]
REFERENCES = [str(2 * index) if index % 2 else "-1" for index in range(COUNT)]
EXPECTED = [float(index % 2) for index in range(COUNT)]
# One for the module, as a trainer has it: forked children inherit it after it has started its threads.
SCORER = assay.Scorer("accuracy")


def totals(_: object = None) -> list[float]:
    return SCORER.score(COMPLETIONS, REFERENCES).total.tolist()


def test_one_scorer_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert all(result == EXPECTED for result in pool.map(totals, range(24)))


def test_verify_from_many_threads() -> None:
    def verify(index: int) -> bool:
        return bool(assay.verify(str(index), f"${index}.0$"))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(verify, range(2000)))


def test_the_gil_is_released() -> None:
    """While one thread scores, this one keeps running Python: its counter moves between the start and the end."""
    lengths = np.random.default_rng(0).integers(1, 4000, 400_000)
    running, finished = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        assay.pack(lengths, 1 << 20)
        finished.set()

    thread = threading.Thread(target=work)
    thread.start()
    running.wait()
    turns = 0
    while not finished.is_set():
        turns += 1
        time.sleep(0)
    thread.join()
    assert turns > 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_fork() -> None:
    """A child of a process with a running pool has none of its threads, and must start its own."""
    assert totals() == EXPECTED
    with get_context("fork").Pool(2) as pool:
        assert pool.map(totals, range(4)) == [EXPECTED] * 4
    assert totals() == EXPECTED


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_while_scoring() -> None:
    """Whatever another thread holds at the moment of the fork, the child does not wait for it."""
    stop = threading.Event()

    def keep_scoring() -> None:
        while not stop.is_set():
            totals()

    threads = [threading.Thread(target=keep_scoring) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if totals() == EXPECTED else 1)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_spawned_processes_get_the_scorer_by_pickle() -> None:
    with get_context("spawn").Pool(1) as pool:
        scores = pool.apply(SCORER.score, (COMPLETIONS[:50], REFERENCES[:50]))
    assert scores.total.tolist() == EXPECTED[:50]
