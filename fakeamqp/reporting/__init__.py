"""The report of a run: one HTML page, made from the trace and what the broker holds in the end."""
