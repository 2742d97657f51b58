"""What fakeamqp costs, each figure beside something measured in the same run: `python -m benchmarks`."""
