"""Random programs on fakeamqp and on a real broker side by side, compared after every step.

`steps` says what a program is, `generator` draws one, `wire` speaks single methods through a pika connection, `sides`
runs steps on either broker, `compare` runs a program on both and shrinks one on which they disagree, `__main__` is the
nightly run: `python -m tests.model.differential --help`.
"""
