# %% [markdown]
# # A larger model on one GPU
#
# The same loop, the same run folder and the same views, with an instruct model of 0.6B to 8B parameters in
# place of the embedded one: Unsloth trains an adapter, and vLLM writes GRPO's completions on the same GPU and
# the same frozen weights.
#
# **Read this first.** No GPU was at hand when this was written: the presets and the trainer below **have
# never run on one**. Their calls are compared with the libraries' sources, the reward and the data are tested
# on the CPU, and the figures are arithmetic (`docs/gpu.md`). Probing and evaluation run on vLLM too, by the
# setting `engine`; `docs/engines.md` says which parts were tried.
#
# **What it needs.** An NVIDIA GPU with CUDA, of the size in the table below; `make setup` on that machine,
# which installs the `gpu` extra; the model, from the hub or a folder; some GB of disk.

# %%
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.doctor import diagnose_machine
from looptool_kit.stages.train.estimate import estimate
from looptool_kit.stages.train.unsloth import why_not
from looptool_kit.widgets import DisagreementView, LoopMap, ProbeView, TrainingView, settings_form

found = {row.name: row for row in diagnose_machine()}
pd.DataFrame(
    [
        found[name]
        for name in ("processor", "memory", "GPU", "torch", "engine vllm", "trainer unsloth")
        if name in found
    ]
)

# %%
reason = why_not()
GPU = not reason
if reason:
    print(
        f"On this machine {reason}\n\nThe cells below that need a GPU do nothing."
        " 01_one_iteration is the same loop on the CPU."
    )

# %% [markdown]
# ## What will it take?
#
# Memory and time of one iteration's training by formula, before anything is downloaded, for the GPU that the
# preset has in mind.

# %%
PRESETS = ("single-gpu-0.6b", "single-gpu-4b", "single-gpu-8b")
some = world.generate(60, seed=0)
for name in PRESETS:
    wanted = lt.load_preset(name)
    of_size = [some[i % len(some)] for i in range(wanted.seeds.first)]
    print(
        f"{name}: {wanted.model}\n"
        f"{estimate(wanted, of_size, wanted.sft.epochs, wanted.grpo.steps_first).words()}\n"
    )

# %% [markdown]
# ## Settings
#
# The paper's recipe: 16 completions of each prompt at temperature 1, batches of 128 prompts, clip 0.2 and
# 0.28, no KL. What differs: an adapter in place of all weights, and a ninth of the data. `unsloth.four_bit`
# makes a model fit a smaller GPU.

# %%
PRESET = PRESETS[0]
if GPU:
    run = start.open_run("single-gpu", PRESET)
    display(settings_form(run, "unsloth"), settings_form(run, "grpo"))  # noqa: F821 - IPython's

# %% [markdown]
# Your own tools instead of the world's: `run = lt.init("runs/mine", tools="my_tools.py", preset=PRESET)`, or
# the requests of `03_your_tools`.
#
# ## The loop

# %%
if GPU:
    training = TrainingView(run)
    display(training)  # noqa: F821 - fills while this cell trains
    lt.Loop(run).run()

# %%
if GPU:
    lt.print_scoreboard(run)
    display(LoopMap(run), ProbeView(run), DisagreementView(run))  # noqa: F821

# %% [markdown]
# ## The adapter, and the model
#
# `adapter` is an ordinary PEFT folder; `merged` is a checkpoint that any server takes.

# %%
if GPU:
    out = lt.save_merged(lt.policy_of(run, run.iteration), run.path / "merged")
    print(f"the merged model is in {out}")

# %% [markdown]
# ## When it stops
#
# - *Out of memory*: `unsloth.four_bit = true`, a smaller `unsloth.micro_batch` or `max_seq_length`, a smaller
#   model.
# - *The hub does not answer*: give a folder as `model`.
# - Anything else: run the cell again, it resumes where it stopped. `looptool doctor` in a terminal says what
#   is missing, and the remedy.
