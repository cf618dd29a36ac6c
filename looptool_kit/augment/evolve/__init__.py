"""Evolution of tools: the same requests over other tools, labels exact, without a language model.

ToolACE (arXiv 2409.00920, section 2.1) lets a model change functions that it draws from a buffer of examples:
other parameters, types, constraints, outputs. Here each operator is a pair of maps, tool -> tool' and
call -> call', so that labels, earlier calls and results follow:

    steps = draw_steps(samples, "book_table", 2, Random(1))
    child = follow(samples[0], steps)  # a Sample, or why its label cannot follow

A file for each group of operators; `OPERATORS` names them.
"""

from looptool_kit.augment.evolve.buffer import Buffer, Outcome, evolve
from looptool_kit.augment.evolve.samples import OPERATORS, draw_steps, follow, map_calls
from looptool_kit.augment.evolve.step import Step

__all__ = ["OPERATORS", "Buffer", "Outcome", "Step", "draw_steps", "evolve", "follow", "map_calls"]
