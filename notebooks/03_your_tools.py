# %% [markdown]
# # Your own tools
#
# From Python functions (or an OpenAPI file) to a trained adapter that calls them, in ten to fifteen minutes
# on two cores. The example is a bicycle workshop: five functions in `your_tools/tools.py` and some forty
# requests in `your_tools/requests.jsonl`, written by hand as you would write yours. At the end the model
# calls them.
#
# **In short:** in the run that is saved here a policy that never saw these tools gets 19 of 29 new requests
# exactly right, 23 after training on the requests below and 22 after an iteration of the loop. From start to
# end that is +10 points [-9, +28]: 29 requests are too few to tell whether it helped. Write more of your own.
#
# **What you bring.** Functions with type hints and docstrings, and two or three dozen requests with the calls
# you expect. No language model writes data here: your requests are multiplied by swapping values (dates,
# names, numbers, choices), so their *wordings* remain yours. Write many different ones.
#
# Stop at any time; it resumes where it stopped. The words of the loop are in the
# [glossary](00_tour.ipynb#Glossary) of the tour.

# %%
import json
from random import Random

import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.widgets import DisagreementView, ExpansionView, LoopMap, ProbeView

pd.options.display.max_colwidth = 110
HERE = start.example("your_tools")  # the folder beside this notebook

# %% [markdown]
# ## Tools
#
# From functions: names, types and texts come from the signature and the docstring; nothing is called.
# `openapi.json`, an OpenAI tools list or `mcp:<command or URL>` do as well.

# %%
tools = tuple(lt.load_tools(HERE / "tools.py"))
if (HERE / "openapi.json").exists():
    print("the OpenAPI file gives:", ", ".join(t.name for t in lt.load_tools(HERE / "openapi.json")))
pd.DataFrame(
    {
        "tool": t.name,
        "description": t.description,
        "parameters": ", ".join(t.properties),
        "required": ", ".join(t.required),
    }
    for t in tools
)

# %% [markdown]
# ## Requests
#
# One JSON object a line: what the user says, and the calls expected. Where something is missing or no tool
# helps, the label is a plain reply: `mentions` are words of which a right reply must have at least one,
# `asks` says that it must be a question. Rows with `held_out` are never trained on.


# %%
def sample(row: dict) -> lt.Sample:
    """A request of yours as a sample over all your tools."""
    messages = (
        lt.Message(role="system", content=f"Today is {row['today']}."),
        lt.Message(role="user", content=row["request"]),
    )
    label = lt.Label(**{k: row[k] for k in ("calls", "reply", "mentions", "asks") if k in row})
    split = "held_out" if row.get("held_out") else "train"
    return lt.Sample(
        tools=tools,
        messages=messages,
        label=label,
        split=split,
        kind="call" if label.calls else "reply",
        source="file:requests.jsonl",
    )


own = lt.Samples(
    sample(json.loads(line)) for line in (HERE / "requests.jsonl").read_text(encoding="utf-8").splitlines()
)
print(", ".join(f"{n} {split}" for split, n in pd.Series([s.split for s in own]).value_counts().items()))
own[::5]

# %% [markdown]
# The rule tier checks each: schema, dialogue form, and whether every value of the call is supported by what
# was said. What it finds is nearly always a slip of the pen, and cheaper to fix here than to train on.

# %%
for s in own:
    for check in lt.check_sample(s):
        if not check.passed:
            print(f"{s.request}  ->  {check.name}: {check.detail}")
print(f"{len(own)} requests checked")

# %% [markdown]
# ## Multiply
#
# The `slots` expander (the part of the loop that writes new samples from given ones) swaps values
# consistently in request and label, so the labels stay exact. Held-out requests are multiplied apart from the
# others, with values of their own, and near-duplicates of anything already there are left out. Grammar is not
# looked at: "a pedals" may come out.

# %%
from looptool_kit.stages.expand.slots import children

CHILDREN = 5
seen, grown = lt.Deduplicator(own), list(own)
for split in ("train", "held_out"):
    rows = own.where(lambda s, split=split: s.split == split)
    for s in rows:
        for child in children(s, (), CHILDREN if split == "train" else 3, Random(s.id), rows):
            if seen.duplicate_of(child) is None:
                seen.add(child)
                grown.append(child)
lt.Samples(grown[len(own) :: 16])

# %% [markdown]
# Templates read the tools alone: names, descriptions, types. They are correct by construction and dull, and
# fill in what you did not think of: questions back where something is missing, two calls in one request,
# requests that no tool serves. (With no requests of your own at all, `lt.init("runs/mine", tools="tools.py")`
# makes a whole run from them.)

# %%
from looptool_kit.stages.seed import templates

