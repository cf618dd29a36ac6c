"""API keys: no key changes an answer, and none that a server repeats is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted, completion
from paid_calls import at, question

from looptool_kit.core.endpoint import EndpointError, hide_key
from looptool_kit.llm.client import complete

SHORT = ("none", "EMPTY", "x", "ollama", "name", "1", "1234567")
WORDS = ("", "password", "lm-studio", "sk-no-key-required")


@pytest.mark.parametrize("key", WORDS)
def test_no_key_changes_an_answer(store: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of local servers are words, and words stand in answers."""
    monkeypatch.setenv("MY_KEY", key)
    said = json.dumps({"unit": "none", "name": "x1 EMPTY ollama", "1": [1, "none"]})
    with MockLLM(lambda _: said) as server:
        replies = complete([question("a")], at(server, key_env="MY_KEY"), store)
        again = complete([question("a")], at(server, key_env="MY_KEY"), store)
        assert server.log[0]["authorization"] == (f"Bearer {key}" if key else None)
    assert replies[0].text == again[0].text == said and len(server.log) == 1


@pytest.mark.parametrize("key", SHORT)
def test_a_word_that_could_not_be_hidden_is_refused_as_a_key(
    store: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", f" {key}\n")
    with MockLLM(lambda _: "fine") as server:
        with pytest.raises(EndpointError, match=rf"MY_KEY.*holds {len(key)} characters.*unset MY_KEY"):
            complete([question("a")], at(server, key_env="MY_KEY"), store)
        assert not server.log


SECRET = 'sk-very/secret+"\\0123'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.replace("\\", "\\\\").replace('"', '\\"'),
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        "".join(f"\\u{ord(c):04x}" for c in SECRET),
        "".join(f"\\u{ord(c):04X}" for c in SECRET),
        json.dumps(json.dumps(SECRET)),
        "sk-very%2Fsecret%2B%22%5C0123",
        "sk-very%2fsecret%2b%22%5c0123",
    ],
)
def test_a_key_is_hidden_in_every_form_that_a_server_may_write(form: str) -> None:
    assert "secret" not in hide_key(f"a {form} b", SECRET) and hide_key(f"a {form} b", SECRET).startswith(
        "a "
    )
    assert hide_key("sk-very plain", SECRET) == "sk-very plain"
    assert hide_key("none of it", "none") == "none of it" and hide_key("a", "") == "a"


@pytest.mark.parametrize(
    "escape",
    [lambda text: text, lambda text: text.replace("/", "\\/"), lambda text: text.replace("s", "\\u0073")],
)
def test_a_key_that_the_server_repeats_lands_nowhere(
    store: Path, escape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-very/secret-0123"
    monkeypatch.setenv("MY_KEY", secret)
    where = {"answer": "", "beside": "", "error": "", "nonsense": ""}

    def echo(body: dict[str, Any]) -> Scripted:
        kind = body["messages"][0]["content"]
        if kind == "answer":
            return Scripted(escape(completion(f"your key is {secret}", {})))
        if kind == "beside":
            return Scripted(escape(json.dumps({"user": secret} | json.loads(completion("fine", {})))))
        if kind == "error":
            return Scripted(escape(json.dumps({"error": {"message": f"bad key {secret}"}})), 400)
        return Scripted(escape(json.dumps({"said": f"{'x' * 190} {secret}"})))

    with MockLLM(echo) as server:
        replies = complete([question(kind) for kind in where], at(server, key_env="MY_KEY", retries=0), store)
    assert replies[0].text is None and "repeats the API key of MY_KEY" in replies[0].error
    assert replies[1].text == "fine"
    assert replies[2].error == "status 400: bad key [key]"
    assert replies[3].text is None and "not a chat completion" in replies[3].error
    kept = b"".join(p.read_bytes() for p in store.parent.iterdir())
    for text in (repr(replies), kept.decode("utf-8", "replace")):
        assert "secret" not in text and "sk-very" not in text and "\\u0073ecret" not in text
