"""What stands in for Python's clocks, locks, threads and databases inside tasks."""