written = templates.generate(tools, 60, seed=0)
lt.Samples(written[::8])

# %%
# A run takes samples in the order of its file: your own requests come first, the others mixed after them.
others = [*grown[len(own) :], *(s for s in written if seen.duplicate_of(s) is None)]
Random(0).shuffle(others)
pool = [*own, *others]
seeds = lt.Samples(pool).write(start.RUNS / "your-tools.jsonl")
pd.Series([s.split for s in pool]).value_counts()

# %% [markdown]
# ## The loop
#
# The same loop as everywhere, from your file: train, evaluate, probe, verify, expand, compose, train again.
# Rows of another split than `train` are the held-out set. The first 96 of the others begin, the next 24 join
# in the second dataset, and the rest is left over: more of them would teach more and take longer. `sft` and
# `expand` set how long it is trained and how many children each error gets (`looptool settings sft`). This is
# the cell that takes the minutes.

# %%
PRESET = "cpu-quick"  # or "cpu"
run = start.open_run(
    "your-tools", PRESET, iterations=1, seeds__source=str(seeds), seeds__first=96, seeds__fresh=[24],
    sft__epochs=2, sft__learning_rate=5e-4, sft__micro_tokens=1500, expand__children=2, expand__most=40,
)  # fmt: skip
lt.Loop(run).run()

# %%
LoopMap(run)

# %% [markdown]
# Look through the failures, then through what the policy was unsure of, and the samples that were written
# from its errors: with a file of your own there are no planted errors, so a `LABEL_WRONG` here means that one
# of *your* labels may be wrong.

# %%
DisagreementView(run)

# %%
ProbeView(run)

# %%
ExpansionView(run)

# %% [markdown]
# Did it help? `base` is the model as it came, `D1` after training on your requests, `D2` after an iteration
# of the loop. In the saved run the first training brought four of 29 and the iteration took one of them back:
# chance alone may do either. The intervals in brackets are wide: that is what 29 requests can tell, and these
# are ten wordings of yours with other values, which tell less than 29 wordings would.

# %%
lt.print_scoreboard(run)

# %% [markdown]
# ## Use it
#
# The adapter is an ordinary PEFT folder. A new request goes in; what comes out is parsed by the same parser
# that trained it, and the rule tier reads it as it read your requests: schema, dialogue form, and whether
# every value was said. Only then does your function run. What the rules object to is shown, never executed.
# `TryView(run)` of `looptool_kit.widgets` is a chat box with the same checks.

# %%
from your_tools import tools as workshop

from looptool_kit.core.preview import words

policy = lt.policy_of(run, run.iteration)
print("adapter:", policy.adapter)


def ask(request: str, today: str = "Monday, 2026-11-23") -> None:
    """Let the policy answer a request, and execute what it calls."""
    chat = sample({"today": today, "request": request, "reply": "?"})
    [[completion]] = lt.open_engine(policy, run.settings.probe.batch).generate(
        [chat], lt.Sampling(run.settings.probe.max_new_tokens)
    )
    answer = completion.answer(tools)
    print(f"> {request}")
    if answer.error:
        print(f"  no usable answer ({answer.error}): {answer.text!r}")
    elif not answer.calls:
        print(f"  says: {answer.text}")
    asked = chat.model_copy(update={"label": lt.Label(calls=answer.calls)})
    against = [f"{check.name}: {check.detail}" for check in lt.check_sample(asked) if not check.passed]
    for call in answer.calls:
        print(f"  {words(call)}")
        if against:
            print(f"    not executed: {'; '.join(against)}")
        else:
            print(f"    -> {getattr(workshop, call.name)(**call.arguments)}")


for request in (
    "Do you have any saddle below 40 euros?",
    "Please reserve 2 of BP-2041.",
    "Book a brake check for Nora Berg on 2026-11-30.",
    "Cancel repair REP-4001.",
    "When are you open on Sunday?",
    "Please wash my car.",
):
    ask(request)

# %% [markdown]
# ## With your own
#
# 1. Put your functions and requests into a folder beside `your_tools`, in the same form.
# 2. Change `HERE` in the first cell, and the `import` and the requests under *Use it*.
# 3. Delete `runs/your-tools`, or give the run another name, and run all cells.
#
# What helps most, in this order: more different wordings for each tool; requests that leave something out,
# with the question you expect; requests that no tool serves; and a look at every `LABEL_WRONG`.
#
# Without requests of your own, `looptool init runs/mine --tools my_tools.py` in a terminal writes some from
# your functions. A larger model is in [04_single_gpu](04_single_gpu.ipynb), and how to tell whether it helped
# in [06_does_it_help](06_does_it_help.ipynb).
