"""Time and cost of a loop on many GPUs, by a simulation that is fed with measured rates.

scenario.py   what a loop asks for, and at which rates: a file of `scenarios/`, or one's own
stages.py     a scenario as the stages of one iteration, each with its work
engine.py     the discrete-event model of one stage
figures.py    many sizes of a cluster side by side, and the checks against published figures
local.py      the same model against the kit's own engine in processes of this machine
page.py       docs/scale-plan.md
"""
