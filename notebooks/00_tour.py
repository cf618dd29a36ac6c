# %% [markdown]
# # The tour
#
# LoopTool ([arXiv 2511.09148](https://arxiv.org/abs/2511.09148)) trains a small language model to call tools,
# and lets the model's own errors write the next training set. One iteration $j$ is
#
# $$D_j \;\xrightarrow{\text{train}}\; \pi_j \;\xrightarrow{\text{probe}}\;
# \text{mastered, borderline, failed}
# \;\xrightarrow{\text{verify}}\; \text{verdicts} \;\xrightarrow{\text{expand}}\; \text{children}
# \;\xrightarrow{\text{compose}}\; D_{j+1}$$
#
# This notebook walks through a **recorded run**: nothing is trained here, and it takes five minutes. It is a
# run of `make loop` on two CPU cores: the embedded 135M model, which calls tools already, adapts to a dozen
# tools that it has never seen.
#
# **In short:** on 450 requests that no dataset held, this policy went from 51% exactly right to 63% in two
# iterations; on the tools that it adapts to from 53% to 72%, on other tools it stayed where it was. The last
# section has the intervals. The words in capitals are explained in the glossary at the end.
#
# Run all cells, then play. `01_one_iteration` does the same for real.

# %%
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.core import records
from looptool_kit.widgets import (
    DisagreementView,
    ExpansionView,
    LoopMap,
    ProbeView,
    TrainingView,
    perplexity_chart,
)

pd.options.display.max_colwidth = 110
run = start.recorded("recorded")  # a copy of your own in runs/recorded: what you decide is kept there
run

# %% [markdown]
# ## The whole loop in one picture
#
# Each band is a flow of samples: from a dataset, by what the policy could do, by the judge's verdict, to the
# next dataset. Click a flow: its samples are in `loop_map.selection`, and every view below opens them.

# %%
loop_map = LoopMap(run)
loop_map

# %%
loop_map.selection  # all samples until you click

# %% [markdown]
# ## Seed: samples (section 3.1)
#
# A sample is (tools, context, label): a dialogue up to one assistant turn, and the calls expected there. The
# seed data here come from a procedural world of executable tools. One label in ten is wrong **on purpose**,
# as annotators' labels are; the truth is stored apart, so that we can measure how many of them the judge
# finds.

# %%
seeds = run.table(lt.Samples, "samples", 1)
seeds[:6]

# %% [markdown]
# ## Train: a policy (section 3.2)
#
# On the CPU each iteration begins with a pass or two of supervised training over $D_j$; then comes GRPO. For
# each prompt the policy writes a group of $G$ completions; each earns $r_i = 1$ if its calls match the label
# and 0 otherwise; its advantage is
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r)}$$
#
# A group in which all do equally well teaches nothing: watch the share of groups without variance. There is
# no KL term, and the clip is asymmetric (0.2 down, 0.28 up).

# %%
TrainingView(run)

# %% [markdown]
# ## Probe: what can it do? (Greedy Capability Probing, section 3.3)
#
# The new policy answers every sample of its own dataset greedily. Over the $L$ tokens of the answer
#
# $$\mathrm{PPL} = \exp\Big(-\frac{1}{L}\sum_{t=1}^{L} \log \pi(y_t \mid x, y_{<t})\Big)$$
#
# says how sure it was. Right and sure: mastered, and dropped from the next dataset. Right but unsure:
# borderline, kept. Wrong: failed. The line between sure and unsure is the threshold: **drag it**. Letting go
# writes your decision to `decisions.jsonl`, and the next probe, and with it compose, uses it.

# %%
probe_view = ProbeView(run)
probe_view

# %% [markdown]
# The same perplexities, all iterations at once: zoom in with the mouse, point at a dot to read its request.

# %%
perplexity_chart(run).show("plotly_mimetype")

# %% [markdown]
# ## Verify: who is wrong, model or label? (Judgement-Guided Label Verification, section 3.4)
#
# The judge compares label and prediction of every *failed* sample and returns `PRED_WRONG`, `LABEL_WRONG`,
# `BOTH_CORRECT` or `BOTH_WRONG`, with its reasons. This one needs no language model: it weighs evidence.
# Where the evidence is thin it abstains, and says so. Overrule it with a key.

# %%
review = DisagreementView(run)
review

# %% [markdown]
# Because the errors were planted, the judge can be graded. `flagged` are its `LABEL_WRONG` verdicts, `right`
# those of them on a planted error.

# %%
lt.judge_against_truth(run)

