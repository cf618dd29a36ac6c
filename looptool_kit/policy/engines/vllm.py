"""The engine `vllm`: vLLM in this process, on a GPU or by its CPU build (docs/engines.md).

Prompts go in as token ids, so that they are those of every other engine. Prompt beginnings that were computed
stay in vLLM's prefix cache, LoRA adapters are swapped without a restart, and on a GPU a sleeping engine
leaves its memory to a trainer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from looptool_kit.policy.adapters import WEIGHTS, check_adapter, lora_settings
from looptool_kit.policy.engines import Chat, Completion, OnBatch, Said, Sampling
from looptool_kit.policy.engines.prompts import TokenEngine

BLOCK = 32
"""Tokens of a block of the KV cache on the CPU. Only whole blocks are shared, and the CPU build's own 128 are
more than most prompts differ by.
"""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Greatest LoRA ranks that vLLM can be opened for (`vllm.config.lora.MaxLoRARanks`)."""
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What adapters may change: the linear layers that the trainers adapt. Without this bound vLLM also prepares
the output layer for adapters, and on the CPU `prompt_logprobs` then end the engine.
"""
CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process: starts in seconds
    # GiB; by itself it asks for nearly all memory, and stops where that is not free.
    "VLLM_CPU_KVCACHE_SPACE": "2",
}


def why_not() -> str:
    """Why this machine has no vLLM engine, and the remedy; empty where it has one."""
    if importlib.util.find_spec("vllm") is not None:
        return ""
    return (
        "the engine vllm is not installed here: on a machine with a GPU `make setup` installs it, without one"
        ' `make test-vllm` builds an environment that has its CPU build, and engine = "transformers" needs'
        " neither."
    )


class VllmEngine(TokenEngine):
    """Generates and scores with a model in vLLM.

    Greedy answers are those of the `transformers` engine up to numerical ties.
    """

    def __init__(
        self,
        path: str | Path,
        dtype: Any = None,
        batch_size: int = 64,
        rank: int = 32,
        memory: float | None = None,
    ):
        """Load the checkpoint folder `path`.

        `batch_size` completions decode at once; adapters have at most LoRA rank `rank`. `dtype`: torch's or
        its name. `memory`: the share of a GPU's memory that it takes. Raises ValueError without vLLM.
        """
        if reason := why_not():
            raise ValueError(reason)
        import torch

        from looptool_kit.policy.models import default_dtype, load_tokenizer

        gpu = torch.cuda.is_available()
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        if not gpu:
            cores = (
                os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
            )
            # In a process of its own it would leave one idle.
            threads = {"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, sorted(cores)))}
            for name, value in (CPU_ENVIRONMENT | threads).items():
                os.environ.setdefault(name, value)
        from transformers import AutoConfig
        from vllm import LLM
        from vllm.platforms import current_platform

        context = AutoConfig.from_pretrained(path).max_position_embeddings
        super().__init__(load_tokenizer(path), context, end_tokens(path), batch_size)
        wanted = dtype or default_dtype()
        self._set_threads = torch.set_num_threads
        self._path = path
        self.rank = next(r for r in RANKS if r >= rank)
        share = {} if memory is None else {"gpu_memory_utilization": memory}
        self.llm = LLM(
            str(path),
            dtype=wanted if isinstance(wanted, str) else str(wanted).removeprefix("torch."),
            max_model_len=-1,  # the model's own, or what its memory holds of that
            max_num_seqs=batch_size,
            enable_prefix_caching=True,
            enable_lora=True,
            max_lora_rank=self.rank,
            lora_target_modules=list(MODULES),
            enable_sleep_mode=current_platform.is_sleep_mode_available(),
            **(share if gpu else {"block_size": BLOCK, "enforce_eager": True}),
        )
        # On the CPU vLLM puts a function in its place that does nothing, for good and for the whole process.
        torch.set_num_threads = self._set_threads
        self.context = self.llm.model_config.max_model_len
        self._can_sleep = current_platform.is_sleep_mode_available()
        self._asleep = False
        self._gave_back = 0
        self._adapters: dict[tuple[str, int], int] = {}
        self._adapter: Any = None

    # ---------------------------------------------------------------- state

    def use(self, adapter: str | Path | None) -> None:
        """Answer with this LoRA adapter from now on, with the base model for None.

        Raises ValueError for an adapter that this engine cannot hold, `RunError` for one that is damaged or
        does not fit the model.
        """
        from vllm.lora.request import LoRARequest

        if adapter is None:
            self._adapter = None
            return
        check_adapter(adapter, self._path)
        if (rank := rank_of(adapter)) > self.rank:
            raise ValueError(
                f"{adapter} has LoRA rank {rank}; this engine was opened for {self.rank} at the most. Open it"
                f" with rank={rank}."
            )
        modules = lora_settings(adapter)["target_modules"]  # a pattern, or names
        if other := sorted({*([modules] if isinstance(modules, str) else modules)} - set(MODULES)):
            raise ValueError(
                f"{adapter} also changes {', '.join(other)}, which this engine leaves as they are. Take"
                ' engine = "transformers".'
            )
        folder = Path(adapter).absolute()
        # vLLM keeps adapters and cached prompts by name and number, and the folder may hold new weights.
        known = self._adapters.setdefault((str(folder), written(folder)), len(self._adapters) + 1)
        self._adapter = LoRARequest(f"adapter-{known}", known, str(folder))

    def sleep(self) -> bool:
        """Leave the GPU to a trainer: weights go to main memory, cached prompts are dropped.

        False where the platform cannot; nothing happens then.
        """
        if self._can_sleep and not self._asleep:
            import torch

            before = torch.cuda.mem_get_info()[0]
            self.llm.sleep(level=1)
            self._gave_back = torch.cuda.mem_get_info()[0] - before
            self._asleep = True
        return self._can_sleep

    def can_wake(self) -> bool:
        """Whether it is awake, or the memory that it gave back is free."""
        import torch

        return not self._asleep or torch.cuda.mem_get_info()[0] >= self._gave_back

    def wake(self) -> None:
        """Take the GPU back after `sleep`; generating and scoring do so themselves."""
        if self._asleep:
            self.llm.wake_up()
            self._asleep = False

    def close(self) -> None:
        """Free all memory; the engine cannot be used any more."""
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        self.llm.llm_engine.engine_core.shutdown()
        del self.llm
        cleanup_dist_env_and_memory()

    # ----------------------------------------------------------------- work

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """`sampling.n` completions for each chat, in order.

        Log-probabilities are natural logs of the model's own distribution, at temperature 1 whatever the
        sampling's temperature. On a GPU samples are drawn by a random stream of (seed, prompt); the CPU build
        has one stream for all, so there `sampling.seed` decides nothing and two calls differ. Raises
        ValueError for a prompt that fills the context.
        """
        prompts = self._prompts(chats)
        done: list[list[Completion]] = [[] for _ in chats]
        batches = self._plan(prompts, sampling.n)
        # Only who wants to keep batches pays for waiting at the end of each.
        for batch in batches if on_batch else [[i for b in batches for i in b]]:
            params = [self._params(sampling, prompts[i]) for i in batch]
            for i, output in zip(batch, self._run([prompts[i] for i in batch], params), strict=True):
                made = [self._read(o) for o in output.outputs]
                done[i] = made * (sampling.n // len(made))
            if on_batch:
                on_batch(batch, [done[i] for i in batch])
        return done

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """Log-probability of each token of `answers[i]`, end token included, after `chats[i]`.

        Raises ValueError where the two fill the context: vLLM writes a token after them.
        """
        from vllm import SamplingParams

        rows = self._pairs(chats, answers, self.context - 1)
        order = [i for batch in self._plan([prompt + tail for prompt, tail in rows], 1) for i in batch]
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        scores: list[tuple[float, ...]] = [()] * len(rows)
        for i, output in zip(
            order, self._run([rows[i][0] + rows[i][1] for i in order], [params] * len(order)), strict=True
        ):
            prompt, tail = rows[i]
            said = output.prompt_logprobs[len(prompt) :]
            scores[i] = tuple(at[token].logprob for at, token in zip(said, tail, strict=True))
        return scores

    def _params(self, sampling: Sampling, prompt: tuple[int, ...]) -> Any:
        import torch
        from vllm import SamplingParams

        greedy = sampling.temperature == 0
        own = int.from_bytes(hashlib.sha256(f"{sampling.seed} {prompt}".encode()).digest()[:4], "big")
        return SamplingParams(
            n=1 if greedy else sampling.n,  # vLLM refuses several greedy completions
            temperature=sampling.temperature,
            # A seed for each request ends the CPU engine.
            seed=own if torch.cuda.is_available() and not greedy else None,
            max_tokens=min(sampling.max_new_tokens, self.context - len(prompt)),
            logprobs=0,
            stop_token_ids=sorted(self.ends),
            ignore_eos=True,  # `ends` has it: so all engines stop at the same tokens
            detokenize=False,
        )

    def _run(self, prompts: list[tuple[int, ...]], params: list[Any]) -> list[Any]:
        from vllm import TokensPrompt

        if not prompts:
            return []
        self.wake()
        asked = [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        return self.llm.generate(asked, params, use_tqdm=False, lora_request=self._adapter)

    def _read(self, output: Any) -> Completion:
        ids = list(output.token_ids)
        return self._completion(
            ids, [at[token].logprob for at, token in zip(output.logprobs, ids, strict=True)]
        )


def end_tokens(path: str | Path) -> list[int]:
    """The tokens that end an answer, by a checkpoint's generation settings.

    By its configuration where it has no such settings.
    """
    from transformers import AutoConfig, GenerationConfig

    own = (Path(path) / "generation_config.json").is_file()
    ends = (GenerationConfig if own else AutoConfig).from_pretrained(path).eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or [])


def rank_of(adapter: str | Path) -> int:
    """The LoRA rank of a PEFT adapter's folder; raises as `lora_settings` does."""
    return int(lora_settings(adapter)["r"])


def written(adapter: Path) -> int:
    """When a PEFT adapter's weights were written, in nanoseconds."""
    return (adapter / WEIGHTS).stat().st_mtime_ns
