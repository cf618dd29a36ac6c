"""A smart home: lights, heating, locks, scenes, timers of devices."""

from looptool_kit.world.pools import one, words
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    Surface,
    boolean,
    clock,
    constant,
    duration,
    enum,
    identifier,
    integer,
    list_of,
    nullable,
    percent,
    pool,
    quoted,
    record,
    text,
)

ROOM = pool(
    "room",
    "a room of the house",
    words(
        """kitchen|living room|bedroom|guest room|hallway|study|bathroom|attic|nursery|dining room|basement|
        laundry room|home office|conservatory|library|playroom|music room|pantry|workshop|entrance hall|
        guest bathroom|sewing room|utility room|children's room|home gym|winter garden|dressing room|
        mudroom"""
    ),
    clauses=("in the {}",),
    question="In which room?",
    words=("room", "where"),
)
DOOR = pool(
    "door",
    "a door with a smart lock",
    words(
        """front door|back door|garage door|cellar door|patio door|side door|balcony door|terrace door|
        shed door|garden gate|kitchen door|basement door|porch door|main gate|office door|roof door"""
    ),
    say=lambda v, _: [Surface(f"the {v}")],
    question="Which doors?",
    words=("door", "which"),
)
DEVICE = pool(
    "device",
    "something with a smart plug",
    words(
        """coffee maker|fan|humidifier|air purifier|dehumidifier|robot vacuum|kettle|radio|television|
        aquarium light|garden sprinkler|electric blanket|rice cooker|slow cooker|towel rail|floor lamp|
        fountain|pool pump|dishwasher|washing machine|tumble dryer|fairy lights|bread maker|heat lamp|
        space heater|projector"""
    ),
    question="Which device?",
    words=("device", "which", "what"),
)
_MOODS = words(
    """Cosy|Bright|Quiet|Busy|Early|Late|Summer|Winter|Rainy|Sunday|Weekend|Family|Romantic|Festive|Lazy|Calm|
    Holiday|Candlelight|Golden|Autumn"""
)
_TIMES = words(
    "Evening|Morning|Dinner|Movie|Reading|Breakfast|Nap|Game"
    " Night|Workout|Party|Brunch|Bedtime|Homework|Concert|Bath|Welcome"
)
SCENE = text(
    "scene",
    "name of a scene",
    lambda r: f"{one(r, _MOODS)} {one(r, _TIMES)}",
    say=quoted,
    question="Which scene should I activate?",
    words=("scene", "which"),
)
TIMER = identifier("TMR", "timer")
SWITCH = enum("on", "off", question="Should it turn on or off?", words=("on or off", "turn on"))
DAY = enum(
    mon="Monday", tue="Tuesday", wed="Wednesday", thu="Thursday", fri="Friday", sat="Saturday", sun="Sunday"
)
DAYS = list_of(DAY, 1, 3, ordered=True)