# %% [markdown]
# In the recorded run eleven failed samples have a planted error. The judge flagged four, and each of the four
# has one; of the five on which the policy was right, so that its answer can take the label's place, it found
# three. With so few errors that is an example, not a measure: `looptool judge-check` measures a judge on all
# kinds.
#
# ## Expand: errors write new data (Error-Driven Data Expansion, section 3.5)
#
# Every error seed gets children that keep the error's pattern and change the scenario. A child must pass the
# rules (schema, dialogue form, every value supported by what was said) and be new to the dataset.

# %%
expansions = ExpansionView(run)
expansions

# %% [markdown]
# ## Compose: the next dataset (section 3.6)
#
# $$D_{j+1} = D_{ES} \cup D_{EE} \cup D_{HPPL} \cup D_{\text{seed-new}}$$
#
# Error seeds under their verified labels, their accepted children, correct answers at high perplexity, and a
# fresh slice of seed data.

# %%
pd.DataFrame(lt.composition(run))

# %% [markdown]
# Your decisions count here. Below, one verdict is overruled and the next dataset composed again: the sample
# is gone, its children too, and the children of other errors may take their places. Then the decision is
# undone, and all is as before. Stages do only what is missing, so nothing is trained or decoded for that.

# %%
j = max(i for i in run.iterations if run.manifest("verdicts", i))
verdicts = run.table(records.Verdicts, "verdicts", j)
seed_ids = {row.seed_id for row in run.table(records.Expansions, "expansions", j) if row.accepted}
chosen = next(v for v in verdicts if v.verdict == "PRED_WRONG" and v.sample_id in seed_ids)


def next_dataset() -> dict[str, str]:
    """D_{j+1} under the decisions in force: sample id -> request."""
    probes = lt.probe(run, iteration=j)
    expanded = lt.expand(run, verdicts, iteration=j)
    return {s.id: s.request for s in lt.compose(run, probes, verdicts, expanded, iteration=j)}


before = next_dataset()
run.decide(
    "verdict", chosen.sample_id, "BOTH_WRONG", reason="the tour tries it out", author="tour", iteration=j
)
after = next_dataset()
run.decide("verdict", chosen.sample_id, "undo", author="tour", iteration=j)
again = next_dataset()

print(
    f"D{j + 1}: {len(before)} samples, {len(after)} under the decision, {len(again)} after undo;"
    f" as before: {again == before}"
)
pd.DataFrame(
    {"sample": i, "dataset": "without the decision" if i in before else "under the decision", "request": text}
    for i, text in (before | after).items()
    if (i in before) != (i in after)
)

# %% [markdown]
# ## Evaluate: did it help?
#
# Exact match on samples that no dataset held: unseen values, unseen phrasings, unseen tools. `own tools` are
# those of the seed data, which the policy adapts to; `other tools` it never trains on: they show what it
# forgets. Every figure has its 95% interval, and policies are compared on the same samples, pair by pair.

# %%
lt.print_scoreboard(run)

# %%
report = lt.report_run(run)  # one self-contained HTML page
print(f"The report is {report}")

# %% [markdown]
# ## Where to go from here
#
# | notebook | what it is |
# | --- | --- |
# | `01_one_iteration` | the same for real: stages and their settings, a run to stop and resume, views |
# | `02_iterate` | several iterations; what got fixed, what regressed; stop or continue |
# | `03_your_tools` | from your own Python functions to a trained adapter that calls them |
# | `04_single_gpu` | a larger model |
# | `05_teach` | the method as a lesson with exercises |
# | `06_does_it_help` | the loop against itself without a part, and against seed data alone |
#
# ## Glossary
#
# | word | meaning |
# | --- | --- |
# | sample | tools, a dialogue, and its label: the calls, or the reply, that are expected next |
# | label, prediction | the reference answer; the policy's answer under greedy decoding |
# | policy, `base`, `D1`, `D2` | one state of the model; `D2` was trained on the dataset $D_2$ |
# | probe | one sample's prediction with its perplexity and its state |
# | perplexity (PPL) | how unsure the policy was of its answer: 1 is complete certainty |
# | mastered, borderline, failed | right and sure; right at high perplexity; wrong |
# | verdict | a judge's decision on a failed sample, `unjudged` where the evidence is thin |
# | `PRED_WRONG` | the prediction is wrong: the label stands, the sample is an error seed |
# | `LABEL_WRONG` | the label is wrong: the prediction, or a new label, takes its place |
# | `BOTH_CORRECT`, `BOTH_WRONG` | two right answers, kept at high perplexity; two wrong ones, dropped |
# | error seed (ES) | a failed sample whose right label is known; new samples are made from it |
# | child (EE) | a sample made from an error seed by error-driven expansion |
# | HPPL | right answers at high perplexity, which stay in the next dataset |
# | GCP, JGLV, EDDE | the paper's names of probe, verify and expand |
# | GRPO, SFT | training by rewards of sampled answers; training on labels |
# | own tools, other tools | those that the loop adapts to; those that it never trains on |
