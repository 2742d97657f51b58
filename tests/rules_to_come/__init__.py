"""Rules that real brokers of both versions have confirmed, and that fakeamqp does not follow yet.

pytest does not collect this folder by itself; name it together with --rabbitmq, as .ci/rabbitmq does:
`bash .ci/rabbitmq 4.0 pytest -q tests/rules_to_come`. The exchange types of plugins want those plugins enabled. A
file moves to tests/rules when fakeamqp passes it.
"""
