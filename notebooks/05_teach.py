# %% [markdown]
# # The method as a lesson
#
# **In short:** what came out stands in no cell here. You find it out by yourself.
#
# Five exercises on the ideas that carry the loop: perplexity, composition, label errors, judges, rewards.
# Nothing is trained. Each exercise is a question, a cell for your answer, and a check that tells you how it
# stands. *Run All* is safe: it shows no solution, and an exercise without an answer just says that it waits.
# `lesson.solution(1)` prints one, if you ask for it.
#
# Read `00_tour` first.

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
# (LoopTool, section 3.3.) Below are the tokens of one answer with their natural-log probabilities. **What is
# its perplexity?** 1 would be complete certainty. By the way: which token was the model least sure of, and
# why there?

# %%
probe = max((p for p in probes if p.correct), key=lambda p: p.perplexity)
logprobs = probe.logprobs
p = [round(math.exp(x), 4) for x in logprobs]
pd.DataFrame({"token": probe.tokens, "log p": [round(x, 4) for x in logprobs], "p": p}).T

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
# choose. Here are the perplexities of all correct answers, and the composition as it stands.

# %%
print("perplexity of the correct answers:", sorted(round(p.perplexity, 4) for p in probes if p.correct))
print(
    "threshold:",
    (run.manifest("probes", j) or {})["threshold"],
    " BOTH_CORRECT:",
    sum(v.verdict == "BOTH_CORRECT" for v in verdicts),
)
print("at the most:", run.settings.compose.hppl, "samples in HPPL")
now = lesson.compose_at(run, None)
pd.DataFrame([now])

# %% [markdown]
# **Set the threshold to 1.0 (or another value) and predict `HPPL` and `total` before you look.** The check
# writes your threshold as a decision, composes, and takes it back.

# %%
my_threshold = 1.0
my_prediction = None  # {"HPPL": ..., "total": ...}

# %%
right = lesson.check_composition(run, my_threshold, my_prediction)
# lesson.solution(2)  # no idea? take away the first "#" and run this cell again

# %% [markdown]
# ## 3. Find the planted label errors
#
# Four of these sixteen labels are wrong, in ways in which annotators go wrong. **Which rows?** Read the
# request against the label, word by word. A label error that survives teaches the model the error; a right
# label that is "corrected" does the same.

# %%
samples = lesson.noisy_samples()[0]
for i, s in enumerate(samples):
    print(
        f"{i:2}  {' / '.join(m.content for m in s.messages)}\n"
        f"    {', '.join(f'{c.name} {c.arguments}' for c in s.label.calls)}\n"
    )

# %%
my_rows = None  # a set of row numbers

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
# and read its trials. (`looptool judge-check RUN` does the same for any judge on a whole run.)

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
# least four ways.

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
my_completion = None  # text, with its <tool_call> tags

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
reply

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
# Take `01_one_iteration`, set `probe.quantile` or `expand.children`, and predict the next dataset before you
# compose it.
