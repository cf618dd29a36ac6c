"""The evidence judge on values that are all said: which one the request means, and where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages.verify.evidence import judge_one

MOVE = Tool(
    name="move_event",
    description="Move a calendar event to another time.",
    parameters={
        "type": "object",
        "properties": {
            "event_id": {"type": "string"},
            "new_start": {"type": "string", "description": "New start, YYYY-MM-DDTHH:MM."},
            "date": {"type": "string", "format": "date"},
        },
        "required": ["event_id", "new_start"],
    },
)
LIST = Tool(
    name="list_events",
    description="List the events of a day.",
    parameters={
        "type": "object",
        "properties": {"date": {"type": "string", "format": "date"}},
        "required": ["date"],
    },
)
EVENTS = '{"events": [{"event_id": "EV-82663", "date": "2027-06-22", "start": "18:45"}]}'


def moved(turns: tuple[Message, ...], label: Answer, prediction: Answer) -> str | None:
    messages = (Message(role="system", content="Today is Monday, 2027-06-21."), *turns)
    return judge_one(
        Sample(tools=(LIST, MOVE), messages=messages, label=Label(calls=label.calls)), prediction
    ).verdict


@pytest.mark.parametrize("turns", [1, 2])
def test_what_the_user_asks_last_outweighs_a_result_and_a_date_that_a_call_has_used(turns: int) -> None:
    """A small model copies what it has just read; the copy is said, and wrong all the same."""
    looked_up = (
        Message(
            role="assistant", tool_calls=(ToolCall(name="list_events", arguments={"date": "2027-06-22"}),)
        ),
        Message(role="tool", content=EVENTS),
    )
    if turns == 1:
        dialogue = (
            Message(
                role="user",
                content=(
                    "Please list my events for tomorrow, then shift the one to the 24th of June at 08:30."
                ),
            ),
            *looked_up,
        )
    else:
        dialogue = (
            Message(role="user", content="Please list my events for tomorrow."),
            *looked_up,
            Message(role="assistant", content="There is one, EV-82663."),
            Message(role="user", content="Shift it to the 24th of June at 08:30."),
        )
    right = Answer(
        calls=(
            ToolCall(name="move_event", arguments={"event_id": "EV-82663", "new_start": "2027-06-24T08:30"}),
        )
    )
    for start in ("2027-06-22T18:45", "2027-06-22T08:30"):
        copied = Answer(
            calls=(ToolCall(name="move_event", arguments={"event_id": "EV-82663", "new_start": start}),)
        )
        assert moved(dialogue, right, copied) == "PRED_WRONG"
        assert moved(dialogue, copied, right) == "LABEL_WRONG"
    surplus = Answer(
        calls=(ToolCall(name="move_event", arguments={**right.calls[0].arguments, "date": "2027-06-22"}),)
    )
    assert moved(dialogue, right, surplus) != "LABEL_WRONG"


def tool(name: str, description: str, *required: str, **properties: Any) -> Tool:
    properties = {k: {"type": "string"} for k in required} | properties
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": properties, "required": list(required)},
    )


CANCEL = tool(
    "cancel_rental",
    "Cancel a car rental.",
    "rental_id",
    refund={"type": "string", "enum": ["card", "credit"], "default": "card"},
)
ADD = tool(
    "add_songs",
    "Add songs to a playlist.",
    "playlist_id",
    "titles",
    titles={"type": "array", "items": {"type": "string"}},
)


def test_an_identifier_of_another_thing_does_not_overrule_a_refusal() -> None:
    """The policy uses the only tool that cancels something; what is to be cancelled is not what that tool
    cancels.
    """
    refusal = Label(reply="I'm afraid I'm unable to cancel a plane ticket; I don't have a tool for it.")
    call = Answer(
        calls=(ToolCall(name="cancel_rental", arguments={"rental_id": "TK-254362", "refund": "card"}),)
    )

    def asked(request: str) -> str | None:
        return judge_one(
            Sample(tools=(CANCEL, LIST), messages=(Message(role="user", content=request),), label=refusal),
            call,
        ).verdict

    assert asked("Get ticket TK-254362 cancelled with the refund as a transfer to my bank.") != "LABEL_WRONG"
    assert (
        asked("Get my rental TK-254362 cancelled with the refund as a transfer to my bank.") == "LABEL_WRONG"
    )


def test_a_piece_of_a_code_supports_no_made_up_value() -> None:
    message = Message(role="user", content="Please add some songs to playlist PL-32615 at the beginning")
    call = Answer(
        calls=(ToolCall(name="add_songs", arguments={"playlist_id": "PL-32615", "titles": ["Song 32615"]}),)
    )
    question = Label(reply="Sure. Which songs should I add?")
    assert judge_one(Sample(tools=(ADD,), messages=(message,), label=question), call).verdict == "PRED_WRONG"


def test_a_value_said_for_a_later_step_is_not_missing_from_the_first() -> None:
    """The policy puts all it has read into the first call; the label looks up the playlist first, as the user
    said.
    """
    lists = tool("list_playlists", "List the saved playlists.", genre={"type": "string"})
    first, stuffed = (
        Answer(calls=(ToolCall(name="list_playlists", arguments=a),))
        for a in ({}, {"genre": "The Pale Violin"})
    )

    def asked(request: str) -> str | None:
        message = Message(role="user", content=request)
        return judge_one(
            Sample(tools=(lists, ADD), messages=(message,), label=Label(calls=first.calls)), stuffed
        ).verdict

    assert (
        asked(
            'First show me the saved playlists, then include "The Pale Violin" in the one called "Road Trip".'
        )
        != "LABEL_WRONG"
    )
    assert (
        asked('List my playlists, and once that\'s done put "The Pale Violin" on "Late Night Session".')
        != "LABEL_WRONG"
    )
    assert asked('Show me my saved playlists of "The Pale Violin".') == "LABEL_WRONG"


LIGHTS = tool(
    "set_lights", "Set the lights of a room.", "room", room={"type": "string"}, brightness={"type": "integer"}
)
LOCK = tool(
    "lock_doors_of_house", "Lock doors.", "doors", doors={"type": "array", "items": {"type": "string"}}
)
ADD = tool(
    "add_to_album",
    "Add photos to an album.",
    "album_id",
    album_id={"type": "string"},
    photo={"type": "string"},
)
ALBUMS = [
    {"id": f"AL-{n}", "name": name} for n, name in ((11, "Summer in Rome"), (22, "Old Cars"), (33, "Cats"))
]
FOUND = (
    ToolCall(name="list_albums", arguments={}),
    Message(role="tool", name="list_albums", content=json.dumps({"albums": ALBUMS})),
)


@pytest.mark.parametrize(
    ("of", "request_", "results", "right", "wrong"),
    [
        (LIGHTS, "Set the lights in the home office to 40.", (), {"room": "home office"}, {"room": "office"}),
        (
            LOCK,
            "Lock the front door and the gate.",
            (),
            {"doors": ["front door", "gate"]},
            {"doors": ["gate", "gate"]},
        ),
        (
            ADD,
            "List my albums, then add it to the album called Old Cars.",
            FOUND,
            {"album_id": "AL-22"},
            {"album_id": "AL-11"},
        ),
        (
            ADD,
            "List my albums, then add it to the last album on the list.",
            FOUND,
            {"album_id": "AL-33"},
            {"album_id": "AL-11"},
        ),
        (
            ADD,
            "List my albums, then add it to the first one on the list.",
            FOUND,
            {"album_id": "AL-11"},
            {"album_id": "AL-22"},
        ),
    ],
)
def test_of_two_values_that_are_said_the_meant_one_wins(
    of: Tool, request_: str, results: Any, right: Any, wrong: Any
) -> None:
    turns = [Message(role="user", content=request_)]
    if results:
        call, result = results
        turns += [Message(role="assistant", tool_calls=(call,)), result]
    for label, prediction, verdict in ((right, wrong, "PRED_WRONG"), (wrong, right, "LABEL_WRONG")):
        calls = [
            (ToolCall(name=of.name, arguments={**a, **({"brightness": 40} if of is LIGHTS else {})}),)
            for a in (label, prediction)
        ]
        s = Sample(
            tools=(of, tool("list_albums", "List the albums.")),
            messages=tuple(turns),
            label=Label(calls=calls[0]),
        )
        assert judge_one(s, Answer(calls=calls[1])).verdict == verdict


def test_where_the_rest_of_a_mention_is_the_tools_own_word_nothing_is_decided_by_length() -> None:
    s = Sample(
        tools=(LIGHTS,),
        messages=(Message(role="user", content="Set the kitchen lights to 40."),),
        label=Label(),
    )
    calls = [
        (ToolCall(name="set_lights", arguments={"room": room, "brightness": 40}),)
        for room in ("kitchen", "kitchen lights")
    ]
    found = judge_one(s.model_copy(update={"label": Label(calls=calls[0])}), Answer(calls=calls[1]))
    assert found.verdict in (None, "PRED_WRONG")


LOCK = tool(
    "lock_doors",
    "Lock doors.",
    doors={"type": "array", "items": {"type": "string"}},
    arm_alarm={"type": "boolean"},
)
VOLUME = tool("set_volume", "Turn a speaker up or down.", "speaker", "level", level={"type": "integer"})
GENRES = tool("create_mix", "Make a mix.", genres={"type": "array", "items": {"type": "string"}})


def doors(*names: str, **more: Any) -> ToolCall:
    return ToolCall(name="lock_doors", arguments={"doors": list(names), **more})


@pytest.mark.parametrize(
    "request_, label, prediction",
    [
        (
            "Lock the patio door, and turn the bedroom speaker to 55.",
            (
                doors("patio door"),
                ToolCall(name="set_volume", arguments={"speaker": "bedroom", "level": 55}),
            ),
            (
                doors("patio door", "bedroom"),
                ToolCall(name="set_volume", arguments={"speaker": "bedroom", "level": 55}),
            ),
        ),
        (
            "Make a mix of blues music.",
            (ToolCall(name="create_mix", arguments={"genres": ["blues"]}),),
            (ToolCall(name="create_mix", arguments={"genres": ["blues", "blues music"]}),),
        ),
        (
            "Lock the basement door and arm the alarm.",
            (doors("basement door", arm_alarm=True),),
            (doors("basement door", "arm_alarm"),),
        ),
    ],
    ids=["said of another argument", "other words for an item", "a parameter's name"],
)
def test_a_longer_list_is_not_right_for_an_item_that_is_not_meant(
    request_: str, label: tuple[ToolCall, ...], prediction: tuple[ToolCall, ...]
) -> None:
    sample = Sample(
        tools=(LOCK, VOLUME, GENRES),
        messages=(Message(role="user", content=request_),),
        label=Label(calls=label),
    )
    assert judge_one(sample, Answer(calls=prediction)).verdict in (None, "PRED_WRONG")
    swapped = sample.model_copy(update={"label": Label(calls=prediction)})
    assert judge_one(swapped, Answer(calls=label)).verdict in (None, "LABEL_WRONG")


def test_a_longer_list_is_right_where_the_user_lists_more() -> None:
    message = Message(role="user", content="Lock the patio door and the side door.")
    sample = Sample(tools=(LOCK,), messages=(message,), label=Label(calls=(doors("patio door"),)))
    assert judge_one(sample, Answer(calls=(doors("patio door", "side door"),))).verdict == "LABEL_WRONG"


LYRICS = tool(
    "search_lyrics",
    "Find songs by words from their lyrics.",
    "lyrics",
    artist={"type": "string"},
    max_year={"type": "integer"},
)
QUESTION = Label(reply="Which words do you remember from the lyrics?", asks=True)


@pytest.mark.parametrize(
    "request_, verdict",
    [
        ("Find a song by its lyrics, sung by The Quiet Foxes in 1995 or earlier.", (None, "PRED_WRONG")),
        ("I know its lyrics. It is performed by The Quiet Foxes, 1995 or earlier.", (None, "PRED_WRONG")),
        ("Find a song with the lyrics The Quiet Foxes from 1995 or earlier.", ("LABEL_WRONG",)),
    ],
)
def test_a_question_stands_where_the_value_is_not_introduced_as_what_it_asks_for(
    request_: str, verdict: tuple[str | None, ...]
) -> None:
    call = ToolCall(name="search_lyrics", arguments={"lyrics": "The Quiet Foxes", "max_year": 1995})
    sample = Sample(tools=(LYRICS,), messages=(Message(role="user", content=request_),), label=QUESTION)
    assert judge_one(sample, Answer(calls=(call,))).verdict in verdict


def test_a_call_that_was_made_loses_against_the_next_step() -> None:
    """In three loops this was a third of the wrong labels that the judge left or kept."""
    text = {"type": "string"}
    tools = (
        tool("create_playlist", "Create a playlist.", "title", title=text),
        tool("add_song", "Add a song.", "playlist", "song", playlist=text, song=text),
    )
    made = ToolCall(name="create_playlist", arguments={"title": "Golden Hits"})
    turns = (
        Message(role="user", content='Create the playlist "Golden Hits", then put "The Wild River" into it.'),
        Message(role="assistant", tool_calls=(made,)),
        Message(role="tool", content=json.dumps({"playlist": "PL-34179"})),
    )
    nxt = ToolCall(name="add_song", arguments={"playlist": "PL-34179", "song": "The Wild River"})
    for label, prediction, verdict in ((made, nxt, "LABEL_WRONG"), (nxt, made, "PRED_WRONG")):
        case = Sample(tools=tools, messages=turns, label=Label(calls=(label,)))
        found = judge_one(case, Answer(calls=(prediction,)))
        assert found.verdict == verdict and found.confidence >= 0.95, found


def test_a_question_for_what_is_missing_tells_more_than_any_question() -> None:
    lights = tool(
        "set_lights", "Set lights.", "room", "level", room={"type": "string"}, level={"type": "integer"}
    )
    label = Label(calls=(ToolCall(name="set_lights", arguments={"room": "attic", "level": 40}),))
    case = Sample(
        tools=(lights,), messages=(Message(role="user", content="Set the lights to 40"),), label=label
    )
    pointed = judge_one(case, Answer(text="In which room?"))
    assert pointed.verdict == "LABEL_WRONG" and pointed.confidence >= 0.95
    vague = judge_one(case, Answer(text="Could you tell me more about what you need?"))
    assert vague.confidence < 0.95 and vague.for_prediction is not None
    assert pointed.for_prediction is not None and vague.for_prediction < pointed.for_prediction


@pytest.mark.parametrize("cut", ["is ORD-17918", "Pacifica on April"])
def test_words_cut_out_beside_a_value_lose(cut: str) -> None:
    whole, request = ("ORD-17918", "My order is ORD-17918.") if "ORD" in cut else (
        "Pacifica", "The forecast for Pacifica on April 11th, 2023, please."
    )  # fmt: skip
    more = {} if "ORD" in cut else {"date": "2023-04-11"}
    look = tool("look_up", "Look it up.", "what", what={"type": "string"}, date={"type": "string"})

    def call(value: str) -> ToolCall:
        return ToolCall(name="look_up", arguments={"what": value, **more})

    case = Sample(
        tools=(look,), messages=(Message(role="user", content=request),), label=Label(calls=(call(whole),))
    )
    assert judge_one(case, Answer(calls=(call(cut),))).verdict == "PRED_WRONG"
