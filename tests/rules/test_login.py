"""Logging in: mechanisms, passwords, and users that come, change and go."""

from __future__ import annotations

from typing import Any

import pika
import pika.credentials
import pika.data
import pika.exceptions
import pika.spec
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import connection_closed
from tests.rules._users import Connect, User


class Credentials:
    """Answers Connection.Start with any mechanism and any response."""

    TYPE = "any"
    erase_on_connect = False

    def __init__(self, mechanism: str, response: bytes) -> None:
        self._answer = (mechanism, response)

    def response_for(self, _: pika.spec.Connection.Start) -> tuple[str, bytes]:
        """What pika asks of credentials."""
        return self._answer

    def erase_credentials(self) -> None:
        """What pika asks of credentials."""


def amqplain(login: dict[str, Any]) -> Credentials:
    """AMQPLAIN: a table without its length."""
    pieces: list[bytes] = []
    pika.data.encode_table(pieces, login)
    return Credentials("AMQPLAIN", b"".join(pieces)[4:])


@pytest.fixture(autouse=True)
def any_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """pika accepts no credentials but of classes it knows."""
    monkeypatch.setattr(pika.credentials, "VALID_TYPES", [*pika.credentials.VALID_TYPES, Credentials])


@pytest.fixture
def alice(operator: Any, connect: Connect, vhost: str) -> User:
    """A user with all permissions."""
    user = User(operator, connect, vhost)
    user.may(".*", ".*", ".*")
    return user


def login_refused(mechanism: str) -> str:
    return (
        "ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused using authentication mechanism "
        f"{mechanism}. For details see the broker logfile.'"
    )


def test_rabbitmq_announces_its_protocol_and_mechanisms(connect: Connect, version: str) -> None:
    starts: list[pika.spec.Connection.Start] = []

    class Listening(Credentials):
        def response_for(self, start: pika.spec.Connection.Start) -> tuple[str, bytes]:
            starts.append(start)
            return super().response_for(start)

    connect(credentials=Listening("PLAIN", b"\0guest\0guest"))
    (start,) = starts
    assert (start.version_major, start.version_minor, start.locales) == (0, 9, b"en_US")
    mechanisms = {"3.10": [b"AMQPLAIN", b"PLAIN"], "4.0": [b"AMQPLAIN", b"ANONYMOUS", b"PLAIN"]}[version]
    assert sorted(start.mechanisms.split()) == mechanisms


@pytest.mark.parametrize(
    ("name", "password"),
    [("guest", "wrong"), ("guest", ""), ("guest", "GUEST"), ("Guest", "guest"), ("no such user", "guest"), ("", "")],
)
def test_a_wrong_name_or_password_is_refused(connect: Connect, name: str, password: str) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        connect(credentials=pika.PlainCredentials(name, password))
    assert caught.value.args == (login_refused("PLAIN"),)


def test_a_wrong_password_is_found_before_a_missing_virtual_host(connect: Connect) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        connect(credentials=pika.PlainCredentials("guest", "wrong"), virtual_host="no-such-vhost")
    assert caught.value.args == (login_refused("PLAIN"),)


def test_logging_in_with_amqplain(connect: Connect) -> None:
    connection = connect(credentials=amqplain({"LOGIN": "guest", "PASSWORD": "guest"}))
    assert connection.channel().queue_declare("q").method.queue == "q"


def test_amqplain_ignores_what_else_is_in_the_table(connect: Connect) -> None:
    assert connect(credentials=amqplain({"LOGIN": "guest", "more": 1, "PASSWORD": "guest"})).is_open


@pytest.mark.parametrize("login", [("guest", "wrong"), ("no such user", "guest")])
def test_a_wrong_name_or_password_with_amqplain_is_refused(connect: Connect, login: tuple[str, str]) -> None:
    name, password = login
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        connect(credentials=amqplain({"LOGIN": name, "PASSWORD": password}))
    assert caught.value.args == (login_refused("AMQPLAIN"),)


@pytest.mark.only("4.0")
@pytest.mark.parametrize("trace", [b"", b"whoever"])
def test_an_anonymous_login_is_a_login_as_guest(connect: Connect, trace: bytes) -> None:
    channel = connect(credentials=Credentials("ANONYMOUS", trace)).channel()
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"", pika.BasicProperties(user_id="guest"))
    assert channel.basic_get("q")[1].user_id == "guest"


