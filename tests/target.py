"""The two kinds of RabbitMQ that a rule test can run on, behind one face."""

from __future__ import annotations

import base64
import contextlib
import html
import itertools
import json
import shlex
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, Protocol

import pika
import pytest

import fakeamqp


class Target(Protocol):
    """One RabbitMQ under test."""

    version: str
    vhost: str
    operator: Any

    def test(self) -> contextlib.AbstractContextManager[None]:
        """Around each test: what it made is gone afterwards."""

    def parameters(self, **settings: Any) -> pika.ConnectionParameters:
        """Parameters that lead to the test's virtual host as guest; `settings` override them."""

    def let_time_pass(self, seconds: float) -> None:
        """Wait this long."""

    def stop(self) -> None:
        """Shut the node down gracefully."""

    def crash(self) -> None:
        """Kill the node."""

    def alarm(self, resource: str) -> None:
        """The node runs low on "memory" or "disk"."""

    def clear_alarm(self, resource: str) -> None:
        """The node has enough of it again."""

    def restart(self) -> None:
        """Start the node again, on what it kept."""


class FakeTarget:
    """A fresh fakeamqp.Broker."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.vhost = "/"
        self.operator = self.broker = fakeamqp.Broker(version=version)

    @contextlib.contextmanager
    def test(self) -> Iterator[None]:
        with self.broker:
            yield

    def parameters(self, **settings: Any) -> pika.ConnectionParameters:
        return pika.ConnectionParameters(**{"virtual_host": self.vhost, "heartbeat": 0, **settings})

    def let_time_pass(self, seconds: float) -> None:
        self.broker.advance(seconds)

    def stop(self) -> None:
        self.broker.stop()

    def crash(self) -> None:
        self.broker.crash()

    def alarm(self, resource: str) -> None:
        self.broker.alarm(resource)

    def clear_alarm(self, resource: str) -> None:
        self.broker.clear_alarm(resource)

    def restart(self) -> None:
        self.broker.restart()


class RealTarget:
    """A real broker; each test gets a virtual host of its own."""

    _numbers = itertools.count(1)

    def __init__(self, url: str, management_url: str | None, node_command: str | None) -> None:
        self._url = url
        self._node_command = node_command
        self.operator = _Management(management_url)
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
            server = connection._impl.server_properties
        self.version = ".".join(server["version"].split(".")[:2])
        self.vhost = "/"

    def close(self) -> None:
        """Forget the broker; it goes on running."""

    @contextlib.contextmanager
    def test(self) -> Iterator[None]:
        self.vhost = f"rules-{time.time_ns():x}-{next(self._numbers)}"
        self.operator.add_vhost(self.vhost)
        try:
            yield
        finally:
            self.operator.clean_up()

    def parameters(self, **settings: Any) -> pika.ConnectionParameters:
        url = pika.URLParameters(self._url)
        found = {"host": url.host, "port": url.port, "credentials": url.credentials}
        return pika.ConnectionParameters(**{**found, "virtual_host": self.vhost, "heartbeat": 0, **settings})

    def let_time_pass(self, seconds: float) -> None:
        time.sleep(seconds)

    def stop(self) -> None:
        self._node("stop")

    def crash(self) -> None:
        self._node("crash")

    def alarm(self, resource: str) -> None:
        self._node("ctl", "eval", f"rabbit_alarm:set_alarm({{{{resource_limit, {resource}, node()}}, []}}).")

    def clear_alarm(self, resource: str) -> None:
        self._node("ctl", "eval", f"rabbit_alarm:clear_alarm({{resource_limit, {resource}, node()}}).")

    def restart(self) -> None:
        self._node("start")

    @property
    def can_restart(self) -> bool:
        """Whether the node can be stopped and started."""
        return self._node_command is not None

    def restart_application(self) -> None:
        """Stop RabbitMQ gracefully and start it again, in the same Erlang node, which takes less time."""
        self._node("ctl", "stop_app")
        self._node("ctl", "start_app")

    def _node(self, *action: str) -> None:
        if self._node_command is None:
            pytest.skip("give --rabbitmq-node to run this rule on a real broker")
        subprocess.run([*shlex.split(self._node_command), *action], check=True, stdout=subprocess.DEVNULL)


class _Management:
    """Broker's operator methods on the management plugin's HTTP API; remembers what it made."""

    def __init__(self, url: str | None) -> None:
        self._base = None
        if url is not None:
            parts = urllib.parse.urlsplit(url)
            self._base = f"http://{parts.hostname}:{parts.port}/api"
            login = f"{parts.username}:{parts.password}".encode()
            self._authorization = "Basic " + base64.b64encode(login).decode()
        self._made: list[tuple[str, ...]] = []

    def _request(self, method: str, *path: str, body: Any = None, reason: str | None = None) -> Any:
        if self._base is None:
            pytest.skip("give --rabbitmq-management to run this rule on a real broker")
        address = "/".join([self._base, *(urllib.parse.quote(part, safe="") for part in path)])
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        if reason is not None:
            headers["X-Reason"] = reason
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            content = response.read()
        return json.loads(content) if content else None

    def clean_up(self) -> None:
        """Delete every virtual host and user that the test made."""
        made, self._made = self._made, []
        for path in reversed(made):
            with contextlib.suppress(urllib.error.HTTPError):
                self._request("DELETE", *path)

    def add_vhost(self, name: str, default_queue_type: str | None = None) -> None:
        body = {} if default_queue_type is None else {"defaultqueuetype": default_queue_type}
        self._request("PUT", "vhosts", name, body=body)
        self._made.append(("vhosts", name))
        self.set_permissions("guest", ".*", ".*", ".*", vhost=name)

    def delete_vhost(self, name: str) -> None:
        self._request("DELETE", "vhosts", name)

    def add_user(self, name: str, password: str, tags: tuple[str, ...] = ()) -> None:
        self._request("PUT", "users", name, body={"password": password, "tags": ",".join(tags)})
        self._made.append(("users", name))

    def change_password(self, name: str, password: str) -> None:
        tags = self._request("GET", "users", name)["tags"]
        self._request("PUT", "users", name, body={"password": password, "tags": tags})

    def delete_user(self, name: str) -> None:
        self._request("DELETE", "users", name)

    def set_permissions(self, user: str, configure: str, write: str, read: str, vhost: str = "/") -> None:
        self._request("PUT", "permissions", vhost, user, body={"configure": configure, "write": write, "read": read})

    def clear_permissions(self, user: str, vhost: str = "/") -> None:
        self._request("DELETE", "permissions", vhost, user)

    def set_topic_permissions(self, user: str, exchange: str, write: str, read: str, vhost: str = "/") -> None:
        body = {"exchange": exchange, "write": write, "read": read}
        self._request("PUT", "topic-permissions", vhost, user, body=body)

    def close_connections(self, reason: str, vhost: str | None = None) -> None:
        for _ in range(200):  # the management plugin learns of a connection a little after it opens
            found = [each for each in self._request("GET", "connections") if vhost in (None, each.get("vhost"))]
            if found:
                break
            time.sleep(0.1)
        for each in found:
            self._request("DELETE", "connections", each["name"], reason=reason)

    def _command(self, method: str, *path: str, body: Any = None) -> Any:
        """A request whose refusal is a ValueError with rabbitmqctl's text."""
        try:
            return self._request(method, *path, body=body)
        except urllib.error.HTTPError as error:
            if error.code not in (400, 404):
                raise
            reason = json.loads(error.read())["reason"]
            raise ValueError(html.unescape(reason) if isinstance(reason, str) else reason) from None

    def trace_on(self, vhost: str = "/") -> None:
        self._request("PUT", "vhosts", vhost, body={"tracing": True})

    def trace_off(self, vhost: str = "/") -> None:
        self._request("PUT", "vhosts", vhost, body={"tracing": False})

    def _set_policy(self, kind: str, name: str, pattern: str, definition: Any, vhost: str, *how: Any) -> None:
        body = {"pattern": pattern, "definition": definition, "apply-to": how[0], "priority": how[1]}
        self._command("PUT", kind, vhost, name, body=body)

    def set_policy(
        self, name: str, pattern: str, definition: Any, vhost: str = "/", apply_to: str = "all", priority: Any = 0
    ) -> None:
        self._set_policy("policies", name, pattern, definition, vhost, apply_to, priority)

    def clear_policy(self, name: str, vhost: str = "/") -> None:
        self._command("DELETE", "policies", vhost, name)

    def set_operator_policy(
        self, name: str, pattern: str, definition: Any, vhost: str = "/", apply_to: str = "all", priority: Any = 0
    ) -> None:
        self._set_policy("operator-policies", name, pattern, definition, vhost, apply_to, priority)

    def clear_operator_policy(self, name: str, vhost: str = "/") -> None:
        self._command("DELETE", "operator-policies", vhost, name)

    def set_vhost_limits(self, definition: Any, vhost: str = "/") -> None:
        body = {"component": "vhost-limits", "vhost": vhost, "name": "limits", "value": definition}
        self._command("PUT", "parameters", "vhost-limits", vhost, "limits", body=body)

    def clear_vhost_limits(self, vhost: str = "/") -> None:
        self._command("DELETE", "parameters", "vhost-limits", vhost, "limits")

    def set_user_limits(self, user: str, definition: dict[str, Any]) -> None:
        for name, value in definition.items():
            self._command("PUT", "user-limits", user, name, body={"value": value})

    def clear_user_limits(self, user: str, limit: str) -> None:
        self._command("DELETE", "user-limits", user, limit)

    def export_definitions(self, vhost: str | None = None) -> Any:
        return self._command("GET", "definitions", *([] if vhost is None else [vhost]))

    def import_definitions(self, definitions: Any, vhost: str | None = None) -> None:
        for kind in ("vhosts", "users"):
            there = {each["name"] for each in self._request("GET", kind)}
            self._made += [(kind, each["name"]) for each in definitions.get(kind, ()) if each["name"] not in there]
        self._command("POST", "definitions", *([] if vhost is None else [vhost]), body=definitions)
