# %% [markdown]
# # One iteration, for real
#
# One pass through the loop of LoopTool, on a small model that is really trained: **Seed, Train, Probe,
# Verify, Expand, Compose, Evaluate**. On the settings below it takes some ten minutes on two cores. You see
# what each stage is for, its settings, its progress, and its result in a view that you can click in.
#
# **In short:** in the run that is saved here the model gets 25 of 60 held-out requests exactly right as it
# comes, and 22 after a first training on 32 samples: -5 points [-16, +6], which chance alone may do. It fails
# 17 of its own training samples; the judge says of 12 that the prediction is wrong, of 2 that the label is,
# and leaves 3 open. From these come 28 accepted children and the next dataset of 54 rows. Whether that helps,
# one iteration of this size cannot show: [06_does_it_help](06_does_it_help.ipynb) asks it.
#
# [00_tour](00_tour.ipynb) shows the same on a recorded run; its [glossary](00_tour.ipynb#Glossary) explains
# the words. Each stage is four cells: *why* (the idea, the formula, the section of the
# [paper](https://arxiv.org/abs/2511.09148)), *settings* (a form that is also plain Python), *run* (with a
# progress bar), *inspect* (a view). You may skip the formulas and leave all settings as they are.
#
# - A stage called twice does nothing the second time; after a changed setting it redoes what depends on it.
# - Any run cell may be stopped with the Stop button. Run it again, or the whole notebook tomorrow, and it
#   resumes where it stopped.
# - The run is the folder `runs/one-iteration`: Parquet tables, TOML settings, JSON manifests. Delete it to
#   start from scratch.
#
# The settings are the shortest that show everything. `PRESET = "cpu"` is what `make loop` runs, with more
# samples and more training.

# %%
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.core.preview import words
from looptool_kit.widgets import (
    DisagreementView,
    ExpansionView,
    LoopMap,
    ProbeView,
    TrainingView,
    settings_form,
)

pd.options.display.max_colwidth = 110
PRESET = "cpu-quick"  # or "cpu"
more = {"seeds__first": 32, "expand__most": 40} if PRESET == "cpu-quick" else {}
run = start.open_run("one-iteration", PRESET, iterations=1, **more)
run

# %% [markdown]
# ## 1 Seed
#
# **Why.** A sample is (tools, context, label): the dialogue up to one assistant turn and the calls expected
# there (section 3.1). $D_1$ is the first slice of a seed pool, $D_1 = \{(T_i, c_i, y_i)\}_{i=1}^{n}$; later
# iterations get ever smaller fresh slices. The pool here comes from a procedural world: tools with executable
# bodies and a grammar of requests, so labels are right by construction, and a share of them (`noise`) is then
# made wrong on purpose.

# %%
settings_form(run, "seeds")  # the same in Python: run.set(seeds__noise=0.1)

# %%
samples = lt.seed(run)
f"{len(samples)} samples; held out for the evaluation: {run.settings.seeds.held_out} of each split"

# %%
samples[:8]

# %% [markdown]
# ## 2 Train
#
# **Why.** $\pi_j$ comes from $\pi_{j-1}$ by GRPO on $D_j$ (section 3.2). With $r_i \in \{0, 1\}$ for
# completion $y_i$ of a group of $G$, and $\rho_t = \pi(y_t)/\pi_{\text{old}}(y_t)$,
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r)}, \qquad
# \mathcal{L} = -\,\mathbb{E}\Big[\min\big(\rho_t A_i,\; \mathrm{clip}(\rho_t,\, 1 - 0.2,\, 1 + 0.28)\,
# A_i\big)\Big]$$
#
# without KL term: the first formula is how much better than its group a completion did, the second makes good
# ones more likely, in small steps. A group of which all completions are right, or none, has no advantage and
# teaches nothing. On the CPU presets an iteration starts with a pass of supervised training over $D_j$
# (`sft`), which brings more for the same minutes there; GRPO joins from the second iteration on
# (`grpo.steps`; `grpo.steps_first` for the first). What is trained is a small adapter beside the weights
# (`lora`).

# %%
for section in ("lora", "sft", "grpo"):
    display(settings_form(run, section))  # noqa: F821 - IPython's; the same in Python: run.set(sft__epochs=3)

# %% [markdown]
# The view fills while the cell trains. Its still that is saved here was drawn before the first step, so it is
# empty; the last steps are in the table below it.

# %%
training = TrainingView(run, iteration=1)
display(training)  # noqa: F821 - fills while this cell trains
policy = lt.train(run, samples)
policy

# %%
pd.DataFrame(training.history).tail(3)  # every logged step is in training.history

# %% [markdown]
# ## 3 Probe
#
# **Why.** Greedy Capability Probing (section 3.3): decode every sample of $D_j$ greedily and measure how sure
# the policy was,
#
# $$\mathrm{PPL} = \exp\Big(-\frac{1}{L}\sum_{t=1}^{L} \log \pi(y_t \mid x, y_{<t})\Big).$$
#
# Matched: mastered; matched above the threshold: borderline; not matched: failed. The threshold is a quantile
# of the matched ones until you say otherwise.

# %%
settings_form(run, "probe")  # the same in Python: run.set(probe__quantile=0.7)

# %%
probes = lt.probe(run, samples, policy)
{state: sum(p.state == state for p in probes) for state in ("mastered", "borderline", "failed")}

