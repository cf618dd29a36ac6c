"""Weather, air, sun and sea."""

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import CITY, DATE, EMAIL, clock, constant, count, enum, identifier, integer, list_of, percent, record

ALERT = identifier("WA", "weather alert")
UNITS = enum(metric="in Celsius|in metric units|in degrees Celsius", imperial="in Fahrenheit|in imperial units|in degrees Fahrenheit")
SKY = enum("sunny", "cloudy", "rainy", "windy", "foggy")

DOMAIN = Domain.of(
    "weather",
    T(
        "get_forecast",
        "Get the weather forecast for a city and day.",
        [P("city", CITY, "in {}", "for {}"), P("date", DATE), P("units", UNITS, opt=True)],
        do=[
            "check the forecast",
            "look up the weather in {city}",
            "get the weather forecast",
            "check the weather",
            "look at the forecast",
            "find out what the weather will be like in {city}",
        ],
        ask=[
            "what's the weather like in {city}",
            "what will the weather be like in {city}",
            "how's the weather in {city}",
            "what's the forecast",
            "what's the forecast for {city}",
        ],
        need=["the weather forecast", "the forecast for {city}", "a weather report"],
        why=["I have to pack.", "We're planning a picnic.", "I don't know what to wear."],
        out={"sky": SKY, "high": integer(14, 38), "low": integer(-5, 13)},
        reply="It will be {sky} in {city} with a high of {high} and a low of {low} degrees.",
    ),
    T(
        "get_hourly_rain",
        "Get the chance of rain at an hour of a day.",
        [P("city", CITY, "in {}"), P("date", DATE), P("time", clock(7, 21))],
        do=[
            "check the chance of rain",
            "look up how likely rain is",
            "check for rain",
            "find out whether it will rain",
            "see if rain is expected",
            "check the rain risk",
        ],
        ask=[
            "how likely is rain in {city}",
            "what's the chance of rain",
            "will it rain in {city}",
            "is it going to rain",
            "how big is the risk of rain in {city}",
        ],
        why=["I want to go for a run.", "We have a barbecue planned.", "I'd like to hang up the laundry."],
        out={"chance": percent(0, 100), "millimetres": integer(0, 20)},
        reply="The chance of rain is {chance}.",
    ),
    T(
        "check_air_quality",
        "Get the current air quality of a city.",
        [
            P("city", CITY, "in {}"),
            P("pollutants", list_of(enum("pm10", "ozone", "no2", "so2"), 1, 3), "including {}", "with values for {}", opt=True),
        ],
        do=[
            "check the air quality",
            "look up the air quality in {city}",
            "get the air quality",
            "find out how clean the air is",
            "check how polluted the air is",
        ],
        ask=["how's the air quality in {city}", "how clean is the air in {city}", "how polluted is the air", "what's the air quality like in {city}"],
        why=["My asthma is acting up.", "It smells of smoke outside."],
        out={"index": integer(10, 180), "level": enum("good", "moderate", "poor")},
        reply="The air quality in {city} is {level} with an index of {index}.",
    ),
    T(
        "get_sun_times",
        "Get the times of sunrise and sunset.",
        [P("city", CITY, "in {}"), P("date", DATE)],
        do=[
            "look up sunrise and sunset",
            "check when the sun rises and sets",
            "get the sunrise and sunset times",
            "find out the sunrise and sunset times",
            "look up the sun times",
        ],
        ask=[
            "when does the sun rise and set",
            "when are sunrise and sunset",
            "what are the sunrise and sunset times in {city}",
            "when does the sun come up and go down in {city}",
        ],
        why=["I'd like to take some pictures.", "We're going camping."],
        out={"sunrise": clock(4, 8), "sunset": clock(16, 22)},
        reply="In {city} the sun rises at {sunrise} and sets at {sunset}.",
        held=True,
    ),
    T(
        "create_weather_alert",
        "Get an e-mail when a kind of weather is expected.",
        [
            P("city", CITY, "for {}"),
            P(
                "condition",
                enum("snow", "storm", "frost", "heat", clauses=("in the event of {}", "in case of {}")),
                ask="Which weather should I watch for: snow, storm, frost or heat?",
                words=("weather", "snow", "storm"),
            ),
            P("email", EMAIL, "sent to {}", "going to {}"),
            P("days_ahead", count(2, 7), "at least {#day} ahead", opt=True),
        ],
        do=["set up a weather alert", "create a weather alert", "add a weather alert", "start a weather alert", "turn on a weather alert"],
        need=["a weather alert", "a weather warning", "weather alerts"],
        why=["I have plants outside.", "I drive to work."],
        out={"alert_id": ALERT, "status": constant("active")},
        makes=ALERT,
        reply="The alert is active as {alert_id}.",
    ),
    T(
        "list_weather_alerts",
        "List the weather alerts of an e-mail address.",
        [P("email", EMAIL, "for {}")],
        do=["list the weather alerts", "show the weather alerts", "look up the weather alerts", "check which weather alerts are active"],
        ask=["which weather alerts are active", "what weather alerts are there", "which weather alerts are set up"],
        out={"alerts": list_of(record(alert_id=ALERT, city=CITY), 2, 3)},
        lists=ALERT,
        reply="There are {alerts.n} alerts; the first is {alerts.0.alert_id}.",
    ),
    T(
        "delete_weather_alert",
        "Delete a weather alert.",
        [P("alert_id", ALERT)],
        do=["delete {alert_id}", "remove {alert_id}", "turn off {alert_id}", "stop {alert_id}", "delete a weather alert", "turn off a weather alert"],
        out={"alert_id": "=alert_id", "remaining": count(2, 6)},
        cancels=ALERT,
        reply="The alert is gone; there are {remaining} left.",
    ),
)
