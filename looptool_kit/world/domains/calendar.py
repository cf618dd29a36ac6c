"""Calendar: events, reminders, alarms, free time."""

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    DATE,
    DATETIME,
    EMAIL,
    TASK,
    TIME,
    TITLE,
    boolean,
    clock,
    constant,
    count,
    duration,
    enum,
    identifier,
    list_of,
    record,
)

EVENT = identifier("EV", "event", 5)
REMINDER = identifier("RM", "reminder")

DOMAIN = Domain.of(
    "calendar",
    T(
        "create_event",
        "Add an event to the calendar.",
        [
            P("title", TITLE, ask="What should the event be called?", words=("called", "title", "name")),
            P("start", DATETIME, ask="When does it start?", words=("when", "time", "date")),
            P("duration", duration(15, 180, 15), "for {}", "lasting {}", also="It will take {}.", desc="minutes", opt=True),
            P("attendees", list_of(EMAIL, 1, 2), "with {}", "and invite {}", opt=True),
        ],
        do=[
            "add an event",
            "create a calendar event",
            "put an event on my calendar",
            "schedule a meeting",
            "set up a meeting",
            "block time on my calendar for an event",
        ],
        need=["an event on my calendar", "a new calendar entry", "a meeting scheduled"],
        why=["We finally agreed on a time.", "I don't want to forget this one."],
        out={"event_id": EVENT, "status": constant("created")},
        makes=EVENT,
        reply="The event is on your calendar as {event_id}.",
    ),
    T(
        "list_day_events",
        "List the calendar events of a day.",
        [
            P("date", DATE, "{@}", "for {}"),
            P("calendar", enum("work", "family", "school", clauses=("on my {} calendar", "in the {} calendar")), opt=True),
        ],
        do=["list my events", "show my schedule", "check my agenda", "look up my appointments", "go through my calendar entries"],
        ask=["what's on my schedule", "what do I have planned", "which events do I have", "what appointments do I have"],
        out={"events": list_of(record(event_id=EVENT, title=TITLE, start=TIME), 2, 3)},
        lists=EVENT,
        reply="You have {events.n} events; the first one listed is {events.0.title}.",
    ),
    T(
        "move_event",
        "Move a calendar event to another start time.",
        [
            P("event_id", EVENT),
            P("new_start", DATETIME, "to {}", ask="When should it start instead?", words=("when", "time", "date")),
            P("notify", boolean("and notify everyone|and let the guests know", "without notifying anyone"), opt=True),
        ],
        do=["move {event_id}", "reschedule {event_id}", "shift {event_id}", "push {event_id}", "move an event on my calendar", "reschedule an event"],
        why=["Something came up.", "The time doesn't work any more."],
        out={"event_id": "=event_id", "conflicts": count(1, 4)},
        changes=EVENT,
        reply="The event is moved; it now has {conflicts} conflicts.",
    ),
    T(
        "delete_event",
        "Delete an event from the calendar.",
        [P("event_id", EVENT)],
        do=[
            "delete {event_id}",
            "remove {event_id}",
            "take {event_id} off my calendar",
            "cancel {event_id}",
            "delete an event",
            "remove an event from my calendar",
        ],
        out={"event_id": "=event_id", "freed_minutes": duration(15, 120, 15)},
        cancels=EVENT,
        reply="The event is deleted, which frees {freed_minutes}.",
    ),
    T(
        "find_free_slot",
        "Find free time on a day.",
        [
            P("date", DATE),
            P("duration", duration(15, 180, 15), "of {}", "lasting {}", desc="minutes", ask="How long should the slot be?"),
            P("earliest", clock(8, 12), "starting {} or later", "no earlier than {}", opt=True),
        ],
        do=["find a free slot", "find an open slot", "look for a gap in my calendar", "find some free time", "search for an opening in my schedule"],
        need=["a free slot", "a gap in my calendar", "an open slot"],
        out={"slots": list_of(clock(13, 19), 1, 2)},
        reply="You are free at {slots.0}.",
        held=True,
    ),
    T(
        "set_reminder",
        "Set a reminder for a task.",
        [
            P("task", TASK, "for {}", "about {}", also="The task is {}.", ask="What should I remind you of?", words=("remind", "what")),
            P("due", DATETIME, ask="When should I remind you?", words=("when", "time")),
            P(
                "repeat",
                enum(
                    daily="every day|daily", weekly="every week|weekly", monthly="every month|monthly", clauses=("and repeat it {}", ", repeating {}")
                ),
                opt=True,
            ),
        ],
        do=["set a reminder", "create a reminder", "add a reminder", "set up a reminder", "make a reminder"],
        need=["a reminder", "a new reminder", "a reminder set"],
        why=["I keep forgetting things.", "My memory is terrible."],
        out={"reminder_id": REMINDER, "status": constant("set")},
        makes=REMINDER,
        reply="The reminder is set under {reminder_id}.",
    ),
    T(
        "snooze_reminder",
        "Postpone a reminder by some minutes.",
        [P("reminder_id", REMINDER), P("minutes", duration(5, 90), "for {}", "by {}")],
        do=[
            "snooze {reminder_id}",
            "postpone {reminder_id}",
            "delay {reminder_id}",
            "push {reminder_id} back",
            "snooze a reminder",
            "postpone a reminder",
        ],
        out={"reminder_id": "=reminder_id", "next_alert": clock(9, 20)},
        changes=REMINDER,
        reply="The reminder is postponed to {next_alert}.",
    ),
    T(
        "set_alarm_clock",
        "Set an alarm.",
        [
            P("time", clock(4, 11), "for {}", "{@}"),
            P(
                "days",
                list_of(
                    enum("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
                    1,
                    3,
                    ordered=True,
                ),
                "on every {}",
                "each {}",
                opt=True,
            ),
            P("label", TITLE, "labelled {}", "with the label {}", opt=True),
        ],
        do=["set an alarm", "create an alarm", "add an alarm", "set my alarm clock", "set a wake-up alarm"],
        need=["an alarm", "a wake-up alarm", "an alarm set"],
        why=["I can't oversleep.", "I'm a heavy sleeper."],
        out={"status": constant("on"), "rings_in": duration(60, 600, 15)},
        reply="The alarm is on and rings in {rings_in}.",
    ),
)
