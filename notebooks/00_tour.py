# %% [markdown]
# # The tour
#
# A walk through one **recorded run** of the loop, stage by stage, in views that you can click in. Nothing is
# trained: *Run All Cells* takes a minute, reading ten. You need Python, and nothing that you know about
# reinforcement learning; the [glossary](#Glossary) at the end explains each word.
#
# **In short:** on 450 requests that it never trained on, the policy (the model in training) went from 51%
# exactly right to 63% in two iterations. On the tools that it adapts to it went from 53% to 72%; on other
# tools it stayed where it was. The last section has the intervals.
#
# The method is LoopTool ([arXiv 2511.09148](https://arxiv.org/abs/2511.09148); sections named below are the
# paper's). A small language model learns to call tools, and its own errors write the next training set. One
# iteration $j$ makes the dataset $D_{j+1}$ out of $D_j$, with the policy $\pi_j$ between them:
#
# $$D_j \;\xrightarrow{\text{train}}\; \pi_j \;\xrightarrow{\text{probe}}\;
# \text{mastered, borderline, failed}
# \;\xrightarrow{\text{verify}}\; \text{verdicts} \;\xrightarrow{\text{expand}}\; \text{children}
# \;\xrightarrow{\text{compose}}\; D_{j+1}$$
#
# The run is a `make loop` on two CPU cores. The embedded model of 135 million parameters calls tools already;
# here it adapts to a dozen that it has never seen. The views are alive once you have run the cells; before
# that you see a still of each.

# %%
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.core import records
from looptool_kit.core.preview import words
from looptool_kit.widgets import (
    CompareView,
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
# next dataset. Red failed, amber was right but unsure, blue is mastered and left out. Click a band: its
# samples are listed below the picture, open in the other views, and are in `loop_map.selection` for Python.

# %%
loop_map = LoopMap(run)
loop_map

# %% [markdown]
# ## Seed: samples (section 3.1)
#
# A sample is (tools, context, label): a dialogue up to one assistant turn, and the calls expected there.
# `kind` says what is asked for: one call (`single`), one of several tools (`choice`), several calls at once
# (`parallel`) or in turns (`multi_turn`, `multi_step`), a question back (`ask`), none (`decline`), or to say
# what a call gave (`finish`). `tools` counts those on offer.

# %%
seeds = run.table(lt.Samples, "samples", 1)
seeds[:6]

# %% [markdown]
# These come from a procedural world of executable tools, so each label is right by construction. One in ten
# is then made wrong **on purpose**, as annotators' labels are. The truth is stored apart, so that we can
# count how many of them the judge finds. In $D_1$ these are wrong:

# %%
truth = {row.sample_id: row.label for row in run.table(records.Truths, "truth", 0)}
pd.DataFrame(
    {"request": s.request, "label": words(s.label), "it should be": words(truth[s.id])}
    for s in seeds
    if s.id in truth
)

# %% [markdown]
# ## Train: a policy (section 3.2)
#
# On the CPU each iteration begins with a pass or two of supervised training over $D_j$ (SFT: make the labels
# more likely). From the second iteration on GRPO follows, which learns from rewards. For each prompt the
# policy writes a group of $G$ completions; each earns $r_i = 1$ if its calls match the label and 0 otherwise;
# its advantage, by which the completion becomes more or less likely, is
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r)}$$
#
# A group in which all do equally well teaches nothing: watch the share of groups without variance. No term
# keeps the policy near its old self (no KL); once a step has raised a token's probability by 28%, or lowered
# it by 20%, the token counts no more in it (the clip).
#
# Each step reads other samples, so a loss that rises says that these were harder. Whether the training
# helped, only requests that it never saw can say.

# %%
TrainingView(run)

# %% [markdown]
# ## Probe: what can it do? (Greedy Capability Probing, section 3.3)
#
# The new policy answers every sample of its own dataset greedily (each time the likeliest token). Over the
# $L$ tokens of the answer the perplexity
#
# $$\mathrm{PPL} = \exp\Big(-\frac{1}{L}\sum_{t=1}^{L} \log \pi(y_t \mid x, y_{<t})\Big)$$
#
# says how sure it was; 1 is complete certainty. Right and sure: mastered, and dropped from the next dataset.
# Right but unsure: borderline, kept. Wrong: failed. The line between sure and unsure is the threshold:
# **drag it**. Letting go writes your decision to `decisions.jsonl`, and the next probe, and with it compose,
# uses it.

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
# The judge compares label and prediction of every *failed* sample, gives its reasons, and returns
# `PRED_WRONG`, `LABEL_WRONG`, `BOTH_CORRECT` or `BOTH_WRONG`. This one needs no language model: it weighs
# evidence. Where that is thin it abstains (`unjudged`). Overrule it with a key from 1 to 4; `?` shows all
# keys.

