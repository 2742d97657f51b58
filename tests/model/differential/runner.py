"""A real broker with a virtual host for the programs, and the programs on it."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator

import pika

from fakeamqp.spec.methods import ExchangeDelete, QueueDelete
from tests.model.differential.compare import LATE, Comparison, compare
from tests.model.differential.generator import TOPIC_EXCHANGES, generate
from tests.model.differential.sides import MONITOR, FakeSide, RealSide
from tests.model.differential.steps import USERS, ClearPolicy, Program, SetPermissions, SetTopicPermissions
from tests.target import RealTarget

PATIENCE = 3.0
"""Seconds in which a real broker must have done what fakeamqp has done."""
SHRINKING_PATIENCE = 0.5
ELECTION_SECONDS = 1.5
"""How long after a restart quorum queues may have no leader: dead letters to them are lost until then (observed)."""
ATTEMPTS = 3
"""How often to run a program in which time matters."""


class Runner:
    """Runs programs on fakeamqp and on the real broker of a target, in a virtual host that it makes and deletes."""

    _numbers = itertools.count(1)

    def __init__(self, target: RealTarget) -> None:
        self._target = target
        self.version = target.version
        self._renew_vhost()

    def close(self) -> None:
        """Delete the virtual host."""
        self._target.operator.clean_up()

    def _renew_vhost(self) -> None:
        operator = self._target.operator
        operator.clean_up()
        self.vhost = f"differential-{os.getpid()}-{next(self._numbers)}"
        operator.add_vhost(self.vhost)
        operator.add_user(USERS[1], USERS[1])
        for user in USERS:
            operator.set_permissions(user, ".*", ".*", ".*", vhost=self.vhost)

    def generate(self, seed: int, steps: int) -> Program:
        """The program of this seed."""
        with contextlib.closing(FakeSide(self.version, self.vhost)) as fake:
            return generate(seed, steps, fake, restarts=self._target.can_restart)

    def run(self, program: Program, patience: float = PATIENCE) -> Comparison:
        """Run a program on both sides; again where the machine was too slow for it."""
        for _ in range(ATTEMPTS):
            comparison = self._run_once(program, patience)
            if comparison.ending != LATE:
                break
        return comparison

    def _run_once(self, program: Program, patience: float) -> Comparison:
        with contextlib.closing(FakeSide(self.version, self.vhost)) as fake, self._real_side() as real:
            comparison = compare(program, fake, real, patience)
            if comparison.disagreement is None:
                _clean_up(fake, real)
        if comparison.disagreement is not None:
            self._renew_vhost()
        return comparison

    @contextlib.contextmanager
    def _real_side(self) -> Iterator[RealSide]:
        def connect(user: str) -> pika.BlockingConnection:
            credentials = pika.PlainCredentials(user, user)
            return pika.BlockingConnection(self._target.parameters(virtual_host=self.vhost, credentials=credentials))

        def restart() -> None:
            self._target.restart_application()
            time.sleep(ELECTION_SECONDS)

        with contextlib.closing(RealSide(connect, self._target.operator, self.vhost, restart)) as real:
            yield real

    def run_shrinking(self, program: Program) -> Comparison:
        """Run a program with less patience; for shrinking one that is known to bring a disagreement."""
        return self.run(program, SHRINKING_PATIENCE)


def _clean_up(fake: FakeSide, real: RealSide) -> None:
    """Delete what a program left on the real broker, which is what it left on fakeamqp."""
    for policy in list(real.policies):
        real.operate(ClearPolicy(*policy))
    if real.is_restricted:
        real.operate(SetPermissions())
        for exchange in TOPIC_EXCHANGES:
            real.operate(SetTopicPermissions(exchange))
    for called in fake.queues:
        name = real.name_of(called)
        real.wires[real.owners.get(name, 0)].call(MONITOR, QueueDelete(name))
    for each in fake.topology().exchanges:
        real.wires[0].call(MONITOR, ExchangeDelete(each.exchange))