# %%
probe_view = ProbeView(run)  # drag the threshold; brush a range; probe_view.selection is a dataset
probe_view

# %% [markdown]
# ## 4 Verify
#
# **Why.** Judgement-Guided Label Verification (section 3.4): for failed samples only, a judge compares label
# and prediction. `PRED_WRONG`: the label stands, the sample is an error seed. `LABEL_WRONG`: the prediction
# becomes the label, and the sample is an error seed. `BOTH_CORRECT`: kept if its perplexity is high.
# `BOTH_WRONG`: dropped. With $y$ the label and $\hat{y}$ the prediction,
#
# $$D_{PW} = \{(T, c, y) : \text{PRED\_WRONG}\}, \qquad D_{LR} = \{(T, c, \hat{y}) : \text{LABEL\_WRONG}\}.$$
#
# The `evidence` judge needs no language model, and abstains where the evidence is thin.

# %%
settings_form(run, "verify")

# %%
verdicts = lt.verify(run, probes)
pd.Series([v.verdict or "unjudged" for v in verdicts], name="samples").value_counts().to_frame()

# %%
# Your verdict goes before the judge's; review.decisions holds what you decided.
review = DisagreementView(run)
review

# %% [markdown]
# ## 5 Expand
#
# **Why.** Error-Driven Data Expansion (section 3.5): for each error seed of $D_{ES} = D_{PW} \cup D_{LR}$,
# $k$ children that keep the error's pattern and change the scenario. Repeating the seeds instead teaches less
# (the paper's ablation: 73.43 against 74.34). Some children are contrasts on the same ground, where another
# answer is right: other optional values, a value that is missing, a tool that is not on offer. A child passes
# the rules (schema, dialogue form, grounding of every value) and must be new. Several candidates are written
# for each child that is wanted: *passed, but more than wanted* says that its seed has enough.

# %%
settings_form(run, "expand")  # the same in Python: run.set(expand__children=2)

# %%
expanded = lt.expand(run, verdicts)
f"{sum(row.accepted for row in expanded)} of {len(expanded)} candidates accepted"

# %%
expansions = ExpansionView(run)
expansions

# %% [markdown]
# ## 6 Compose
#
# **Why.** What the policy has mastered is dropped; what it fails, nearly fails, or has not seen makes the
# next dataset (section 3.6):
#
# $$D_{j+1} = D_{ES} \cup D_{EE} \cup D_{HPPL} \cup D_{\text{seed-new}}$$
#
# Every row keeps its origin (`members.parquet`). Your decisions from the views above take effect here: change
# one, run this cell again, and compare.

# %%
settings_form(run, "compose")  # the same in Python: run.set(compose__hppl=16)

# %%
# Decisions may have changed what the earlier stages make; they do only what is missing.
probes = lt.probe(run, samples, policy, iteration=1)
expanded = lt.expand(run, verdicts, iteration=1)
composed = lt.compose(run, probes, verdicts, expanded, iteration=1)
composed

# %% [markdown]
# Where the rows come from: the counts of each part, two rows of each with the reason why they are there, and
# the flow of all samples from $D_1$ to $D_2$.

# %%
members = run.table(lt.Members, "members", 2)
rows = pd.DataFrame(
    {"part": m.part, "why": m.why, "request": s.request} for m, s in zip(members, composed, strict=True)
)
display(pd.DataFrame(lt.composition(run)).set_index("dataset"), rows.groupby("part").head(2))  # noqa: F821
LoopMap(run)  # press a band: the samples behind it

# %% [markdown]
# ## 7 Evaluate
#
# **Why.** Greedy exact match (ToolMatch, the reward of section 3.2: equal calls as multisets, equal arguments
# as JSON) on samples that no dataset held: unseen values, unseen phrasings, unseen tools. With $k$ of $n$
# right, $\hat{p} = k/n$ and $z = 1.96$, Wilson's interval goes with every share:
#
# $$\frac{\hat{p} + z^2/2n \;\pm\; z\sqrt{\hat{p}(1 - \hat{p})/n + z^2/4n^2}}{1 + z^2/n}.$$
#
# $\pi_1$ is trained on seed data alone: the policy to beat. Nothing was trained on $D_2$ yet. `base`, the
# model before any training, answers the same requests.

# %%
settings_form(run, "evaluate")

# %%
base, scores = lt.evaluate(run, lt.policy_of(run, 0)), lt.evaluate(run, policy)
right = {name: sum(s.correct for s in table) for name, table in (("base", base), (policy.name, scores))}
f"of {len(scores)} held-out samples right: {right}"

# %% [markdown]
# In brackets the interval: with 60 requests, "37%" means somewhere from 26% to 49% in the run saved here.
# Under it some of the answers that are wrong: what was said, and the kind of the error.

# %%
lt.print_scoreboard(run)
pd.DataFrame(
    {
        "split": s.split.replace("_", " "),
        "kind": s.kind,
        "error": s.error.replace("_", " "),
        "said": words(lt.parse(s.text)),
    }
    for s in scores
    if not s.correct
).head(8)

# %% [markdown]
# ## What next?
#
# Change a decision or a setting above and run the cells below it again: only what depends on it is redone.
# [02_iterate](02_iterate.ipynb) trains on the next datasets too, in a run of its own, and asks after each
# iteration whether another one pays. [03_your_tools](03_your_tools.ipynb) does the same for your functions.
