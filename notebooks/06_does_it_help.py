# %% [markdown]
# # Does it help?
#
# A loop that improves a model proves little: the same model trained for as long on the seed data alone
# improves too. What does the loop add to that, and which of its parts adds it? Here you see how to tell, from
# comparisons that were recorded. Nothing is trained; *Run All Cells* takes half a minute, reading ten.
#
# **In short:** the recorded comparisons cannot tell. With 3 random seeds and 270 held-out samples, seed data
# alone are 1.5 points behind the full loop, with an interval from -7.0 to +4.1: it holds zero. So do those of
# all other arms. What one learns here is how large a difference has to be before it shows.
#
# The recorded arms are of an earlier version, whose embedded model could not call tools yet (now
# `embedded-base`). Today's loop, in three larger runs: 3.9 points ahead of seed data alone, with an interval
# from -0.7 to +9.0, which holds zero as well (`docs/results.md`).
#
# `looptool ablate` answers with controls:
#
# - every **arm** (one way to train) starts from the *same* policy $\pi_1$, trained on $D_1$, and is scored on
#   the *same* held-out samples, so that arms are compared pair by pair;
# - an arm leaves out **one thing**, and that is a setting;
# - one arm trains on seed data alone, repeated until it has had **as many tokens** as the full loop;
# - all of it for several **random seeds**, because a second run of the very same recipe differs as well.
#
# Where you have a folder of `looptool ablate` of your own (`runs/ablation`), the cells open that instead. The
# [glossary](00_tour.ipynb#Glossary) of the tour explains the words.

# %%
import pandas as pd
import start
from IPython.display import HTML

from looptool_kit import drawing
from looptool_kit.studies.arms import ARMS
from looptool_kit.studies.outcomes import Outcomes, comparisons, summarise
from looptool_kit.studies.page import grids

pd.options.display.max_colwidth = 110
own, recorded = (
    start.RUNS / "ablation" / "ablation.parquet",
    start.ROOT / "sample_data" / "ablation" / "ablation.parquet",
)
outcomes = Outcomes.read(own if own.exists() else recorded)
found = comparisons(summarise(outcomes))
words, d = [pair for pair in found if pair[0].startswith("seed data alone")][-1]
differs = "not told apart from" if d.lo <= 0 <= d.hi else "worse than" if d.hi < 0 else "better than"
points = f"{100 * d.difference:+.1f} points [{100 * d.lo:+.1f}, {100 * d.hi:+.1f}]"
print(
    f"In short, from {'your own arms' if own.exists() else 'the recorded arms'}: {words}, is {differs}\n"
    f"the full loop: {points}; {d.seeds} random seeds, {d.n} held-out samples in all."
)
title = "Difference in exact match to the full loop's policy"
HTML(drawing.picture(drawing.forest(found, title, lambda share: f"{share:+.0%}")))

# %% [markdown]
# Each row of the plot is an arm's policy against the full loop's of the same iteration. Left of zero: the arm
# is worse, so what it leaves out helped. An interval that holds zero (grey) means that these runs cannot tell
# the two apart; **it does not mean that they are alike**. The rings are the single random seeds. D2 and D3
# are the policies after one and after two iterations.
#
# ## The arms
#
# What each changes against the full loop. The last one differs not by a setting but by its datasets: those
# seed samples that the loop had seen by then, shuffled and repeated.
#
# One thing favours the loop in this world: its expander executes the tools again, so that children have exact
# labels even where their error seed's is one of those that were made wrong on purpose. Seed data alone keep
# those errors.

# %%
there = {o.arm for o in outcomes}
pd.DataFrame(
    [
        {
            "arm": name,
            "what it is": arm.words,
            "settings changed": ", ".join(f"{k.replace('__', '.')} = {v!r}" for k, v in arm.changes.items()),
        }
        | {"run": "yes" if name in there else "not yet"}
        for name, arm in ARMS.items()
    ]
).set_index("arm").rename_axis(None)

