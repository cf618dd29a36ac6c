# %% [markdown]
# # The method as a lesson
#
# Five exercises on the ideas that carry the loop: perplexity, composition, label errors, judges, rewards.
# Nothing is trained. *Run All Cells* takes half a minute, the exercises about an hour. Each is a question, a
# cell for your answer, and a check that tells you how it stands.
#
# **In short:** you will find out that label errors survive where nobody looks, that a judge without a
# language model has holes, and that a reward pays for what it says, not for what was meant. No answer is
# shown before you ask: `lesson.solution(1)` prints one, and an exercise without an answer just says that it
# waits.
#
# Read [00_tour](00_tour.ipynb) first; its [glossary](00_tour.ipynb#Glossary) explains the words. The samples
# are those of the recorded run that the tour shows, in a copy of your own.

# %%
import math

import lesson
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.core import records
from looptool_kit.core.preview import words

pd.options.display.max_colwidth = 160
run = start.recorded("teach")
j = lesson.last_judged(run)
probes = run.table(records.Probes, "probes", j)
verdicts = run.table(records.Verdicts, "verdicts", j)
run

# %% [markdown]
# ## 1. Perplexity by hand
#
# $$\mathrm{PPL} = \exp\Big(-\frac{1}{L}\sum_{t=1}^{L} \log p(y_t)\Big)$$
#
# (LoopTool, section 3.3.) Below are the tokens of one answer, each with its probability $p$ and the natural
# logarithm of it. **What is the answer's perplexity?** 1 would be complete certainty. By the way: which token
# was the model least sure of, and why there?

# %%
probe = max((p for p in probes if p.correct), key=lambda p: p.perplexity)
logprobs = probe.logprobs
asked = run.table(lt.Samples, "samples", j).by_id()[probe.sample_id]
print("asked:", asked.request)
pd.DataFrame(
    {"token": token, "p": f"{math.exp(x):.4f}", "log p": f"{x:.4f}"}
    for token, x in zip(probe.tokens, logprobs, strict=True)
)

# %%
my_perplexity = None  # a number, or Python: `logprobs` is the tuple above

# %%
right = lesson.check_perplexity(my_perplexity, probe)
# lesson.solution(1)  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# ## 2. Move the threshold, predict the composition
#
# $D_{j+1} = D_{ES} \cup D_{EE} \cup D_{HPPL} \cup D_{\text{seed-new}}$ (section 3.6). $D_{HPPL}$ are the
# correct answers whose perplexity lies **above** the threshold; the paper names none and lets a person
# choose. Rows that the judge calls `BOTH_CORRECT` count as correct here. `HPPL` has an upper limit: of more
# answers than that the least sure ones are kept. Below: the correct answers, the least sure first, and the
# composition as it stands.

# %%
correct = sorted((p.perplexity for p in probes if p.correct), reverse=True)
print(f"{len(correct)} correct answers; {sum(v.verdict == 'BOTH_CORRECT' for v in verdicts)} BOTH_CORRECT")
print(f"threshold now: {(run.manifest('probes', j) or {})['threshold']:.4f}")
print(f"at most in HPPL: {run.settings.compose.hppl}")
print("the 16 least sure:", *(f"{x:.3f}" for x in correct[:16]))
print("(all of them: `correct`)")
now = lesson.compose_at(run, None)
pd.DataFrame([now], index=["now"])

# %% [markdown]
# **Set the threshold to 1.0 and predict `HPPL` and `total` before you look. Then set it to 1.1: what changes,
# and why only then?** The check writes your threshold as a decision, composes, and takes it back.

# %%
my_threshold = 1.0
my_prediction = None  # {"HPPL": ..., "total": ...}

# %%
right = lesson.check_composition(run, my_threshold, my_prediction)
# lesson.solution(2)  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# ## 3. Find the planted label errors
#
# Four of these sixteen labels are wrong, in ways in which annotators go wrong. **Which rows?** Under each
# dialogue stands its label; read the request against it, word by word. A label error that survives teaches
# the model the error; a right label that is "corrected" does the same.

# %%
samples = lesson.noisy_samples()[0]
for i, s in enumerate(samples):
    print(f"{i:2}  {' / '.join(m.content for m in s.messages)}\n    {words(s.label)}\n")

# %%
my_rows = None  # a set of row numbers, as {0, 1}

