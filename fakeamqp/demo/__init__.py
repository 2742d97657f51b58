"""A demo: a test that catches a real bug. Run it with `python -m fakeamqp.demo`."""
