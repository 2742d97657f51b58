"""The nightly run: many random programs on fakeamqp and on a real broker.

python -m tests.model.differential --rabbitmq=URL --rabbitmq-management=URL --programs=2000 --steps=50 --seed=1
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import sys
import time

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.model.differential.compare import shrunk
from tests.model.differential.runner import Runner
from tests.target import RealTarget


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.differential", description=__doc__.splitlines()[0])
    parser.add_argument("--rabbitmq", required=True, metavar="URL", help="AMQP URL of the real broker")
    parser.add_argument("--rabbitmq-management", required=True, metavar="URL", help="its management plugin's URL")
    parser.add_argument("--rabbitmq-node", metavar="COMMAND", help="takes ctl stop_app; without it nothing restarts")
    parser.add_argument("--programs", type=int, default=2000, help="how many programs (default: 2000)")
    parser.add_argument("--steps", type=int, default=50, help="steps of each program (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first program; each has the next (default: 1)")
    parser.add_argument("--shrinking", type=float, default=60, help="seconds to make one small (default: 60)")
    parser.add_argument("--disagreements", type=int, default=1, help="stop after so many disagreements (default: 1)")
    return parser.parse_args()


def main() -> int:
    """Run, print each disagreement made small, and say how many programs agreed; 1 if any did not."""
    options = arguments()
    target = RealTarget(options.rabbitmq, options.rabbitmq_management, options.rabbitmq_node)
    disagreements = agreed = steps = freedoms = 0
    ended: collections.Counter[str] = collections.Counter()
    began = time.monotonic()
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with contextlib.closing(Runner(target)) as runner, Progress(*columns, TimeRemainingColumn()) as progress:
        bar = progress.add_task(f"RabbitMQ {target.version}", total=options.programs)
        for seed in range(options.seed, options.seed + options.programs):
            comparison = runner.run(runner.generate(seed, options.steps))
            found = comparison.disagreement
            steps += comparison.steps
            freedoms += comparison.freedoms
            if comparison.ending:
                ended[comparison.ending] += 1
            elif found is None:
                agreed += 1
            if found is not None:
                disagreements += 1
                progress.console.print(f"seed {seed}: a disagreement, being made small", markup=False)
                latest = time.monotonic() + options.shrinking
                small = shrunk(found, runner.run_shrinking, lambda latest=latest: time.monotonic() < latest)
                progress.console.print(str(small), markup=False, highlight=False, soft_wrap=True)
            progress.advance(bar)
            if disagreements >= options.disagreements:
                break
    seconds = time.monotonic() - began
    print(
        f"RabbitMQ {target.version}: {agreed} programs of {options.steps} steps agreed, {disagreements} did not "
        f"(seeds from {options.seed}; {steps} steps compared, {freedoms} where RabbitMQ was free; {seconds:.0f} s)"
    )
    for why, times in ended.items():
        print(f"not compared to the end, {times} times: {why}")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
