"""A policy for the tests of `TryView`, which says what it is told to."""

from __future__ import annotations

import json

from looptool_kit.core.samples import Sample
from looptool_kit.policy.engines import Completion, Sampling

ARGUMENTS = {"device": "humidifier", "action": "off", "time": "06:30"}
CALL = {"name": "create_device_timer", "arguments": ARGUMENTS}


class Speaker:
    """An engine that says what it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.says = f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>"
        self.heard: list[Sample] = []

    def generate(self, chats: list[Sample], sampling: Sampling) -> list[list[Completion]]:
        self.heard += chats
        return [[Completion(self.says, (1, 2), (-0.25, -1.5), ("a", "b"), "stop")] for _ in chats]
