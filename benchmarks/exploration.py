"""What exploring costs: runs each second, a pool's gain, a switch between tasks, and whether many runs take memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pika

import fakeamqp
from benchmarks.timing import Figure, at_least, at_most, interleaved, seconds_each, shown

MESSAGES = 5
"""How many each of the two producers publishes."""
RUNS = 200
POOL_ROUNDS = 3
LEAST_GAIN = 1.7
SWITCHES = 20_000
SWITCH_S = 50e-6
FEW_RUNS, MANY_RUNS = 200, 1_000
MOST_GROWTH_BYTES = 100_000
FAULTS = fakeamqp.Faults(crash=1)


def produce(name: str) -> None:
    """Publish, again from the first message after a failure."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        for number in range(MESSAGES):
            channel.basic_publish("", "work", f"{name} {number}".encode())


def work(done: list[bytes]) -> None:
    """Consume until nothing has come for a while."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.queue_declare("work", durable=True)
        for method, _, body in channel.consume("work", inactivity_timeout=10):
            if method is None:
                break
            done.append(body)
            channel.basic_ack(method.delivery_tag)


def scenario(broker: fakeamqp.Broker) -> list[bytes]:
    """Two producers, one worker, ten messages."""
    with pika.BlockingConnection() as connection:
        connection.channel().queue_declare("work", durable=True)
    done: list[bytes] = []
    for name in ("one", "two"):
        broker.spawn(produce, name, name=f"producer {name}", restart=True)
    broker.spawn(work, done, name="worker", restart=True)
    return done


def run_each(runs: int, executor: ProcessPoolExecutor | None = None) -> float:
    """Real seconds for each run of an exploration."""
    found = seconds_each(runs, lambda: _explored(runs, executor), time.perf_counter)
    assert found
    return found


def _explored(runs: int, executor: ProcessPoolExecutor | None) -> None:
    fakeamqp.explore(scenario, runs=runs, faults=FAULTS, executor=executor, progress=False)


def switch() -> float:
    """Seconds for a switch from one sleeping task to another: who is next, a jump of time, a greenlet."""

    def sleep() -> None:
        for _ in range(SWITCHES // 2):
            time.sleep(1)

    with fakeamqp.Broker(trace_limit=0, max_steps=10 * SWITCHES) as broker:
        for name in ("one", "two"):
            broker.spawn(sleep, name=name)
        return seconds_each(SWITCHES, broker.run)


def bytes_after(runs: int) -> int:
    """What Python still holds when an exploration is over, by tracemalloc, over what it held after a short one."""
    _explored(50, None)
    gc.collect()
    tracemalloc.start()
    _explored(runs, None)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken


def figures() -> Iterator[Figure]:
    """Speed alone and in pools, switches, memory."""
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        for pool in (one, two):
            run_each(20, pool)  # so that the processes are there
        here_s, one_s, two_s = interleaved(
            POOL_ROUNDS, lambda: run_each(RUNS), lambda: run_each(RUNS, one), lambda: run_each(RUNS, two)
        )
    rate = f"{1 / here_s:.0f} runs/s"
    yield at_least(1, "explore: two producers, one worker, 10 messages", rate, "100 runs/s", 1 / here_s / 100)
    compared_with = f"a pool of one, {1 / one_s:.0f} runs/s"
    yield at_least(LEAST_GAIN, "explore: a pool of two", f"{1 / two_s:.0f} runs/s", compared_with, one_s / two_s)
    (switch_s,) = interleaved(POOL_ROUNDS, switch)
    yield at_most(1, "explore: a switch between tasks", shown(switch_s), shown(SWITCH_S), switch_s / SWITCH_S)
    few, many = bytes_after(FEW_RUNS), bytes_after(MANY_RUNS)
    name, measured = f"explore: memory after {MANY_RUNS:,} runs", f"{many / 1e3:,.0f} kB"
    compared_with = f"after {FEW_RUNS:,}, {few / 1e3:,.0f} kB, and 100 kB"
    yield at_most(1, name, measured, compared_with, many / (few + MOST_GROWTH_BYTES))
