# %% [markdown]
# # Several iterations
#
# Two iterations of the loop for real: what got fixed, what broke, and whether another iteration is worth
# its minutes. On the quick settings each takes some minutes on two cores, all of it about twenty. Stop at any
# time; it resumes where it stopped.
#
# **In short:** in the run that is saved here exact match on 60 unseen requests is 42% before any training,
# 37% after a first training on seed samples and 43% after two iterations of the loop: from start to end +2
# points [-9, +12], +5 on the run's own tools and -5 on others. Chance alone may do that. What one learns here
# is how to see it, sample by sample.
#
# The stages one by one are in [01_one_iteration](01_one_iteration.ipynb), the words in the
# [glossary](00_tour.ipynb#Glossary). For figures that mean something take `PRESET = "cpu"`, and several
# random seeds: `python benchmarks/results.py` runs the loop against a control that trains on seed data alone.

# %%
import pandas as pd
import start
from IPython.display import HTML, display

import looptool_kit as lt
from looptool_kit.core.preview import table_html, words
from looptool_kit.widgets import DisagreementView, LoopMap, ProbeView, TrainingView

pd.options.display.max_colwidth = 110
PRESET = "cpu-quick"  # or "cpu"
more = {"seeds__first": 32, "seeds__fresh": [8, 4], "expand__most": 40} if PRESET == "cpu-quick" else {}
# The most iterations of the loop: so many slices of the seed pool are kept for them.
run = start.open_run("iterate", PRESET, iterations=3, **more)
loop = lt.Loop(run)
samples = lt.seed(run)
samples

# %% [markdown]
# ## Before
#
# `base` is the model as it comes. It answers the held-out requests that every policy is measured on.

# %%
answers = lt.evaluate(run, lt.policy_of(run, 0))
f"base: {sum(s.correct for s in answers)} of {len(answers)} held-out samples right"

# %% [markdown]
# ## The first iteration
#
# `loop.step(j)` is train, evaluate, probe, verify, expand, compose, in the paper's order, with a line for
# each. It returns $D_{j+1}$.

# %%
loop.step(1)

# %% [markdown]
# The parts of each dataset: error seeds (ES), their children (EE), right but unsure (HPPL), new seed samples,
# and what failed but was left unjudged.

# %%
pd.DataFrame(lt.composition(run)).set_index("dataset")

# %% [markdown]
# Before the next iteration is the moment to look: overrule verdicts in the first view, move the threshold of
# what counts as sure in the second. What you decide is in force from here on.

# %%
DisagreementView(run, iteration=1)

# %%
ProbeView(run, iteration=1)

# %% [markdown]
# ## The second iteration
#
# It starts from what you decided: `lt.expand` and `lt.compose` do again what your decisions touch, and
# nothing else. From now on GRPO joins the training: one step on these settings, which shows that it runs and
# not what it can do.

# %%
lt.compose(run, lt.probe(run, iteration=1), expanded=lt.expand(run, iteration=1), iteration=1)
training = TrainingView(run)
display(training)  # fills while this cell trains; what is saved here is how it began
loop.step(2)

# %% [markdown]
# Then the policy is trained on the last dataset, and evaluated like the others.

# %%
last = lt.train(run)
answers = lt.evaluate(run, last)
f"{last.name}: {sum(s.correct for s in answers)} of {len(answers)} held-out samples right"

# %%
training  # of all iterations; training.history holds the rows

# %% [markdown]
# ## The flow of samples
#
# From each dataset, by what the policy could do, by verdict, to the next dataset or out. Click a flow and its
# samples are in `loop_map.selection`. Under it the largest flows in figures, then the kinds of error by tool:
# a prediction with two errors counts in two cells. On request they are shown against the iteration before.

# %%
loop_map = LoopMap(run)
loop_map

# %% [markdown]
# ## What got fixed, what broke
#
# Two policies on the same held-out samples: *fixed* were wrong and are right, *broken* were right and are
# wrong. A mean hides both. The request is what was said last, the label the answer that was expected: a reply
# is right with any words that say what was found. `CompareView(run, "base", "D3")` of `looptool_kit.widgets`
# shows each sample whole, with what was said before it.

# %%
found = lt.scores(run)
names = list(found)
held_out = run.table(lt.Samples, "held_out", 0).by_id()
rows = []
for before, after in zip(names, names[1:], strict=False):
    fixed, broken = lt.flips(found[before], found[after])
    said = {name: {s.sample_id: words(lt.parse(s.text)) for s in found[name]} for name in (before, after)}
    for change, ids in (("fixed", fixed), ("broken", broken)):
        for i in ids:
            about = [f"{change} in {after}", held_out[i].kind, held_out[i].request, words(held_out[i].label)]
            rows.append([*about, said[before][i], said[after][i]])
columns = ["change", "kind", "request", "label", "said before", "said after"]
HTML(table_html(columns, rows, wide=columns[2:]))

# %% [markdown]
# The same on the training side: samples that stayed in the dataset as they were. One with a new label is
# another sample. Each row is their state under the first policy, each column that under the second; those
# mastered under the first do not stay.

# %%
first, second = ({p.sample_id: p.state for p in run.table(lt.Probes, "probes", j)} for j in (1, 2))
stayed = [i for i in first if i in second]
state = pd.CategoricalDtype(["mastered", "borderline", "failed"])
pd.crosstab(
    pd.Series([first[i] for i in stayed], name="iteration 1", dtype=state),
    pd.Series([second[i] for i in stayed], name="iteration 2", dtype=state),
)

# %% [markdown]
# ## Stop or continue?
#
# The paired difference between the last two policies, with its 95% interval. **An
# interval that holds 0 is not a gain yet, and not a proof of none**: with a few dozen held-out samples only
# large effects show. A sensible rule: continue while samples are being fixed and fewer are broken; stop when
# two iterations in a row broke as many as they fixed, or when `PRED_WRONG` dries up and there is nothing left
# to expand. By that rule the saved run would continue: 2 fixed, 0 broken. Its interval says how little that
# is. Who stops by the samples that are reported picks a lucky moment: the preset `cpu` keeps 60 others for
# such choices (`seeds.development`).

# %%
from looptool_kit.core.stats import aligned

lt.print_scoreboard(run)
_, a, b = aligned(found[names[-2]], found[names[-1]])
change = lt.paired(a, b)
interval = f"[{100 * change.lo:+.0f}, {100 * change.hi:+.0f}]"
print(
    f"{names[-2]} -> {names[-1]}: {100 * change.difference:+.0f} points {interval},"
    f" {change.fixed} fixed, {change.broken} broken"
)
print("It is more than chance alone makes." if change.lo > 0 else "Chance alone may make that difference.")
print(
    "More were fixed than broken: another iteration may pay."
    if change.fixed > change.broken
    else "Not more were fixed than broken: look at the errors first."
)

# %%
GO_ON = False  # True: one more iteration
if GO_ON:
    loop.step(run.iteration)
    lt.evaluate(run, lt.train(run))
    lt.print_scoreboard(run)

# %%
print(f"The whole run on one page: {lt.report_run(run)}")

# %% [markdown]
# ## What next?
#
# Open the report in the file browser: `iterate/report.html`, one level up.
# [06_does_it_help](06_does_it_help.ipynb) compares the loop with training on seed data alone;
# [03_your_tools](03_your_tools.ipynb) takes your own functions.
