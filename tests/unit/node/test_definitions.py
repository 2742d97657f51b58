"""Definitions: what is refused, what is left out and told, and what an export says."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import pytest

from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.node import Node
from fakeamqp.node.operator import commands
from fakeamqp.node.operator.definitions import import_definitions
from fakeamqp.node.operator.exporting import export_definitions
from fakeamqp.node.operator.importing import ImportReport
from fakeamqp.node.sessions.handshake import cluster_name
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact, ExchangeFact, GlobalParameterFact, PolicyFact, VirtualHostFact
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.tables import LongLong
from tests.unit.node._parts import SECOND_US, make_node, queue_fact

NOTHING = ImportReport((), ())


def load(node: Node, vhost: str | None = None, **definitions: Any) -> ImportReport:
    report = import_definitions(node.state, definitions, vhost)
    node.finish_turn()
    node.check()
    return report


def queue(name: str = "q", **settings: Any) -> dict[str, Any]:
    return {"name": name, "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}, **settings}


def binding(source: str, destination: str = "q", **settings: Any) -> dict[str, Any]:
    return {"source": source, "vhost": "/", "destination": destination, "destination_type": "queue", **settings}


def parameter(component: str, value: Any, name: str = "p") -> dict[str, Any]:
    return {"vhost": "/", "component": component, "name": name, "value": value}


@pytest.fixture
def node() -> Node:
    return make_node()


class TestWhatIsLeftOut:
    def test_unknown_keys_are_named(self, node: Node) -> None:
        report = load(
            node,
            rabbit_version="4.0.5",
            foo=1,
            queues=[queue(foo=1), "x"],
            parameters=[{**parameter("shovel", {}), "bar": 2}],
        )
        assert report.ignored == ("queues: 'x', which is no object", "foo", "parameters: 'p': bar", "queues: 'q': foo")

    def test_parameters_of_plugins_are_unsupported(self, node: Node) -> None:
        report = load(
            node,
            parameters=[
                parameter("shovel", {"src-uri": "amqp://"}),
                parameter("federation-upstream", {"uri": "amqp://"}),
            ],
            queues=[queue()],
        )
        assert report.unsupported == (
            "parameter 'p' of component 'shovel' in virtual host '/'",
            "parameter 'p' of component 'federation-upstream' in virtual host '/'",
        )
        assert "q" in node.state.vhosts["/"].queues

    def test_a_federated_policy_holds_but_for_federation(self, node: Node) -> None:
        definition = {"federation-upstream-set": "all", "max-length": 2, "shards-per-node": 2}
        policy = {"vhost": "/", "name": "p", "pattern": ".*", "definition": definition}
        report = load(node, policies=[policy], queues=[queue()])
        assert report.unsupported == (
            "policy 'p' in virtual host '/': federation-upstream-set",
            "policy 'p' in virtual host '/': shards-per-node",
        )
        assert node.state.vhosts["/"].queues["q"].settings.max_length == 2
        assert export_definitions(node.state, None)["policies"][0]["definition"] == definition

    def test_an_exchange_of_a_type_that_is_not_there_and_its_bindings(self, node: Node) -> None:
        report = load(
            node,
            exchanges=[queue("x", type="x-jms-topic"), queue("y", type="fanout")],
            queues=[queue()],
            bindings=[
                binding("x", routing_key="k"),
                binding("y", "x", destination_type="exchange"),
                binding("y", routing_key="k"),
            ],
        )
        unsupported, *bindings = report.unsupported
        assert unsupported.startswith("exchange 'x' in vhost '/': fakeamqp has no exchange type 'x-jms-topic'")
        assert bindings == [
            "binding of queue 'q' to exchange 'x' in vhost '/'",
            "binding of exchange 'x' to exchange 'y' in vhost '/'",
        ]
        assert len(node.state.vhosts["/"].bindings()) == 1

    def test_a_hashing_algorithm_that_nobody_knows(self, node: Node) -> None:
        report = load(node, users=[{"name": "ann", "password_hash": "", "hashing_algorithm": "foo", "tags": []}])
        assert report.unsupported == ("user 'ann', who cannot log in: hashing algorithm 'foo'",)
        assert not node.state.access.authenticate("ann", "secret")

    def test_what_rabbitmq_leaves_out_silently(self, node: Node) -> None:
        quorum = {"x-queue-type": "quorum"}
        report = load(
            node,
            queues=[queue("amq.q"), queue("q", durable=False, arguments=quorum)],
            exchanges=[queue("", type="direct"), queue("amq.x", type="direct")],
            bindings=[binding("", "q")],
        )
        assert report.unsupported == ()
        assert report.ignored == (
            "exchange '' in vhost '/': the name is reserved",
            "exchange 'amq.x' in vhost '/': the name is reserved",
            "queue 'amq.q' in vhost '/': the name is reserved",
            "queue 'q' in vhost '/': invalid property 'non-durable' for queue 'q' in vhost '/'",
            "binding of queue 'q' to exchange '' in vhost '/': every queue has it",
        )

    def test_3_10_leaves_out_bindings_that_cannot_be(self) -> None:
        wrong = binding("amq.headers", arguments={"x-match": "nonsense"})
        report = load(make_node(version="3.10"), queues=[queue()], bindings=[wrong, binding("amq.direct", "nope")])
        assert [each.split(": ")[1] for each in report.ignored] == [
            "binding_invalid",
            '{resources_missing,[{not_found,{resource,<<"/">>,queue,<<"nope">>}}]}',
        ]

    def test_a_limit_imported_just_now_leaves_out_queues_on_4_0(self) -> None:
        limits = parameter("vhost-limits", {"max-queues": 1}, "limits")
        for version, expected in (("3.10", ["a", "b"]), ("4.0", ["a"])):
            node = make_node(version=version)
            load(node, parameters=[limits], queues=[queue("a"), queue("b")])
            assert list(node.state.vhosts["/"].queues) == expected


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("definitions", "text"),
        [
            ({"queues": 5}, "queues in definitions are a list, not int"),
            ({"queues": [{"name": "q"}]}, "does not exist and is not specified in definitions"),
            ({"queues": [queue(name=5)]}, r"\$\.queues\[0\]\.name in definitions is a string, not 5"),
            ({"queues": [queue(durable="yes")]}, "'durable' is true or false, not 'yes'"),
            ({"queues": [queue(arguments=[5])]}, r"'arguments' are an object, not \[5\]"),
            ({"queues": [queue(arguments={"x": [{"a": None}]})]}, "null_not_allowed"),
            ({"exchanges": [queue("x")]}, "precondition_failed: invalid exchange type 'undefined'"),
            ({"bindings": [binding("amq.direct", "nope")]}, "resources_missing"),
            (
                {"queues": [queue()], "bindings": [binding("amq.headers", arguments={"x-match": "z"})]},
                "binding_invalid: Invalid x-match",
            ),
            ({"policies": [{"vhost": "/", "pattern": ".*"}]}, "policy in virtual host '/' has undefined name"),
            ({"policies": [{"vhost": "/", "name": "p", "pattern": ".*"}]}, r"must be a dictionary: null\n \(//p\)"),
            ({"parameters": [parameter("policy", {})]}, r"may not be set using this method \(//policy/p\)"),
            ({"parameters": [parameter("operator_policy", "x")]}, 'p not a list <<"x">>'),
            (
                {"parameters": [parameter("operator_policy", {"pattern": ".*", "zzz": 1})]},
                r'(?s)Unrecognised terms \[{<<"zzz">>,1}\] in p\nKey "priority" not found in p\nKey "definition"',
            ),
            ({"parameters": [parameter("vhost-limits", 5, "limits")]}, r"limits must be a dictionary: 5\n \(//vhost"),
            ({"users": [{"name": "ann", "password": "a", "password_hash": "", "tags": []}]}, "both_password_and"),
            ({"users": [{"name": "ann", "tags": [], "limits": {"x": 1}}]}, "Unrecognised terms"),
            ({"vhosts": [{"name": "v", "metadata": {"default_queue_type": "x"}}]}, "a default queue type is one of"),
        ],
    )
    def test_definitions(self, node: Node, definitions: dict[str, Any], text: str) -> None:
        with pytest.raises(Misuse, match=text):
            import_definitions(node.state, definitions, None)

    def test_what_is_no_object(self, node: Node) -> None:
        wrong: Any = ["x"]
        with pytest.raises(Misuse, match="definitions are a JSON object, not list"):
            import_definitions(node.state, wrong, None)

    def test_a_virtual_host_that_is_not_there(self, node: Node) -> None:
        with pytest.raises(Misuse, match="no virtual host 'nope'"):
            import_definitions(node.state, {}, "nope")

    def test_more_queues_than_may_be(self, node: Node) -> None:
        commands.set_vhost_limits(node.state, {"max-queues": 2}, "/")
        commit(node.state, queue_fact("a"))
        load(node, queues=[queue("a"), queue("b")])
        with pytest.raises(Misuse, match=r"Adding 2 queue\(s\)(?s:.)*currently has 2 queue\(s\)"):
            load(node, queues=[queue("c"), queue("d")])


class TestUsers:
    def test_tags_are_a_list_or_a_string_or_the_old_administrator(self, node: Node) -> None:
        load(
            node,
            users=[
                {"name": "a", "password": "x", "tags": "one, two"},
                {"name": "b", "password": "x", "tags": ["one"]},
                {"name": "c", "password": "x", "administrator": True},
                {"name": "d", "password": "x", "administrator": False},
            ],
        )
        tags = {name: user.tags for name, user in node.state.access.users.items() if name != "guest"}
        assert tags == {"a": ("one", "two"), "b": ("one",), "c": ("administrator",), "d": ()}

    def test_permissions_come_with_a_new_user_alone(self, node: Node) -> None:
        ann = {"name": "ann", "password": "x", "tags": []}
        patterns = {"configure": "a", "write": "b", "read": "c"}
        load(node, users=[{**ann, "permissions": {"/": patterns}}])
        assert node.state.access.allows("ann", "/", "write", "b")
        load(node, users=[{**ann, "permissions": {"/": {**patterns, "write": "z"}}}])
        assert node.state.access.allows("ann", "/", "write", "b")

    def test_limits_stay_unless_others_are_given(self, node: Node) -> None:
        ann = {"name": "ann", "password": "x", "tags": []}
        load(node, users=[{**ann, "limits": {"max-channels": 5}}])
        load(node, users=[ann])
        assert node.state.access.limits("ann") == {"max-channels": 5}

    def test_a_user_without_any_password_cannot_log_in(self, node: Node) -> None:
        load(node, users=[{"name": "guest", "tags": []}])
        assert not node.state.access.authenticate("guest", "guest")
        assert not node.state.access.authenticate("guest", "")

    def test_topic_permissions(self, node: Node) -> None:
        load(node, topic_permissions=[{"user": "guest", "vhost": "/", "exchange": "x", "write": "^a", "read": ".*"}])
        assert not node.state.access.allows_topic("guest", "/", "x", "write", "b")


class TestVirtualHosts:
    @pytest.mark.parametrize(("version", "expected"), [("3.10", None), ("4.0", "quorum")])
    def test_the_default_queue_type_of_one_that_exists(self, version: str, expected: str | None) -> None:
        node = make_node(version=version)
        metadata = {"description": "the shop", "tags": ["eu"], "default_queue_type": "quorum"}
        load(node, vhosts=[{"name": "/", "metadata": metadata}])
        assert node.state.vhosts["/"].fact == VirtualHostFact("/", "the shop", ("eu",), expected)
        load(node, vhosts=[{"name": "/", "description": "bare", "tags": []}])
        assert node.state.vhosts["/"].fact == VirtualHostFact("/", "bare", (), expected)

    def test_tracing_is_switched_on_and_off(self, node: Node) -> None:
        for is_traced in (True, False):
            load(node, vhosts=[{"name": "new", "tracing": is_traced}])
            assert node.state.vhosts["new"].is_traced is is_traced

    def test_definitions_of_one_go_where_they_are_put(self, node: Node) -> None:
        commands.add_vhost(node.state, "copy")
        load(node, "copy", queues=[{"name": "q"}], users=[{"name": "ann", "tags": []}])
        assert list(node.state.vhosts["copy"].queues) == ["q"]
        assert "ann" not in node.state.access.users


def test_imported_integers_are_long_ones(node: Node) -> None:
    arguments = {"x-max-length": 5, "a": [1, True, "s", 1.5, {"b": 2}]}
    load(node, queues=[queue(arguments=arguments)])
    found = node.state.vhosts["/"].queues["q"].fact.arguments
    assert found == {**arguments, "x-max-length": 5}
    assert type(found["x-max-length"]) is type(found["a"][0]) is type(found["a"][4]["b"]) is LongLong
    assert found["a"][1] is True


def test_an_imported_queue_expires(node: Node) -> None:
    load(node, queues=[queue(arguments={"x-expires": 1000})])
    node.advance(2 * SECOND_US)
    assert not node.state.vhosts["/"].queues


def test_global_parameters_are_kept_and_may_name_the_cluster(node: Node) -> None:
    assert cluster_name(node.state.global_parameters) == "rabbit@localhost"
    load(node, global_parameters=[{"name": "cluster_name", "value": "prod"}, {"name": "mine", "value": {"a": [1]}}])
    assert cluster_name(node.state.global_parameters) == "prod"
    node.shut_down(node.state.now_us)
    again = make_node(node.state.journal)
    assert again.state.global_parameters["mine"] == GlobalParameterFact("mine", {"a": [1]})


def test_an_export_is_json_whatever_the_arguments_are(node: Node) -> None:
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    arguments = {
        "b": b"\xff",
        "t": moment,
        "d": decimal.Decimal("1.5"),
        "l": LongLong(5),
        "x": [True, None, {"s": "s"}],
    }
    commit(node.state, ExchangeFact("/", "x", "headers", True, False, False, arguments))
    commit(node.state, queue_fact())
    commit(node.state, BindingFact("/", Binding("x", Destination("queue", "orders"), "", {"a": LongLong(1)})))
    exported = json.loads(json.dumps(export_definitions(node.state, None)))
    assert exported["exchanges"][0]["arguments"] == {
        "b": "\ufffd",
        "t": int(moment.timestamp()),
        "d": 1.5,
        "l": 5,
        "x": [True, None, {"s": "s"}],
    }
    assert exported["bindings"][0]["arguments"] == {"a": 1}


def test_an_operator_policy_is_exported_as_a_parameter(node: Node) -> None:
    commands.set_policy(node.state, PolicyFact("/", "o", ".*", {"max-length": 2}, 0, "all", is_operator=True))
    exported = export_definitions(node.state, "/")
    value = {"pattern": ".*", "apply-to": "all", "definition": {"max-length": 2}, "priority": 0}
    assert exported["parameters"] == [{"component": "operator_policy", "name": "o", "value": value}]
    again = make_node()
    assert load(again, "/", **exported) == NOTHING
    assert export_definitions(again.state, "/") == exported
