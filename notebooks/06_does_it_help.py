# %% [markdown]
# # Does it help?
#
# A loop that improves a model proves little: the same model trained for as long on the seed data alone
# improves too. The questions are what the loop adds to that, and which of its parts adds it.
# `looptool ablate` answers with controls:
#
# - every **arm** starts from the *same* policy $\pi_1$, trained on $D_1$, and is scored on the *same*
#   held-out samples, so that arms are compared pair by pair;
# - an arm leaves out **one thing**, and that is a setting;
# - one arm trains on seed data alone, repeated until it has had **as many tokens** as the full loop;
# - all of it for several **random seeds**, because a second run of the very same recipe differs as well.
#
# Nothing is trained here. The cells open a folder of `looptool ablate` where you have one (`runs/ablation`),
# else what was recorded on two CPU cores; the table says which arms that is. The recorded arms are of an
# earlier version, whose embedded model could not call tools yet (now `embedded-base`): read them as an
# example of how to look, and `docs/results.md` for what the loop does today.

# %%
import pandas as pd
import start
from IPython.display import HTML, Markdown

from looptool_kit import drawing
from looptool_kit.studies.arms import ARMS
from looptool_kit.studies.outcomes import Outcomes, comparisons, summarise
from looptool_kit.studies.page import text

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
    f"In short, from {'your own arms' if own.exists() else 'the recorded arms'}: {words}, is {differs}"
    f" the full loop: {points}; {d.seeds} random seeds, {d.n} held-out samples in all."
)
title = "Difference in exact match to the full loop's policy"
HTML(drawing.picture(drawing.forest(found, title, lambda share: f"{share:+.0%}")))

# %% [markdown]
# Each row of the plot is an arm's policy against the full loop's of the same iteration. Left of zero: the arm
# is worse, so what it leaves out helped. An interval that holds zero (grey) means that these runs cannot tell
# the two apart; **it does not mean that they are alike**. The rings are the single random seeds.
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
)

# %% [markdown]
# Read the interval before the figure. The difference counts: two arms whose own intervals overlap may still
# differ clearly, because they are scored on the same samples.

# %%
Markdown(text(outcomes))

# %% [markdown]
# ## Could these runs have shown it?
#
# The half-width of an interval says how large a difference has to be before it shows. Between the full loop
# and its ablations LoopTool reports 0.8 to 1.7 points (74.34 against 73.50 to 72.61 on BFCL-v3 at the third
# iteration, arXiv 2511.09148), without a variance.

# %%
for words, d in found:
    told = (
        "worse than the full loop"
        if d.hi < 0
        else "better than the full loop"
        if d.lo > 0
        else "not told apart from the full loop"
    )
    print(
        f"{words}: {told}; {d.seeds} random seeds, {d.n} held-out samples in all;"
        f" shows differences above {100 * (d.hi - d.lo) / 2:.0f} points"
    )

# %% [markdown]
# ## Where do they differ?
#
# By held-out split: values that training did not have, phrasings that it did not have, tools that it did not
# have. Three looks instead of one: each is more uncertain, and one of three may stand out by chance.

# %%
splits = dict.fromkeys(s for o in outcomes for s in o.splits)
pd.DataFrame(
    {
        "split": split.replace("_", " "),
        "arm": words,
        "difference": f"{d.difference:+.3f}",
        "95%": f"{d.lo:+.3f} to {d.hi:+.3f}",
        "n": d.n,
    }
    for split in splits
    for words, d in comparisons(summarise(outcomes, split))
)

# %% [markdown]
# ## Iteration by iteration, seed by seed
#
# Exact match of each policy, one row for each random seed and arm. If the rows of one arm differ more among
# each other than the arms do, more held-out samples will not help: only more random seeds will.

# %%
pd.DataFrame(
    [
        {"seed": seed, "arm": r.arm, "policy": f"D{r.iteration}", "exact match": round(r.accuracy, 3)}
        for seed in dict.fromkeys(o.seed for o in outcomes)
        for r in summarise(o for o in outcomes if o.seed == seed)
    ]
).pivot(index=["seed", "arm"], columns="policy", values="exact match")

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
