"""The corpus of bugs: classic mistakes in messaging programs, each beside the mended program.

`python -m tests.bugs` measures how soon each is found, and that nothing is found in what is mended.
"""