# %% [markdown]
# ## The figures
#
# Read the interval before the figure. The difference counts: two arms whose own intervals overlap may still
# differ clearly, because they are scored on the same samples.

# %%
results, cost, *close = grids(summarise(outcomes), ARMS)
print(results.notes[0])
pd.DataFrame(results.rows, columns=results.head).set_index("arm").rename_axis(None)

# %% [markdown]
# Exact match with Wilson's 95% interval; the difference in percentage points with its interval, paired on the
# same samples by a bootstrap over seeds and samples; in brackets each seed's own.
#
# ## Could these runs have shown it?
#
# Between the full loop and its ablations LoopTool reports 0.8 to 1.7 points (74.34 against 73.50 to 72.61 on
# BFCL-v3, a public benchmark, at the third iteration, arXiv 2511.09148), without a variance. The last column
# says how large a true difference these runs would have found four times in five; the one before it, how many
# samples it takes if the difference seen is the true one.

# %%
tables = [pd.DataFrame(part.rows, columns=part.head) for part in close]
pd.concat(tables or [pd.DataFrame({"arm": []})]).set_index("arm").rename_axis(None)

# %% [markdown]
# ## What did it cost?
#
# Tokens since D1, a seed's mean: those that training passed over. An arm that trains on fewer learns from
# less, so compare with the control, which has as many as the full loop.

# %%
table = pd.DataFrame(cost.rows, columns=cost.head).set_index("arm").rename_axis(None)
table.loc[:, ~table.isin(["-", "0"]).all()]

# %% [markdown]
# ## Where do they differ?
#
# The difference to the full loop in points by held-out split: values that training did not have, phrasings
# that it did not have, tools that it did not have. Three looks at each arm instead of one: each is more
# uncertain, and of so many intervals about one in twenty leaves out zero by chance.

# %%
splits = dict.fromkeys(s for o in outcomes for s in o.splits)
pd.DataFrame(
    {
        split.replace("_", " "): {
            words: f"{100 * d.difference:+.0f} [{100 * d.lo:+.0f}, {100 * d.hi:+.0f}]"
            for words, d in comparisons(summarise(outcomes, split))
        }
        for split in splits
    }
)

# %% [markdown]
# ## Iteration by iteration, seed by seed
#
# Exact match of each policy in percent, one row for each arm, one column for each random seed. If an arm
# differs more from seed to seed than the arms do from each other, more held-out samples will not help: only
# more random seeds will.

# %%
pd.DataFrame(
    [
        {"seed": f"seed {seed}", "arm": r.words, "policy": f"D{r.iteration}", "%": f"{100 * r.accuracy:.0f}"}
        for seed in dict.fromkeys(o.seed for o in outcomes)
        for r in summarise(o for o in outcomes if o.seed == seed)
        if r.iteration > 1  # D1 is the same for all
    ]
).pivot(index="arm", columns=["policy", "seed"], values="%").sort_index(axis=1).rename_axis(None)

# %% [markdown]
# ## Run your own
#
# ```
# looptool ablate runs/ablation --preset cpu --seeds 0,1,2 --set seeds.held_out=150
# ```
#
# It first says how long it will take, from the timings of what has finished; before the first arm has, it
# cannot know, and says so. Stop it at any time: what has finished is kept, and the same command resumes.
# `--arms control` runs only that arm beside the full loop. Runs of `python benchmarks/results.py` count:
# `looptool ablate runs/results --set seeds.held_out=150` adds the other arms to them. Every arm is an
# ordinary run folder: open one in `LoopMap`, read its report, look at the rows that it trained on.
#
# `ablation.html` in the folder is the table and the plot as one page. Run this notebook again to see your own
# arms here. `looptool compare` does the same with other strategies as arms, under one budget of tokens, and
# with arms of your own in a TOML file (docs/compare.md).
#
# Next: [03_your_tools](03_your_tools.ipynb) with your own functions, or [05_teach](05_teach.ipynb) for the
# ideas behind the loop.
