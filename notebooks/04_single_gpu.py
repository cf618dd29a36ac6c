# %% [markdown]
# # A larger model on one GPU
#
# The same loop, the same run folder and the same views, with an instruct model of 0.6B to 8B parameters in place of the embedded one.
#
# **What exists today.** Training, probing and judging run on `transformers` and TRL; where torch finds a GPU they use it. That path has been run on
# CPUs only so far: on a GPU take it as a first try, and tell us. **Unsloth training and generation with vLLM are not in this version**, so
# a GPU is used less well here than it could be. Nothing below pretends otherwise.
#
# **What it needs.**
#
# | | |
# | --- | --- |
# | GPU | NVIDIA with CUDA |
# | memory | training keeps the weights in float32, 4 bytes a parameter, and as much again for activations, see the table below |
# | model | from the hub, or a folder on this machine: any instruct model whose chat template knows tools, or ChatML |
# | disk | weights, cached once; a run folder of some hundred MB |

# %%
import pandas as pd
import start

import looptool_kit as lt
from looptool_kit.doctor import diagnose_machine
from looptool_kit.widgets import DisagreementView, LoopMap, ProbeView, TrainingView, settings_form

found = {row.name: row for row in diagnose_machine()}
pd.DataFrame([row for row in found.values() if row.name in ("processor", "memory", "GPU", "torch", "engine vllm", "trainer unsloth", "model hub")])

# %%
GPU = found["GPU"].ok is True and "sees the GPU" in found["torch"].value
if not GPU:
    print("This machine has no GPU that torch can use, so the cells below do nothing. Take 01_one_iteration: the same loop on the CPU.")

# %% [markdown]
# ## Which model fits?
#
# Float32 weights, and about as much again for activations and the optimiser of the adapter. A rough lower bound, not a measurement.

# %%
models = {"Qwen/Qwen3-0.6B": 0.6, "Qwen/Qwen3-1.7B": 1.7, "Qwen/Qwen3-4B": 4.0, "Qwen/Qwen3-8B": 8.2}
pd.DataFrame({"model": name, "weights, GB": 4 * size, "at least, GB": 8 * size} for name, size in models.items())

# %% [markdown]
# ## Settings
#
# A model that calls tools by itself needs no warm start: GRPO from the first iteration, nearer to the paper's (16 completions a prompt,
# temperature 1, clip 0.2 and 0.28, no KL). The paper's batch of 128 and its learning rate of 1e-6 are for full weights on many GPUs; an
# adapter wants more.

# %%
MODEL = "Qwen/Qwen3-0.6B"  # or a folder
if GPU:
    run = start.open_run(
        "single-gpu", "cpu", model=MODEL, iterations=2, seeds__first=320, seeds__fresh=[64, 32], sft__epochs=0, sft__epochs_later=0,
        grpo__steps_first=20, grpo__steps=20, grpo__prompts=8, grpo__group=16, probe__batch=64, expand__children=4, expand__most=240,
    )  # fmt: skip
    display(settings_form(run, "grpo"))  # noqa: F821 - IPython's

# %% [markdown]
# ## The loop

# %%
if GPU:
    training = TrainingView(run)
    display(training)  # noqa: F821
    lt.Loop(run).run()

# %%
if GPU:
    from looptool_kit.summary import print_scoreboard

    print_scoreboard(run)
    display(LoopMap(run), ProbeView(run), DisagreementView(run))  # noqa: F821

# %% [markdown]
# ## When it stops
#
# - *Out of memory*: a smaller `grpo.group` or `grpo.prompts`, `grpo.gradient_checkpointing = true`, a smaller model.
# - *The hub does not answer*: give a folder as `MODEL`.
# - Anything else: run the cell again, it goes on where it stopped. `looptool doctor` in a terminal says what is missing, and the remedy.
