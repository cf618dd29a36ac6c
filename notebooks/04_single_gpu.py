# %% [markdown]
# # A larger model on one GPU
#
# How to run the loop with a larger model, and what that takes, before anything is downloaded. You see what
# this machine has, what each preset needs of memory and time, and, on a GPU, the loop itself. Without a GPU
# *Run All Cells* takes seconds and stops nowhere: the cells that need one do nothing.
#
# **In short:** by arithmetic, 0.6 billion parameters fit a GPU of 16 GB and 8 billion one of 80 GB. No result
# of a run is saved here, since **none of these presets has run to the end of a loop** yet. What was tried
# where is in `docs/gpu.md`.
#
# The loop, the run folder and the views are those of [01_one_iteration](01_one_iteration.ipynb); the words
# are explained in the [glossary](00_tour.ipynb#Glossary).
#
# | GPU memory | preset | who trains and writes |
# | --- | --- | --- |
# | 16 GB without bfloat16 (T4, free notebooks) | `single-gpu-16gb` | TRL, transformers |
# | 24, 40, 80 GB | `single-gpu-0.6b`, `-4b`, `-8b` | Unsloth, and vLLM on the same frozen weights |
#
# TRL and Unsloth are libraries that train, transformers and vLLM are libraries that generate.
#
# **What it needs.** An NVIDIA GPU with CUDA; `make setup` on that machine, which installs the `gpu` extra;
# the model, from the hub or a folder; some GB of disk.
#
# **On [Colab](https://colab.research.google.com/)** choose *File > Upload notebook* there and take this file,
# choose a GPU under *Runtime > Change runtime type*, and write the address of the repository into the next
# cell. The preset for 16 GB needs neither Unsloth nor vLLM, so the cell installs neither.

# %%
import importlib.util
import os
import subprocess
import sys

REPOSITORY = ""  # on Colab: "https://..." or the path of an uploaded checkout
if importlib.util.find_spec("looptool_kit") is None:
    if not REPOSITORY:
        raise RuntimeError("write the address of the repository into this cell, then run it again")
    subprocess.run(["git", "clone", "--depth", "1", REPOSITORY, "looptool"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", "looptool[train,lab]"], check=True)
    os.chdir("looptool/notebooks")
    sys.path[:0] = [os.getcwd(), os.path.dirname(os.getcwd())]  # this kernel started before the installation

# %%
import pandas as pd
import start
import torch

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.doctor import diagnose_machine
from looptool_kit.stages.train.estimate import estimate
from looptool_kit.stages.train.unsloth import why_not
from looptool_kit.widgets import DisagreementView, LoopMap, ProbeView, TrainingView, settings_form

SHOWN = (
    "processor",
    "memory",
    "GPU",
    "what fits on it",
    "torch",
    "engine vllm",
    "variables for vllm",
    "trainer unsloth",
)
found = {row.name: row for row in diagnose_machine()}
pd.options.display.max_colwidth = 110
pd.DataFrame(
    {"what": name, "found": found[name].value, "remedy": found[name].remedy}
    for name in SHOWN
    if name in found
)

# %%
GPU = torch.cuda.is_available()
PRESET = "single-gpu-16gb"
reason = why_not()  # the trainer unsloth, on this machine
if not reason and torch.cuda.is_bf16_supported(including_emulation=False):
    PRESET = "single-gpu-0.6b"
if not GPU:
    print("No GPU here: the cells below that need one do nothing. 01_one_iteration is this loop on the CPU.")
else:
    print(f"The preset is {PRESET}.", f"On this machine {reason}" if reason else "")

# %% [markdown]
# ## What will it take?
#
# Memory and time of one iteration's training, for the GPU that the preset has in mind. Both are arithmetic:
# the memory by formula, the time at a share of the GPU's peak (35% where none was measured). Probing and
# evaluating come on top. The first two train the same model: that for 16 GB on a quarter of the
# samples, with fewer and shorter completions, so its minutes are few.

# %%
PRESETS = ("single-gpu-16gb", "single-gpu-0.6b", "single-gpu-4b", "single-gpu-8b")
some = world.generate(60, seed=0)
rows = []
for name in PRESETS:
    wanted = lt.load_preset(name)
    of_size = [some[i % len(some)] for i in range(wanted.seeds.first)]
    needs = estimate(wanted, of_size, wanted.sft.epochs, wanted.grpo.steps_first or wanted.grpo.steps)
    minutes = (needs.sft_seconds + needs.steps * needs.step_seconds) / 60
    rows.append(
        {
            "preset": name,
            "model": wanted.model,
            "memory": f"{needs.total:.0f} of {needs.gpu:.0f} GB",
            "fits": "yes" if needs.fits else "no",
            "GRPO steps": needs.steps,
            "minutes of training": f"{minutes:.0f}",
        }
    )
pd.DataFrame(rows)

# %% [markdown]
# ## Settings
#
# The paper's recipe for GRPO: completions at temperature 1, clip 0.2 and 0.28, no KL; 16 completions of each
# prompt and batches of 128 prompts, for 16 GB 8 and 8. What differs: an adapter in place of all weights, and
# a ninth of the data or less. `unsloth.four_bit` makes a model fit a smaller GPU.

# %%
if GPU:
    run = start.open_run("single-gpu", PRESET)
    display(settings_form(run, "sft"), settings_form(run, "grpo"))  # noqa: F821 - IPython's

# %% [markdown]
# Your own tools instead of the world's: `run = lt.init("runs/mine", tools="my_tools.py", preset=PRESET)`, or
# the requests of [03_your_tools](03_your_tools.ipynb).
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
# - *Out of memory*: a smaller model; with Unsloth `unsloth.four_bit = true`, a smaller `unsloth.micro_batch`
#   or `max_seq_length`.
# - *The hub does not answer*: give a folder as `model`.
# - Anything else: run the cell again, it resumes where it stopped. `looptool doctor` in a terminal says what
#   is missing, and the remedy.
#
# ## What next?
#
# [06_does_it_help](06_does_it_help.ipynb) shows how to tell whether a run helped. `docs/gpu.md` has the
# formulas and what was measured.
