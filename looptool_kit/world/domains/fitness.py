"""Fitness: workouts, meals, goals, daily figures."""

from dataclasses import replace
from datetime import date, timedelta

from looptool_kit.world.pools import words
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    PAST_DATE,
    Surface,
    Type,
    boolean,
    constant,
    duration,
    enum,
    identifier,
    in_words,
    integer,
    list_of,
    pool,
    record,
)


def _recent(value: str, today: date) -> list[Surface]:
    off = (today - date.fromisoformat(value)).days
    near = {
        1: "yesterday",
        2: "the day before yesterday",
        7: "a week ago",
        14: "two weeks ago",
        **{n: f"{in_words(n)} days ago" for n in (3, 4, 5, 6)},
    }
    return [*PAST_DATE.say(value, today), *([Surface(near[off], near[off], True)] if off in near else [])]


LATELY = replace(
    PAST_DATE,
    name="recent date",
    draw=lambda r, today: (
        today
        - timedelta(
            days=r.choice((1, 1, 2, 3, 4, 5, 6, 7, 14, r.randint(8, 90), r.randint(8, 90), r.randint(8, 90)))
        )
    ).isoformat(),
    say=_recent,
    parent=PAST_DATE,
    hints=True,
)
ACTIVITY = pool(
    "activity",
    "a kind of sport",
    words(
        """running|swimming|cycling|rowing|yoga|pilates|hiking|tennis|badminton|bouldering|boxing|basketball|
        volleyball|football|squash|skiing|skating|kayaking|dancing|spinning|stretching|golf|judo|karate|
        fencing|surfing|sailing|handball|weightlifting|gymnastics|table tennis|horse riding"""
    ),
    question="Which activity was it?",
    words=("activity", "sport", "what"),
)
WORKOUT = identifier("WO", "workout", 5)
MEAL = enum(
    "breakfast",
    "brunch",
    "lunch",
    "dinner",
    question="Which meal was it: breakfast, brunch, lunch or dinner?",
    words=("meal", "breakfast"),
)
FOOD_NAME = pool(
    "food",
    "something to eat",
    words(
        """oats|rice|lentils|chickpeas|black beans|tofu|salmon|tuna|chicken breast|turkey|cottage cheese|
        yoghurt|blueberries|strawberries|grapes|pineapple|mango|muesli|pasta|noodles|couscous|quinoa|bread|
        broccoli|cauliflower|spinach|carrots|potatoes|sweet potatoes|green salad|mushrooms|tomatoes|cucumber|
        peas|sweetcorn|scrambled eggs|fruit salad"""
    ),
    question="Which food?",
    words=("food", "what"),
)
FOOD = record("{grams} g of {food}", food=FOOD_NAME, grams=integer(20, 400, 10))


def _large(low: int, high: int) -> Type:
    return replace(integer(low, high, 10), say=lambda v, _: [Surface(f"{v:,}"), Surface(str(v))])


FIGURE = enum(
    "steps",
    "calories",
    heart_rate="heart rate",
    sleep="sleep",
    active_minutes="active minutes",
    question="Which figures?",
    words=("which", "figure"),
)