# %%
review = DisagreementView(run)
review

# %% [markdown]
# Because the errors were planted, the judge can be graded, over both iterations:

# %%
graded = lt.judge_against_truth(run)
pd.Series(
    {
        "answers judged": graded["judged"],
        "left unjudged": graded["unjudged"],
        "failed on a planted error": graded["planted"],
        "of these, the policy's answer is the truth": graded["correctable"],
        "label called wrong": graded["flagged"],
        "of these, on a planted error": graded["right"],
    },
    name="times",
).to_frame()

# %% [markdown]
# Samples with a planted error failed eleven times (eight samples: three of them failed in both iterations).
# The judge called four labels wrong, and all four were. Three of the four got the right label, because the
# policy's answer was the truth; one got another wrong one. With so few errors that is an example, not a
# measure: `looptool judge-check` measures a judge on all kinds.
#
# ## Expand: errors write new data (Error-Driven Data Expansion, section 3.5)
#
# Every error seed (a failed sample whose right label is known by now) gets children that keep the error's
# pattern and change the scenario. Others are contrasts on the same ground, where another answer is right:
# other optional values, a value that is missing, a tool that is not on offer. They keep the policy from
# learning to call in any case. A child must pass the rules (schema, dialogue form, every value supported by
# what was said) and be new to the dataset. *Passed, but more than wanted* means that its seed has enough.

# %%
expansions = ExpansionView(run)
expansions

# %% [markdown]
# ## Compose: the next dataset (section 3.6)
#
# $$D_{j+1} = D_{ES} \cup D_{EE} \cup D_{HPPL} \cup D_{\text{seed-new}}$$
#
# Error seeds under their verified labels (ES), their accepted children (EE), correct answers at high
# perplexity (HPPL), and a fresh slice of seed data. What the judge left unjudged stays as well.

# %%
pd.DataFrame(lt.composition(run)).set_index("dataset")

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
    {"request": text, "under the decision": "gone" if i in before else "new"}
    for i, text in (before | after).items()
    if (i in before) != (i in after)
)

# %% [markdown]
# ## Evaluate: did it help?
#
# Exact match on samples that no dataset held: with unseen values, in unseen phrasings, for unseen tools.
# `base` is the model before any training here, `D1` to `D3` are the policies trained on the three datasets.
# `own tools` are those of the seed data, which the policy adapts to; `other tools` it never trains on: they
# show what it forgets. Every figure has its 95% interval, and policies are compared on the same samples.
# The graded reward gives part of the points for a nearly right answer.

# %%
lt.print_scoreboard(run)

# %% [markdown]
# A mean hides what changed. *Fixed* were wrong and are right, *broken* were right and are wrong:

# %%
CompareView(run, "base", "D3")

# %% [markdown]
# Is that the loop, or would any training have done it? [06_does_it_help](06_does_it_help.ipynb) asks that.
# All of the above on one page, to send to somebody, is the report: `report.html` in the folder `recorded`,
# one level up in the file browser.

# %%
report = lt.report_run(run)  # one self-contained HTML page
print(f"The report is {report}")

# %% [markdown]
# ## Where to go from here
#
# Next comes 01 to see a real training, or 03 if you have tools of your own.
#
# | notebook | what it is |
# | --- | --- |
# | [01_one_iteration](01_one_iteration.ipynb) | the same for real, stage by stage, some ten minutes |
# | [02_iterate](02_iterate.ipynb) | several iterations; what got fixed, what broke; stop or continue? |
# | [03_your_tools](03_your_tools.ipynb) | from your functions to an adapter that calls them, 15 minutes |
# | [04_single_gpu](04_single_gpu.ipynb) | a larger model; needs a GPU |
# | [05_teach](05_teach.ipynb) | the method as a lesson with five exercises; nothing is trained |
# | [06_does_it_help](06_does_it_help.ipynb) | the loop without a part of it, and seed data alone |
#
# ## Glossary
#
# | word | meaning |
# | --- | --- |
# | sample | tools, a dialogue, and its label: the calls, or the reply, that are expected next |
# | label, prediction | the reference answer; the policy's answer under greedy decoding |
# | seed sample | one that was there at the start, not made by the loop; the world or your file gives it |
# | tool, call | a function on offer; one use of it, with arguments |
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
# | completion, group | one sampled answer; all of one prompt, compared with each other by GRPO |
# | advantage | by how much a completion did better than its group |
# | adapter (LoRA) | the small part of the weights that is trained; the rest stays as it was |
# | exact match | the share of answers with exactly the calls of the label, in any order |
# | held out | kept apart for the evaluation; no dataset has it |
# | development samples | held out too, but used to choose the best policy, so no figure is about them |
# | interval | where the true value may well lie, at 95%; a difference whose interval holds 0 may be chance |
# | own tools, other tools | those that the loop adapts to; those that it never trains on |