# %%
right = lesson.check_planted(my_rows)
# lesson.solution(3)  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# A judge that overrules a label needs a model that is right where the label is wrong. Early in a loop the
# model is rarely right, so `LABEL_WRONG` is rare, and worth a look by a person: that is what
# `DisagreementView` is for.
#
# ## 4. Fool the judge
#
# The evidence judge (section 3.4, without a language model) weighs what each answer has for it: schema,
# values that were said, what the user asked for. In these situations the **label is right**. **Write a wrong
# answer that the judge takes for right**, so that it returns `LABEL_WRONG` or `BOTH_CORRECT`.

# %%
for i, s in enumerate(lesson.SITUATIONS):
    print(f"{i}  {s.request}\n   label: {words(s.label)}\n")
print("tools:", ", ".join(f"{t.name}({', '.join(t.properties)})" for t in lesson.TOOLS))

# %%
my_situation = None  # 0, 1 or 2
my_calls = [lt.ToolCall(name="set_timer", arguments={"minutes": 10})]

# %%
right = lesson.check_fooled(my_situation, *my_calls)
# lesson.solution(4)  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# Every judge has such holes; a language model's are elsewhere (it likes the answer that it saw first, and
# long ones). So a verdict here carries its evidence, thin evidence gives no verdict at all, and what a person
# decides goes before the judge.
#
# How good is it where nobody tries to fool it? Its report card on sixteen other samples, whose labels are
# right: known errors are planted in them, and the judge is asked with the wrong answer as label, as
# prediction, and beside another wrong one. **In which kind of error is it weakest, and why?** Press the kind
# and read its trials. *Precision*: of its `LABEL_WRONG` verdicts, those where the label was wrong and the
# prediction right. *Recall*: of all such trials, those that it called so. (`looptool judge-check RUN` does
# the same for any judge on a whole run.)

# %%
from looptool_kit.studies.judge_check import ask, trials
from looptool_kit.widgets import JudgeCheckView

true = list(lesson.right_samples())
answered, _ = ask(true, trials(true), run.settings, run.path / "judge_check")
JudgeCheckView(answered, true)

# %% [markdown]
# ## 5. Break the reward
#
# GRPO maximises the reward, not what you meant (section 3.2). **a)** Here is a reward as people write it in a
# hurry, over sets: read `lesson.naive_reward`. **Write a wrong completion that it pays for.** There are at
# least four ways. Start from the right answer, which is printed last, and change it.

# %%
import inspect

print(inspect.getsource(lesson.naive_reward))
move = lt.Tool(
    name="move",
    parameters={
        "type": "object",
        "properties": {
            "start": {"type": "string"},
            "end": {"type": "string"},
            "stops": {"type": "array", "items": {"type": "integer"}},
            "fast": {"type": "boolean"},
        },
    },
)
drive = lt.Sample(
    tools=(move,),
    messages=(
        lt.Message(
            role="user",
            content="Go from A to B by stops 2 and 3, fast. Then from B to A the same way back, fast.",
        ),
    ),
    label=lt.Label(
        calls=(
            lt.ToolCall(name="move", arguments={"start": "A", "end": "B", "stops": [2, 3], "fast": True}),
            lt.ToolCall(name="move", arguments={"start": "B", "end": "A", "stops": [3, 2], "fast": True}),
        )
    ),
)
print(lt.render_answer(drive.label))

# %%
my_completion = None  # text, with its <tool_call> tags, as printed above

# %%
right = lesson.check_naive(my_completion, drive)
# lesson.solution("5a")  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# **b)** Now this project's own reward. For a plain reply there is nothing to match, so a label may say what a
# right reply has to mention. **Write a useless reply, one that speaks of bananas, that still earns 1.**

# %%
reply = lt.Label(
    reply="For which date, and for how many people?",
    mentions=(("date", "day", "when"), ("how many", "people", "guests")),
    asks=True,
)
print("a right reply:", reply.reply)
print(
    "a reply earns 1 if it is a question and has a word of each:",
    *(" / ".join(m) for m in reply.mentions),
    sep="\n  ",
)

# %%
my_reply = None  # text

# %%
right = lesson.check_bananas(my_reply, reply)
# lesson.solution("5b")  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# So a reward that reads words can be had by words. With greedy probing, people looking at samples, and few
# plain replies in the data that is bearable; a policy that collects reward with bananas shows in
# `TrainingView`, among the sampled completions, long before it shows in a mean.
#
# ## What to try next
#
# Take [01_one_iteration](01_one_iteration.ipynb), set `probe.quantile` or `expand.children`, and predict the
# next dataset before you compose it. Whether the loop helps more than other training is the question of
# [06_does_it_help](06_does_it_help.ipynb).
