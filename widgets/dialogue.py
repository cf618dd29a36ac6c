"""A dialogue of TryView: one value, which a page keeps as text and gives back when it is loaded again."""

from __future__ import annotations

from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Frozen, Label, Message, Sample

NO_SAMPLE = {"made": None, "text": "", "told": ""}
"""A change of a `Dialogue`: no sample of it can be taken back."""


class Dialogue(Frozen):
    """What was said, the newest answer, and its sample."""

    messages: tuple[Message, ...] = ()
    """Without the system message."""
    asked: Sample = Sample(tools=(), messages=(), label=Label())
    """What the newest answer is to: policy and tools may be chosen again before it becomes a sample."""
    by: str = ""
    """The policy that gave the newest answer."""
    newest: Probe | None = None
    """The newest answer, which stays to be kept or corrected when it has become a turn."""
    turned: bool = False
    """Whether it is a turn of the dialogue already."""
    right: Label | None = None
    """The right answer that was kept of it: the dialogue continues from that."""
    ran: Label | None = None
    """What of it was executed: the answer or the right one."""
    made: Sample | None = None
    """The sample of it that can be taken back."""
    text: str = ""
    """What that was made of."""
    told: str = ""
    """What was said then."""

    @property
    def answer(self) -> Probe | None:
        """The newest answer, while it is no turn of the dialogue."""
        return None if self.turned else self.newest

    @property
    def said(self) -> Label:
        """The newest answer, or the right one that was kept."""
        if self.right is not None:
            return self.right
        return self.newest.answer.label if self.newest else Label()

    def turn(self) -> tuple[Message, ...]:
        """The newest answer as a turn; empty where it is one already."""
        if self.answer is None:
            return ()
        said = self.said
        text = "" if said.calls else said.reply or self.answer.text
        return (Message(role="assistant", content=text, tool_calls=said.calls),)

    def memory(self) -> str:
        """The dialogue as text; empty where none has begun."""
        return "" if self == Dialogue() else self.model_dump_json()