DOMAIN = Domain.of(
    "smart_home",
    T(
        "set_lights",
        "Set the brightness of the lights in a room.",
        [
            P("room", ROOM),
            P(
                "brightness",
                percent(5, 100),
                "{}",
                ask="To what percentage should I set the brightness?",
                words=("percent", "bright"),
            ),
            P("tone", enum("warm", "neutral", "cool", clauses=("with a {} tone", "with {} light")), opt=True),
            P("fade_seconds", integer(2, 30), "over {} seconds", opt=True),
        ],
        do=[
            "set the lights to {brightness}",
            "set the brightness of the lights to {brightness}",
            "set the lights in the {room} to {brightness}",
            "bring the lights to {brightness}",
            "change the lights",
            "adjust the lights to {brightness}",
            "set the lamps to {brightness}",
            "set the light level to {brightness}",
            "change the light level",
        ],
        why=["The light isn't right.", "We have guests.", "My eyes are tired."],
        out={"status": constant("done"), "power": integer(5, 120)},
        reply="The lights in the {room} are at {brightness}.",
    ),
    T(
        "set_thermostat",
        "Set the thermostat to a temperature.",
        [
            P(
                "temperature",
                integer(14, 28),
                "{}",
                desc="Celsius",
                ask="To what temperature?",
                words=("temperature", "degrees", "warm"),
            ),
            P("room", ROOM),
            P(
                "mode",
                enum(
                    heat="using heating mode|using heat mode",
                    cool="using cooling mode|using cool mode",
                    auto="using automatic mode|using auto mode",
                ),
                opt=True,
            ),
            P(
                "until",
                nullable(clock(17, 23), "until further notice|with no end time"),
                "until {}",
                opt=True,
            ),
        ],
        do=[
            "set the thermostat to {temperature} degrees",
            "set the temperature to {temperature} degrees",
            "turn the thermostat to {temperature} degrees",
            "adjust the thermostat to {temperature} degrees",
            "adjust the thermostat",
            "change the temperature to {temperature} degrees",
            "change the temperature",
            "regulate the temperature to {temperature} degrees",
        ],
        why=["The baby is asleep.", "I'm not comfortable.", "We'll be back soon."],
        out={"status": constant("set"), "current": integer(12, 29)},
        reply="The thermostat is set; it is {current} degrees now.",
    ),
    T(
        "lock_house_doors",
        "Lock doors of the house.",
        [
            P("doors", list_of(DOOR, 1, 3)),
            P(
                "arm_alarm",
                boolean(
                    "and arm the alarm|and switch on the alarm", "without arming the alarm|without the alarm"
                ),
                opt=True,
            ),
        ],
        do=[
            "lock {doors}",
            "lock up {doors}",
            "bolt {doors}",
            "secure {doors}",
            "get {doors} locked",
            "lock some doors",
            "lock a door",
        ],
        why=["We're leaving.", "It's getting late.", "I've just gone to bed."],
        out={"status": constant("locked"), "battery": percent(10, 95)},
        reply="It's all locked; the lowest battery is at {battery}.",
    ),
    T(
        "activate_scene",
        "Activate a saved scene of lights and sound.",
        [
            P("scene", SCENE),
            P("delay_minutes", duration(5, 120), "in {}", "after a delay of {}", opt=True),
            P("volume", percent(10, 80), "with the sound at {}", "with the volume at {}", opt=True),
        ],
        do=[
            "activate the scene {scene}",
            "turn on the scene {scene}",
            "start the scene {scene}",
            "switch to the scene {scene}",
            "run the {scene} scene",
            "activate a scene",
            "switch to another scene",
        ],
        why=["We're about to sit down.", "My friends are on their way."],
        out={"status": constant("active"), "devices": integer(2, 20)},
        reply="The scene {scene} is active on {devices} devices.",
    ),
    T(
        "create_device_timer",
        "Turn a device on or off at a time, every day or on some days.",
        [
            P("device", DEVICE),
            P("action", SWITCH, "to turn {}", "to switch {}"),
            P("time", clock(5, 23)),
            P("days", DAYS, "every {}", "each {}", opt=True),
        ],
        do=[
            "set a timer for the {device}",
            "create a timer for the {device}",
            "program the {device}",
            "schedule the {device}",
            "set up a timer for the {device}",
            "set a timer for a device",
            "program a device",
        ],
        need=[
            "a timer for the {device}",
            "a new timer for the {device}",
            "an automatic timer for the {device}",
        ],
        why=["I always forget to do it by hand.", "I want to save energy."],
        out={"timer_id": TIMER, "status": constant("active")},
        makes=TIMER,
        reply="The timer is active as {timer_id}.",
    ),
    T(
        "list_device_timers",
        "List the timers of a device.",
        [P("device", DEVICE, "for the {}")],
        do=[
            "list the timers",
            "show the timers",
            "look up the timers",
            "check the timers",
            "see which timers are set",
        ],
        ask=["which timers are there", "what timers are set", "which timers are active"],
        out={"timers": list_of(record(timer_id=TIMER, time=clock(5, 23), action=SWITCH), 2, 3)},
        lists=TIMER,
        refer={"timers": ("the timer of the {device} set for {.time}", "the {.time} timer of the {device}")},
        reply="I found {timers.n} timers; the first one is {timers.0.timer_id}.",
    ),
    T(
        "delete_device_timer",
        "Delete a timer of a device.",
        [P("timer_id", TIMER)],
        do=[
            "delete {timer_id}",
            "remove {timer_id}",
            "cancel {timer_id}",
            "get rid of {timer_id}",
            "delete a timer",
            "remove a device timer",
        ],
        out={"timer_id": "=timer_id", "left": integer(2, 9)},
        cancels=TIMER,
        reply="The timer is deleted; there are {left} left.",
    ),
)
