"""The engine of a vLLM server: the policy runs elsewhere, its tokenizer here.

    python -m vllm.entrypoints.openai.api_server --model CHECKPOINT --block-size 32 \\
           --enable-lora --max-lora-rank 32 \\
           --lora-target-modules q_proj k_proj v_proj o_proj gate_proj up_proj down_proj

With VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 in its environment it takes the adapters that `use` names; it reads
them from disk, so it must see the folder. Without --lora-target-modules scoring ends a CPU server that has
--enable-lora. Prompts go to /v1/completions as token ids, so that they are those of every other engine, and
token ids and log-probabilities come back. These are vLLM's own additions to the protocol (`return_token_ids`,
`prompt_logprobs`); another server is refused with a sentence.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from looptool_kit.core.endpoint import Endpoint, hide_key
from looptool_kit.policy.adapters import check_adapter
from looptool_kit.policy.engines import Chat, Completion, OnBatch, Said, Sampling
from looptool_kit.policy.engines.prompts import TokenEngine
from looptool_kit.policy.engines.vllm import end_tokens, written

PLAIN = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Said each time: a server takes what is left out from the checkpoint's generation settings."""
LARGEST = 2**30
"""Bytes of an answer: a batch of full contexts with the log-probability of every token is a tenth of it."""


class ServedEngine(TokenEngine):
    """Generates and scores through a vLLM server."""

    def __init__(self, endpoint: Endpoint, path: str | Path, batch_size: int = 64):
        """Ask the server what it serves.

        `endpoint.model` is a name that it knows: its base model, or an adapter of `--lora-modules`. `path` is
        the base model's folder here. Raises ConnectionError where no vLLM server answers, ValueError where it
        does not know the model.
        """
        from looptool_kit.policy.models import load_tokenizer

        self.endpoint = endpoint
        self._path = path
        self._model = endpoint.model
        self._loaded: set[str] = set()
        models = self._ask("/models")["data"]
        known = {m["id"]: m for m in models}
        if endpoint.model not in known:
            raise ValueError(f"{endpoint.base_url} serves {', '.join(known)}, not {endpoint.model}.")
        context = next(
            (m["max_model_len"] for m in (known[endpoint.model], *models) if m.get("max_model_len")), None
        )
        if context is None:
            raise ConnectionError(
                f"{endpoint.base_url} is not a vLLM server: it does not say how long a prompt may be."
                f" {REMEDY}"
            )
        super().__init__(load_tokenizer(path), context, end_tokens(path), batch_size)

    def use(self, adapter: str | Path | None) -> None:
        """Answer with this LoRA adapter from now on, with the endpoint's model for None.

        The server loads it without a restart. Raises ValueError for a folder that is no adapter, `RunError`
        for one that is damaged or does not fit the model, ConnectionError where the server does not take it.
        """
        if adapter is None:
            self._model = self.endpoint.model
            return
        check_adapter(adapter, self._path)
        folder = Path(adapter).absolute()
        # A name of its own for other weights in the same folder: the server keeps cached prompts by name.
        name = "adapter-" + hashlib.sha256(f"{folder} {written(folder)}".encode()).hexdigest()[:16]
        if name not in self._loaded:
            self._ask(
                "/load_lora_adapter", {"lora_name": name, "lora_path": str(folder), "load_inplace": True}
            )
            self._loaded.add(name)
        self._model = name

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """`sampling.n` completions for each chat, in order.

        Log-probabilities are those at temperature 1. The server draws samples as it likes. Raises ValueError
        for a prompt that fills the context, ConnectionError where the server stops answering.
        """
        prompts = self._prompts(chats)
        done: list[list[Completion]] = [[] for _ in chats]
        n = 1 if sampling.temperature == 0 else sampling.n
        for batch in self._plan(prompts, sampling.n):
            by_limit = defaultdict(list)  # a request has one limit for all of its prompts
            for i in batch:
                by_limit[min(sampling.max_new_tokens, self.context - len(prompts[i]))].append(i)
            for limit, rows in by_limit.items():
                choices = self._complete(
                    [prompts[i] for i in rows],
                    max_tokens=limit,
                    temperature=sampling.temperature,
                    n=n,
                    logprobs=0,
                    stop_token_ids=sorted(self.ends),
                    ignore_eos=True,
                )
                for at, i in enumerate(rows):
                    mine = [
                        self._completion(c["token_ids"], c["logprobs"]["token_logprobs"])
                        for c in choices[at * n : (at + 1) * n]
                    ]
                    done[i] = mine * (sampling.n // n)
            if on_batch:
                on_batch(batch, [done[i] for i in batch])
        return done

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """Log-probability of each token of `answers[i]`, end token included, after `chats[i]`.

        Raises as `generate` does.
        """
        rows = self._pairs(chats, answers, self.context - 1)
        scores: list[tuple[float, ...]] = [()] * len(rows)
        for batch in self._plan([prompt + tail for prompt, tail in rows], 1):
            choices = self._complete(
                [rows[i][0] + rows[i][1] for i in batch], max_tokens=1, temperature=0, prompt_logprobs=0
            )
            for i, choice in zip(batch, choices, strict=True):
                prompt, tail = rows[i]
                said = choice["prompt_logprobs"][len(prompt) :]
                scores[i] = tuple(at[str(token)]["logprob"] for at, token in zip(said, tail, strict=True))
        return scores

    def _complete(self, prompts: list[tuple[int, ...]], **wanted: Any) -> list[dict[str, Any]]:
        body = {"model": self._model, "prompt": prompts, "return_token_ids": True} | PLAIN | wanted
        choices = sorted(self._ask("/completions", body)["choices"], key=lambda c: c["index"])
        if len(choices) != len(prompts) * wanted.get("n", 1) or any(not c.get("token_ids") for c in choices):
            raise ConnectionError(
                f"{self.endpoint.base_url} gave no token ids, so it is not a vLLM server. {REMEDY}"
            )
        return choices

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        key = self.endpoint.key()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.endpoint.base_url + path, data, {"Content-Type": "application/json"}
        )
        if key:
            request.add_unredirected_header("Authorization", f"Bearer {key}")  # only this server gets it
        try:
            with urllib.request.urlopen(request, timeout=self.endpoint.timeout) as answer:
                said = answer.read(LARGEST + 1)
                if len(said) > LARGEST:
                    raise ValueError(f"it has more than {LARGEST // 2**20} MB")
                return json.loads(said) if path in ("/models", "/completions") else {}
        except urllib.error.HTTPError as error:
            words = hide_key(error.read(2000).decode(errors="replace"), key)[:500]
            said = f"{self.endpoint.base_url}{path} answered {error.code}: {words}"
            raise ConnectionError(f"{said} {LORA_REMEDY}" if path == "/load_lora_adapter" else said) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            words = hide_key(str(reason), key)
            raise ConnectionError(
                f"{self.endpoint.base_url}{path} gave no answer ({words}). {REMEDY}"
            ) from None


REMEDY = "Start one: python -m vllm.entrypoints.openai.api_server --model CHECKPOINT"
LORA_REMEDY = (
    "A server takes adapters with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, --enable-lora and --max-lora-rank,"
    " where it can read their folder."
)