DOMAIN = Domain.of(
    "fitness",
    T(
        "logWorkout",
        "Log a finished workout.",
        [
            P("activity", ACTIVITY),
            P("minutes", duration(10, 180), "{}"),
            P(
                "intensity",
                enum("low", "moderate", "high", clauses=("at {} intensity", "with {} intensity")),
                opt=True,
            ),
            P("date", LATELY, "from {}", opt=True),
        ],
        do=[
            "log a {activity} session of {minutes}",
            "record a {activity} workout of {minutes}",
            "log {minutes} of {activity}",
            "track {minutes} of {activity}",
            "enter {minutes} of {activity} as a workout",
            "save {minutes} of {activity} as a workout",
            "add a {activity} workout of {minutes}",
            "log a {activity} session",
            "record a {activity} workout",
            "log a workout of {minutes}",
            "record a training session of {minutes}",
        ],
        why=["I keep a training diary.", "I want to see my progress.", "My log isn't complete."],
        out={"workout_id": WORKOUT, "calories": integer(80, 900, 10)},
        makes=WORKOUT,
        reply="Your workout is logged as {workout_id} with {calories} calories burned.",
    ),
    T(
        "listWorkouts",
        "List the logged workouts since a date.",
        [
            P("since", LATELY, "since {}", ask="Since which date?", words=("since", "date", "when")),
            P("activity", ACTIVITY, "limited to {}", "restricted to {}", opt=True),
        ],
        do=[
            "list my workouts",
            "show my workouts",
            "look up the logged workouts",
            "show the training log",
            "pull up my workouts",
        ],
        ask=[
            "which workouts have been logged",
            "what workouts are in my log",
            "which workouts are there in the log",
        ],
        need=["a list of my workouts", "the training log", "an overview of my workouts"],
        out={
            "workouts": list_of(
                record(workout_id=WORKOUT, activity=ACTIVITY, minutes=duration(10, 180)), 2, 3
            )
        },
        lists=WORKOUT,
        refer={"workouts": ("the {*} workout I've logged since {since}", "my {*} workout since {since}")},
        reply="There are {workouts.n} workouts; the first one is {workouts.0.workout_id}.",
    ),
    T(
        "deleteWorkout",
        "Delete a logged workout.",
        [P("workout_id", WORKOUT)],
        do=[
            "delete {workout_id}",
            "remove {workout_id}",
            "erase {workout_id}",
            "take {workout_id} out of the log",
            "delete a workout",
            "remove a workout",
        ],
        why=["I made a mistake in my log.", "I'm cleaning up my training log."],
        out={"workout_id": "=workout_id", "left": integer(3, 60)},
        cancels=WORKOUT,
        reply="The workout is deleted; your log now holds {left}.",
    ),
    T(
        "logMeal",
        "Log what was eaten at a meal.",
        [
            P("meal", MEAL, "for {}"),
            P(
                "foods",
                list_of(FOOD, 1, 3),
                "with {}",
                "consisting of {}",
                ask="Which foods, and how many grams of each?",
                words=("food", "grams"),
            ),
            P("date", LATELY, "from {}", opt=True),
        ],
        do=[
            "log my {meal}",
            "record my {meal}",
            "enter my {meal}",
            "write down my {meal}",
            "save my {meal}",
            "log a meal",
            "add a meal to the food diary",
        ],
        why=["I'm counting calories.", "My coach wants me to keep a diary."],
        out={"calories": integer(100, 1200, 10), "protein": integer(5, 60)},
        reply="Your {meal} is logged with {calories} calories.",
    ),
    T(
        "setDistanceGoal",
        "Set a goal in kilometres for a sport.",
        [
            P(
                "activity",
                enum("running", "cycling", "swimming", "rowing", "walking"),
                "for {}",
                ask="Which activity is it for?",
                words=("activity", "sport"),
            ),
            P("kilometres", integer(5, 95), "{}", ask="How many kilometres?", words=("how many", "kilomet")),
            P(
                "period",
                enum(month="per month|each month", year="per year|each year", week="per week|each week"),
                default="week",
            ),
            P(
                "reminders",
                boolean(
                    "with reminders|with reminders switched on",
                    "without reminders|with reminders switched off",
                ),
                opt=True,
            ),
        ],
        do=[
            "set a goal of {kilometres} kilometres of {activity}",
            "set my {activity} goal to {kilometres} km",
            "change my {activity} goal to {kilometres} kilometres",
            "change my {activity} goal",
            "make {kilometres} km of {activity} my goal",
            "set my goal to {kilometres} km of {activity}",
            "set a {activity} goal",
            "set a goal of {kilometres} kilometres",
            "change my distance goal to {kilometres} km",
        ],
        why=["I want to get fitter.", "I've signed up for a race."],
        out={"status": constant("active"), "done": integer(0, 30)},
        reply="The goal of {kilometres} kilometres is active; you have done {done} so far.",
    ),
    T(
        "getDailyStats",
        "Get figures of the fitness tracker for one day.",
        [P("date", LATELY, "for {}", "from {}"), P("figures", list_of(FIGURE, 1, 3))],
        do=[
            "show my {figures}",
            "look up my {figures}",
            "get my {figures}",
            "pull up my {figures}",
            "check my {figures}",
            "show the figures of my tracker",
            "get my fitness data",
        ],
        why=["I'm wondering how I'm doing.", "My doctor is asking about it."],
        out={
            "steps": _large(1500, 18000),
            "calories": _large(1400, 3400),
            "heart_rate": integer(52, 98),
            "sleep": duration(280, 580, 5),
            "active_minutes": integer(10, 180),
        },
        picks=(
            "figures",
            {
                "steps": "{steps} steps",
                "calories": "{calories} calories",
                "heart_rate": "a heart rate of {heart_rate} beats per minute",
                "sleep": "{sleep} of sleep",
                "active_minutes": "{active_minutes} active minutes",
            },
        ),
        reply="The tracker shows {*} for that day.",
    ),
)
