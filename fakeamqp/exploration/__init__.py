"""Searching for the interleaving, the crash and the fault that break a program."""
