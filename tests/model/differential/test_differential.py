"""Random programs bring the same on fakeamqp and on a real broker; and the comparison can tell brokers apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pika
import pytest

import fakeamqp
from fakeamqp.spec import methods
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicGet,
    BasicNack,
    BasicPublish,
    BasicQos,
    ExchangeDeclare,
    QueueBind,
    QueueDeclare,
    TxCommit,
    TxSelect,
)
from fakeamqp.spec.properties import BasicProperties
from tests.model.differential import steps
from tests.model.differential.compare import Comparison, Disagreement, compare, shrunk
from tests.model.differential.generator import STEP_KINDS, generate
from tests.model.differential.observations import Observation
from tests.model.differential.runner import Runner
from tests.model.differential.sides import FakeSide, RealSide
from tests.model.differential.steps import USERS, Pass, Program, Restart, SetPermissions, Step, printed
from tests.target import RealTarget

PROGRAMS = 100
STEPS = 50
BATCHES = 10
VHOST = "differential"
VERSIONS = ("3.10", "4.0")


@pytest.fixture
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """A runner on the real broker that --rabbitmq names."""
    if not request.config.getoption("--rabbitmq"):
        pytest.skip("give --rabbitmq to compare with a real broker")
    target: RealTarget = request.getfixturevalue("real_target")
    with contextlib.closing(Runner(target)) as runner:
        yield runner


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs_bring_the_same_on_a_real_broker(runner: Runner, batch: int) -> None:
    size = PROGRAMS // BATCHES
    for seed in range(batch * size, (batch + 1) * size):
        found = runner.run(runner.generate(seed, STEPS)).disagreement
        assert found is None, f"seed {seed}: {shrunk(found, runner.run_shrinking)}"


def between_fakes(program: Program, version: str, other_version: str) -> Comparison:
    """Run a program on two fakes, of which one takes the real broker's place."""
    other = fakeamqp.Broker(version=other_version, seed=1, vhosts=[VHOST], users={USERS[1]: USERS[1]})

    def connect(user: str) -> pika.BlockingConnection:
        credentials = pika.PlainCredentials(user, user)
        return other.connect(pika.ConnectionParameters(virtual_host=VHOST, heartbeat=0, credentials=credentials))

    def restart() -> None:
        other.stop()
        other.restart()

    with (
        contextlib.closing(FakeSide(version, VHOST)) as fake,
        contextlib.closing(RealSide(connect, other, VHOST, restart)) as real,
    ):
        return compare(program, fake, real, patience=0)


def program_of(seed: int, version: str) -> Program:
    with contextlib.closing(FakeSide(version, VHOST)) as fake:
        return generate(seed, STEPS, fake)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_agrees_with_another_of_its_version(version: str) -> None:
    for seed in range(5):
        comparison = between_fakes(program_of(seed, version), version, version)
        assert comparison.disagreement is None, str(comparison.disagreement)
        assert comparison.steps


def test_a_difference_is_seen_and_made_small() -> None:
    program = (
        Step(1, 1, QueueDeclare("q1")),
        Step(0, 1, QueueDeclare("q2", durable=True)),
        Step(0, 2, BasicPublish("", "q1", properties=BasicProperties(headers={"b": 1, "a": 2}), body=b"1")),
        Step(0, 2, BasicPublish("", "q2", body=b"2")),
        Step(1, 2, BasicGet("q1")),
        Step(1, 2, BasicGet("q2")),
        Step(1, 2, ExchangeDeclare("e1", "wrong")),
    )
    found = between_fakes(program, "3.10", "4.0").disagreement
    assert found is not None
    assert found.step == program[4]
    small = shrunk(found, lambda smaller: between_fakes(smaller, "3.10", "4.0"))
    assert small.program == (program[0], program[2])  # the queue's content shows it at the end
    assert "headers={'b': 1, 'a': 2}" in str(small)
    assert "RabbitMQ: (0, 1) BasicGetOk(delivery_tag=1, routing_key='q1', properties=BasicProperties(headers={'a'" in (
        str(small)
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_seed_gives_the_same_program_again(version: str) -> None:
    assert printed(program_of(7, version)) == printed(program_of(7, version))


def test_a_program_prints_as_python_that_makes_it() -> None:
    program = program_of(3, "4.0")
    scope = {**vars(methods), **vars(steps), "BasicProperties": BasicProperties}
    exec(printed(program), scope)
    assert scope["program"] == program


def test_programs_make_every_kind_of_step() -> None:
    made = {type(step.method).__name__ for seed in range(30) for step in program_of(seed, "4.0")}
    assert len(made) >= len({drawing.__name__ for _, drawing in STEP_KINDS}) - 6


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("queue", "is_free"), [("q1", True), ("q2", False)])
def test_a_commit_is_free_where_an_ack_may_overtake_a_publish(version: str, queue: str, is_free: bool) -> None:
    program = (
        *(Step(0, 1, QueueDeclare(name, durable=True, arguments={"x-queue-type": "quorum"})) for name in ("q1", "q2")),
        Step(0, 1, BasicPublish("", "q1", body=b"1")),
        Step(0, 1, TxSelect()),
        Step(0, 1, BasicConsume("q1", "c1")),
        Step(0, 1, BasicPublish("", queue, body=b"2")),
        Step(0, 1, BasicAck(), held=0),
        Step(0, 1, TxCommit()),
    )
    with contextlib.closing(FakeSide(version, VHOST)) as fake:
        assert [fake.make(step) and fake.observe(step).is_free for step in program] == [*[False] * 7, is_free]


