"""Tools for tests: the direct door, and what pytest and Hypothesis need."""