MALFORMED = {
    "unknown mechanism": Credentials("SCRAM", b"\0guest\0guest"),
    "mechanism in lower case": Credentials("plain", b"\0guest\0guest"),
    "empty PLAIN response": Credentials("PLAIN", b""),
    "PLAIN response without zeros": Credentials("PLAIN", b"guest"),
    "PLAIN response on behalf of somebody": Credentials("PLAIN", b"guest\0guest\0guest"),
    "AMQPLAIN response that is no table": Credentials("AMQPLAIN", b"guest"),
    "AMQPLAIN response without a password": amqplain({"LOGIN": "guest"}),
}


@pytest.mark.parametrize("credentials", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_login_loses_the_connection_without_an_answer(connect: Connect, credentials: Credentials) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError, match=r"^StreamLostError: "):
        connect(credentials=credentials)


@pytest.mark.only("3.10")
def test_there_is_no_anonymous_login(connect: Connect) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError, match=r"^StreamLostError: "):
        connect(credentials=Credentials("ANONYMOUS", b""))


def test_pika_refuses_credentials_for_a_mechanism_that_rabbitmq_does_not_offer(connect: Connect) -> None:
    with pytest.raises(pika.exceptions.AuthenticationError) as caught:
        connect(credentials=pika.credentials.ExternalCredentials())
    assert caught.value.args == ("EXTERNAL",)


def test_any_locale_will_do(connect: Connect) -> None:
    assert connect(locale="tlh_QO").is_open


def test_a_new_user_logs_in(alice: User) -> None:
    assert alice.connect().channel().queue_declare("q").method.queue == "q"


@pytest.mark.parametrize("password", ["wrong", "", "secret ", "Secret"])
def test_a_new_users_wrong_password_is_refused(alice: User, password: str) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        alice.connect(password)
    assert caught.value.args == (login_refused("PLAIN"),)


@pytest.mark.parametrize("tag", ["administrator", "monitoring", "management", "policymaker", "impersonator", "made-up"])
def test_no_tag_stands_for_a_permission(operator: Any, connect: Connect, vhost: str, tag: str) -> None:
    user = User(operator, connect, vhost, tags=(tag,))
    text = f"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{user.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        user.connect()
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


def test_a_changed_password_holds_for_the_next_login(alice: User, operator: Any) -> None:
    connection = alice.connect()
    operator.change_password(alice.name, "changed")
    assert connection.channel().queue_declare("q").method.queue == "q"
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        alice.connect("secret")
    assert caught.value.args == (login_refused("PLAIN"),)
    assert alice.connect("changed").is_open


def test_a_secret_that_a_connection_updates_does_not_change_the_password(alice: User) -> None:
    connection = alice.connect()
    connection.update_secret("updated", "it got old")
    assert connection.channel().queue_declare("q").method.queue == "q"
    assert alice.connect("secret").is_open
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        alice.connect("updated")
    assert caught.value.args == (login_refused("PLAIN"),)


def test_a_deleted_users_connections_are_closed(alice: User, operator: Any, channel: BlockingChannel) -> None:
    connection = alice.connect()
    operator.delete_user(alice.name)
    with connection_closed(320, f"CONNECTION_FORCED - user '{alice.name}' is deleted"):
        connection.process_data_events(time_limit=5)
    assert connection.is_closed
    assert channel.queue_declare("q").method.queue == "q"


def test_a_deleted_user_is_refused(alice: User, operator: Any) -> None:
    operator.delete_user(alice.name)
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as caught:
        alice.connect()
    assert caught.value.args == (login_refused("PLAIN"),)


def test_a_user_deleted_and_added_again_has_no_permissions(
    alice: User, operator: Any, connect: Connect, vhost: str
) -> None:
    operator.delete_user(alice.name)
    again = User(operator, connect, vhost)
    text = f"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{again.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        again.connect()
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


def test_what_a_deleted_user_declared_stays(alice: User, operator: Any, channel: BlockingChannel) -> None:
    connection = alice.connect()
    connection.channel().queue_declare("q", durable=True)
    operator.delete_user(alice.name)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        connection.process_data_events(time_limit=5)
    assert channel.queue_declare("q", durable=True).method.queue == "q"