@pytest.mark.parametrize(("limits_channel", "is_excused"), [(True, True), (False, False)])
def test_a_limited_channel_may_get_the_next_delivery_before_the_returned_one(
    limits_channel: bool, is_excused: bool
) -> None:
    nack = Step(0, 1, BasicNack(), held=0)
    program = (
        Step(0, 1, QueueDeclare("q1")),
        Step(0, 1, BasicPublish("", "q1", body=b"1")),
        Step(0, 1, BasicQos(prefetch_count=1, global_qos=limits_channel)),
        Step(0, 1, BasicConsume("q1", "c1")),
        nack,
    )
    with contextlib.closing(FakeSide("4.0", VHOST)) as fake:
        expected = [fake.make(step) and fake.observe(step) for step in program][-1]
        assert isinstance(expected, Observation)
        other, none = ({(0, 1): lines} for lines in (["BasicDeliver(...)"], []))
        assert fake.explains(nack, Observation(arrived=other, queues=expected.queues), expected) is is_excused
        assert not fake.explains(nack, Observation(arrived=none, queues=expected.queues), expected)


def test_a_program_goes_on_where_rabbitmq_was_free() -> None:
    bind = [Step(0, 1, QueueBind("q1", "e1", key)) for key in ("a", "b")]
    program = (
        Step(0, 1, QueueDeclare("q1", durable=True)),
        Step(0, 1, QueueDeclare("q2", durable=True)),
        Step(0, 1, ExchangeDeclare("e1", "x-random")),
        *bind,
        Step(0, 1, QueueBind("q2", "e1", "c")),
        Step(0, 1, BasicPublish("e1", "a", body=b"drawn")),  # which queue gets it is chance
        Step(0, 1, BasicPublish("", "q1", body=b"after")),
        Step(0, 1, BasicGet("q1")),
    )
    comparison = between_fakes(program, "4.0", "4.0")
    assert comparison.disagreement is None, str(comparison.disagreement)
    assert comparison.freedoms == 1
    assert comparison.steps > len(program)
    assert not comparison.ending


def test_what_fakeamqp_does_not_support_is_no_agreement() -> None:
    program = (Step(0, 1, ExchangeDeclare("e1", "x-jms-topic")), Step(0, 1, QueueDeclare("q1")))
    comparison = between_fakes(program, "4.0", "4.0")
    assert "x-jms-topic" in comparison.ending


def test_shrinking_keeps_the_same_disagreement() -> None:
    gets = Step(0, 1, BasicGet("q1"))
    program = (Step(0, 1, QueueDeclare("q1")), Step(0, 1, BasicPublish("", "q1", body=b"1")), gets)
    nothing, something, other = (Observation(arrived={(0, 1): lines}) for lines in ([], ["BasicGetOk(1)"], ["Oh(1)"]))
    found = Disagreement(program, gets, nothing, something)

    def run(smaller: Program) -> Comparison:
        brings = something if smaller[:1] == program[:1] else other
        return Comparison(disagreement=Disagreement(smaller, gets, nothing, brings))

    assert shrunk(found, run).program[:1] == program[:1]


@pytest.mark.parametrize("version", VERSIONS)
def test_time_permissions_and_restarts_are_steps(version: str) -> None:
    program = (
        Step(0, 1, QueueDeclare("q1", durable=True, arguments={"x-message-ttl": 2000})),
        Step(0, 1, BasicPublish("", "q1", properties=BasicProperties(delivery_mode=2), body=b"1")),
        Step(0, 1, Restart()),
        Step(1, 1, BasicGet("q1", no_ack=True)),
        Step(0, 1, BasicPublish("", "q1", body=b"2")),
        Step(0, 1, SetPermissions(read="^$")),
        Step(1, 2, BasicGet("q1")),
        Step(0, 1, Pass(2.5)),
        Step(0, 1, BasicGet("q1")),
    )
    with contextlib.closing(FakeSide(version, VHOST)) as fake:
        seen = [fake.make(step) and fake.observe(step) for step in program]
    lines = [each.lines() for each in seen if isinstance(each, Observation)]
    assert any("CONNECTION_FORCED" in line for line in lines[2])
    assert any("body=b'1'" in line for line in lines[3])
    assert any("reply_code=403" in line for line in lines[6])
    assert any("BasicGetEmpty" in line for line in lines[8])
