"""How large the numbers are that people give, by what is measured and where. Data only.

A line is `what @ where: low high step`; indented lines continue it. `what` is looked for in the name of a
parameter, then in its description, each followed by its unit in brackets; `where` in all that is said of tool
and parameter. The first line that fits counts, so a line with a place stands before the one without. Of what
no line knows nobody can tell how much a person would say.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Measure(NamedTuple):
    """The usual numbers of something: ends, and the step between them."""

    low: float
    high: float
    step: float
    """0 where any number does, as for an amount of money with cents."""


_PLACES = {
    "BODY": r"patient|muscle|composition|weigh-in|person|body|bmi|athlete|health|fitness|vital"
    r"|training|diary|medical|measurement|diet|nutrition",
    "PET": r"\b(?:dog|cat|pet|vet|puppy|kitten|rabbit|animal)s?\b|veterinar",
    "CATTLE": r"\b(?:cow|cattle|horse|bull|calf|calves|pony|mare|herd)s?\b|livestock",
    "PARCEL": r"parcel|package|shipment|\bship|courier|carton|\bbox|delivery|freight|luggage|suitcase",
    "GYM": r"\b(?:lift|bench|barbell|dumbbell|exercise|workout|squat|gym|reps|strength)",
    "CROP": r"harvest|crop|\bpick|yield|orchard|vegetable|fruit|honey|hive|garden",
    "BAKING": r"\b(?:oven|bake|baking|bakery|roast|dough|bread|cake)",
    "FOOD": r"\b(?:bakery|bread|cafe|café|coffee|menu|dish|croissant|drink|food|pizza|lunch|meal"
    r"|pastry|snack|beer|ice cream|breakfast|kitchen|restaurant|grocer)",
    "FAHRENHEIT": r"fahrenheit|°f|\bdeg(?:rees)? f\b|\btemp f\b",
    "HOME": r"\b(?:thermostat|heating|room|indoor|house|home|bedroom|climate|greenhouse|office"
    r"|air condition)",
    "COOL": r"\b(?:fridge|refrigerat|cool|vaccine|cold chain)",
    "HOUSE": r"\b(?:house|property|real estate|apartment|flat|listing|home)s?\b",
    "CAR": r"\b(?:car|vehicle|motorcycle|van|truck)s?\b",
    "TICKET": r"\b(?:ticket|show|concert|museum|cinema|entry|admission|exhibition|visit)",
    "RUN": r"\b(?:run|runs|jog|race|running)\b",
    "RIDE": r"\b(?:bike|cycl|ride|riding|e-bike)",
    "DRIVE": r"\b(?:car|trip|drive|driving|vehicle|mileage|taxi|route|journey)s?\b",
    "HIKE": r"\b(?:walk|hike|hiking|trail|trek)",
    "PLANT": r"\b(?:plant|tree|seed|seedling|bed|row|crop|garden|sow)",
    "FUEL": r"fuel|petrol|diesel|tank|refuel|gas station",
    "MATHS": r"\b(?:calculate|compute|maths?|sum|root|factorial|equation|geometry|prime)",
    "MONEY": r"price|cost|rate|fee|charge|\beur|euro|usd|dollar|pound|gbp|money|tariff",
    "SHOP": r"product|\bitems?\b|shop|store|stock|article|\bsku|second-hand|flea|record|vinyl|toy"
    r"|clothes|invoice",
    "PAID": r"pay|paid|expense|transfer|donat|refund|invoice|charge|transaction|bill|fine\b|wallet"
    r"|account|gift|repair|claim|dispute|damage|insur|purchase|receipt|\bfee|spent|spend"
    r"|estimate",
    "LOAN": r"loan|mortgage|instal+ment|credit (?:amount|sum|agreement|line)",
}
"""Words for a place -> pattern, for the lines below."""

_LINES = r"""
\bsystolic\b: 105 160 1
\bdiastolic\b: 62 95 1
\b(?:pulse|heart rate|hr|bpm)\b: 54 148 1
\bspo2\b|\b(?:oxygen )?saturation\b: 91 99 1
\brespirat(?:ory|ion)\b: 12 22 1
\b(?:glucose|blood sugar)\b @ mg/dl: 75 180 1
\b(?:glucose|blood sugar)\b: 4 11 0.1
\b(?:cholesterol|ldl|triglycerides)\b @ mg/dl: 80 230 1
\b(?:cholesterol|ldl|triglycerides)\b: 1.8 5.8 0.1
\bhdl\b @ mg/dl: 38 75 1
\bhdl\b: 1 2.1 0.1
\bhba1c\b: 5 9 0.1
\bbmi\b: 18 34 0.1
\bhours (?:spent|worked|logged|booked|used)\b: 0.5 9 0.5
\bbody fat\b: 10 35 0.5
\b(?:waist|hips?|chest)\b: 68 112 1
\bsleep(?:ing)?(?: time| duration)? \[hour\]|\bhours? (?:slept|of sleep)\b: 5 9 0.5
\b(?:weight|mass)(?: kg)? \[kg\] @ PET: 3 38 0.5
\b(?:weight|mass)(?: kg)? \[kg\] @ CATTLE: 280 680 5
\b(?:weight|mass|load)(?: kg)? \[(?:kg)?\] @ GYM: 10 110 2.5
\bbaby|birth weight\b @ kg: 2.6 4.4 0.1
\b(?:weight|mass)(?: kg)? \[kg\] @ BODY: 52 98 0.5
\bbody ?weight\b: 52 98 0.5
\b(?:weight|mass)(?: kg)? \[lb\] @ BODY: 115 215 1
\bheight(?: cm)? \[cm\] @ PARCEL: 5 60 5
\bheight(?: cm)? \[cm\] @ PLANT: 10 180 5
\bheight(?: cm)? \[cm\] @ BODY: 152 195 1
\bheight(?: cm)? \[cm\]: 40 200 5
\b(?:age|aged)\b @ PET: 1 12 1
\b(?:child|kid)(?:ren)?(?:'?s)? ages?\b|\bage of (?:the |a )?child\b: 3 14 1
\bages?\b @ \b(?:item|device|repair|appliance|bike|bicycle|machine)s?\b: 1 15 1
\bages?\b @ BODY|member|student|guest|user|customer|client|player|applicant|insur|child|visitor
  |passenger: 19 78 1
\b(?:temperature|temp)\b @ (?:patient|fever|vital|body|symptom|BODY).*FAHRENHEIT|FAHRENHEIT.*(?:patient
  |body): 97 103 0.1
\b(?:temperature|temp)\b @ patient|fever|vital|body|symptom: 36.2 39.4 0.1
\b(?:temperature|temp)\b @ kiln|firing|glaze: 950 1260 10
\b(?:temperature|temp)\b @ \bmash: 62 69 1
\b(?:temperature|temp)\b @ ferment|cellar|wine: 11 22 0.5
\b(?:temperature|temp)\b @ starter: 20 28 0.5
\b(?:temperature|temp)\b @ BAKING.*FAHRENHEIT|FAHRENHEIT.*BAKING: 325 475 5
\b(?:temperature|temp)\b @ BAKING: 160 250 5
\b(?:temperature|temp)\b @ freezer|frozen|deep freeze: -24 -16 1
\b(?:temperature|temp)\b @ COOL: 2 7 0.5
\b(?:temperature|temp)\b @ nozzle|extruder|3d print: 195 245 5
\b(?:temperature|temp)\b @ \btea\b|coffee|kettle|espresso: 82 96 1
\b(?:temperature|temp)\b @ wash|laundry: 30 60 10
\b(?:temperature|temp)\b @ \b(?:pool|bath|shower|aquarium|reef)\b: 23 31 0.5
\b(?:temperature|temp)\b @ HOME.*FAHRENHEIT|FAHRENHEIT.*HOME: 62 76 1
\b(?:temperature|temp)\b @ HOME: 17 24 0.5
\b(?:temperature|temp)\b @ weather|outside|outdoor|soil|frost|forecast|ambient|hive|station: 4 27 0.5
\b(?:temperature|temp|bed)\b.*\[degrees\] @ \bbed\b: 50 100 5
\bnozzle|extruder\b.*\[degrees\]: 195 245 5
\bhumidity\b: 35 80 1
\b(?:infill)\b: 10 60 5
\b(?:progress|completion|completed|attendance|share|portion|stake|occupancy|fill level|coverage
  |load)\b.*\[%\]: 10 90 5
\b(?:rollout|traffic|canary)\b: 5 75 5
\b(?:deposit|down payment)\b.*\[%\]: 10 50 5
\b(?:cancellation|service) (?:fee|charge)\b @ percent|%: 5 30 5
\b(?:rent increase|increase|raise|index\w*|inflation)\b.*\[%\]: 1 6 0.5
\bmoisture\b: 10 60 1
\b(?:salary|wage|pay|income)\b @ \b(?:hourly|an hour|per hour)\b: 13 48 0.5
\b(?:salary|wage|pay|income)\b @ \bmonthly|(?:per|a) month: 1900 6800 50
\b(?:salary|income)\b: 28000 110000 500
\b(?:loan|principal|mortgage)(?: amount)?\b|\bamount\b @ LOAN: 5000 250000 500
\b(?:hourly|per hour|rate per hour)\b: 14 45 1
\bper (?:head|person|guest|capita)\b: 25 120 5
\bper (?:portion|serving|piece|item|unit)\b: 4 24 0.5
\bhours? (?:per|a) day\b: 3 9 1
\bhours? (?:per|a) week\b|\bweekly hours\b: 10 38 1
\b(?:sessions|times|days|visits|lessons|classes) (?:per|a) week\b: 1 4 1
\btimes (?:per|a) day\b: 1 4 1
\b(?:value|reading|counter)\b @ \bmeter\b: 2100 48000 1
\bcpu\b @ millicore: 100 2000 100
\bper (?:minute|min|km|kilomet\w+|mile)\b @ MONEY: 0.1 0.9 0.01
\bper (?:kwh|kw h|kilowatt)\w*\b: 0.18 0.48 0.01
\bper (?:kg|kilo\w*)\b @ MONEY: 1.5 12 0.1
\bper (?:lit(?:er|re)|l)\b @ MONEY: 1.2 2.1 0.01
\b(?:per night|nightly|per day|daily (?:rate|price|fee)|day rate|night rate)\b @ MONEY: 45 240 5
\b(?:daily (?:cap|limit|maximum|max))\b @ EUR|euro|usd|dollar|price|charge: 20 90 5
\bdeposit\b @ HOUSE|tenant|lease: 900 3000 50
\b(?:min(?:imum)? |max(?:imum)? |number of )?(?:rooms|bedrooms)\b(?: \[\])? @ HOUSE|rental|unit: 2 5 1
\b(?:electricity|power|energy|kwh)\b.*\[kWh\] @ meter|reading: 2100 48000 1
\b(?:water|gas)\b.*\[m³\] @ meter|reading: 110 3900 1
\b(?:charge|charging|session|delivered)\b.*\[kWh\]|\[kWh\] @ charg|\bev\b|battery: 8 60 0.5
\b(?:max(?:imum)? )?rent\b @ HOUSE|tenant|lease|rental: 450 1900 10
\b(?:price|budget)\b @ (?:HOUSE).*(?:\bsale|\bbuy|real estate|purchase|estate agent): 120000 780000 5000
\b(?:price|value)\b @ (?:CAR).*(?:\bsale|\bsell|\bbuy|dealer|used|valuation): 2500 36000 100
\btip\b @ percent|%: 8 20 1
\btip\b: 1 15 0.5
\b(?:price|cost)\b @ FOOD: 1.8 14 0.1
\b(?:price|cost|fee)\b @ TICKET: 6 48 0.5
\b(?:price|cost)\b @ \b(?:book|record|vinyl|album|game)s?\b: 5 38 0.5
\b(?:shipping|delivery|postage) (?:cost|fee|price|charge)s?\b: 3 25 0.1
\b(?:price|cost) [a-z ]*per (?:piece|item|unit)|\bunit (?:price|cost)\b: 4 95 0
\b(?:fine|penalty)\b: 10 90 5
\bdeposit\b @ lend|tool|loan|equipment|key|borrow: 10 80 5
\bdeposit\b: 50 500 10
\b(?:credit|spending|card|overdraft) limit\b: 200 5000 50
\b(?:savings? (?:goal|target)|target amount|goal amount)\b: 200 5000 50
\b(?:fee|fare|toll)\b: 5 45 1
\b(?:donation|pledge|contribution)\b: 5 250 5
\b(?:insured|declared|estimated|replacement) (?:value|cost)\b: 50 900 10
\bbudget\b: 100 900 10
\bbid\b: 20 600 5
\b(?:max(?:imum)?|min(?:imum)?|highest|lowest) price\b|\bprice (?:max|min|from|to|limit)\b: 10 300 5
\bprice\b|\b(?:sold|bought) for\b @ SHOP: 4 95 0
\b(?:vat|sales tax|tax)\b: 5 22 1
\bdiscount|markdown|\boff\b.*\[%\]: 5 40 5
\b(?:interest|apr|apy|mortgage rate)\b: 1.5 7.5 0.1
\bcommission\b: 3 20 1
\b(?:battery|charge|charging|state of charge|soc)\b: 20 95 5
\b(?:brightness|volume|opacity|dim|fan speed)\b @ percent|%|light|lamp|speaker|music|sound|audio|tv\b: 10 95 5
\b(?:abv|alcohol)\b: 4 14 0.1
\b(?:cost|amount|total|balance|payment|sum|expense|refund|price|fee|charge|paid|spent)\b @ PAID: 12 480 0
\[(?:\$|€|£)\] @ PAID: 12 480 0
\b(?:incline|gradient|slope)\b: 1 12 0.5
\b(?:fat|body fat)\b.*\[%\] @ body|member|patient: 10 35 0.5
\bmuscle\b.*\[kg\]: 24 44 0.5
\b(?:weight|mass)(?: kg)? \[kg\] @ PARCEL: 1 25 0.5
\b(?:weight|mass|amount|quantity|yield|kilos?|kg)\b.*\[kg\] @ CROP: 2 45 0.5
\[kg\] @ waste|\bbin\b|recycl|compost|scrap: 2 60 1
\[kg\] @ truck|lorry|cargo|tonnage|container|vessel: 200 9000 50
\[kg\] @ fish|catch|angl: 1 9 0.1
\bflour\b.*\[g\]: 450 600 10
\bwater\b.*\[g\]: 290 420 10
\b(?:starter|butter|sugar|levain)\b.*\[g\]: 60 240 10
\b(?:salt|yeast)\b.*\[g\]: 4 24 1
\[g\] @ espresso|coffee|grind: 14 22 0.5
\bprotein\b @ daily|target|goal|macro: 80 180 5
\bcarb\w*\b @ daily|target|goal|macro: 150 320 10
\bfats?\b.*\[g\] @ daily|target|goal|macro: 45 95 5
\b(?:protein|carb\w*|fat|fibre|fiber|sugars?)\b.*\[g\]: 4 60 1
\bdos(?:e|age|ing)\b.*\[g\]: 50 900 10
\[g\] @ tea\b|\bseed|spice: 5 60 5
\bdos(?:e|age)\b.*\[mg\]|\[mg\] @ drug|medic|dose|tablet: 50 500 50
\[g\] @ food|meal|portion|recipe|ingredient|snack|\bfeed|cook: 50 400 10
\[ml\] @ \b(?:drink|water|milk|shampoo|juice|coffee)\b: 50 500 50
\[l\] @ FUEL: 18 58 0.1
\[l\] @ milk|beer|wine|juice|paint: 1 30 0.5
\[l/ha\]: 1 8 0.5
\b(?:calories|kcal|energy)\b @ goal|target|daily: 1600 2800 50
\b(?:calories|kcal)\b: 150 900 10
\bsteps\b @ \b(?:walk|goal|daily|fitness|pedometer|activity|health): 4000 14000 500
\b(?:reps|repetitions)\b: 5 15 1
\bsets\b: 2 5 1
\b(?:laps|lengths)\b: 10 40 2
\brpe\b: 6 9.5 0.5
\b(?:exertion|effort|pain|mood|stress|difficulty|intensity|severity|urgency|priority|importance)\b: 1 5 1
\b(?:rating|stars|score|satisfaction)\b: 1 5 1
\bparty size\b: 2 8 1
\b(?:headcount|capacity|max(?:imum)? (?:participants|attendees|guests|students|people|players
  |places))\b: 8 40 2
\b(?:participants|attendees|students|pupils|players)\b: 4 24 1
\b(?:radius|distance|within)\b.*\[m\]: 100 800 50
\b(?:radius|within)\b: 2 40 1
\[km\] @ RUN: 3 21 0.5
\[km\] @ RIDE: 10 90 1
\[km\] @ HIKE: 3 20 0.5
\b(?:odometer|mileage|km reading|reading)\b @ CAR|odometer: 9000 180000 50
\brange\b.*\[km\]: 180 520 10
\[km\] @ DRIVE: 8 320 1
\[mile\] @ RUN|HIKE: 2 13 0.5
\bdistance\b @ RUN: 3 21 0.5
\bdistance\b @ RIDE: 10 90 1
\b(?:altitude|elevation|ascent|climb)\b: 200 1800 50
\bdra(?:ft|ught)\b: 1 3 0.1
\b(?:consumption|usage|use)\b.*\[kWh\]: 1800 6400 100
\bdepth\b.*\[m\]: 4 30 1
\bdepth\b.*\[cm\]: 2 20 1
\b(?:spacing|distance)\b.*\[cm\] @ PLANT: 10 60 5
\b(?:rain\w*|precipitation)\b: 1 40 1
\b(?:length|width|height|depth|size|diameter)\b.*\[cm\] @ PARCEL: 10 80 5
\b(?:length|draft|draught|beam|width)\b.*\[m\] @ boat|yacht|vessel|ship|berth|marina: 5 18 0.5
\[m\] @ \bswim|pool\b: 400 3000 100
\[ha\]: 1 40 0.5
\b(?:area|floor space|living space|size)\b.*(?:m2|sqm|square|m²)|\bsqm\b|\bm2\b: 25 160 5
\b(?:tyre|tire)? ?pressure\b @ psi: 28 40 1
\b(?:tyre|tire)? ?pressure\b @ \bbar\b: 2 3.5 0.1
\bpressure\b @ hpa|weather|barom: 992 1030 1
\b(?:wind|gust)\b: 5 60 1
\b(?:incline|gradient|slope|grade)\b: 1 12 0.5
\b(?:speed|pace)\b @ treadmill|\brun: 6 14 0.5
\bspeed\b @ RIDE: 15 38 1
\bspeed\b @ km/h|kmh|traffic|road|vehicle: 30 120 10
\bph\b: 5.6 8.2 0.1
\b(?:co2|ppm)\b: 420 1200 10
\b(?:original gravity|og)\b: 1.042 1.072 0.001
\b(?:final gravity|fg)\b: 1.008 1.016 0.001
\bgravity\b: 1.008 1.07 0.001
\bibus?\b: 15 70 1
\bbrix\b: 8 24 0.5
\b(?:cpus?|vcpus?|cores)\b: 2 16 2
\b(?:memory|ram)\b.*\[GB\]: 4 64 4
\[(?:GB|MB)\]: 20 500 10
\b(?:replicas|instances|nodes|workers|shards)\b: 2 8 1
\bport\b: 8000 8999 1
\bretries|attempts\b: 2 5 1
\b(?:wasted?|lost|used|left|scrap)\b.*\[g\] @ filament|print: 5 60 5
\blayer(?: height)?\b.*\[mm\]: 0.1 0.3 0.05
\[dpi\]: 150 600 150
\[px\]: 320 1920 10
\bfont size\b: 10 24 1
\bquality\b: 60 95 5
\b(?:limit|top k|top n|max(?:imum)? (?:results|items|rows|records|entries|hits)|num results|k
  |n)\b(?! price): 5 50 5
\b(?:year built|birth year|(?:built|release|published|publication|model|vintage|founding) year)\b: 1985 2022 1
\byear\b @ \b(?:book|film|movie|album|published|publication|vintage|wine|built|model|car|vehicle|record
  |vinyl): 1985 2022 1
\byear\b: 2021 2025 1
\bmonth\b(?! \[): 1 12 1
\bweek (?:number|no|of the year)\b|\bcalendar week\b|\biso week\b: 2 51 1
\b(?:day of (?:the )?month)\b: 1 28 1
\b(?:from|start|opening|begin) hour\b: 7 11 1
\b(?:to|end|closing|until) hour\b: 15 21 1
^(?!.*\[hour\]).*\bhour(?: of (?:the )?day)?\b: 7 20 1
\b(?:lat|latitude)\b: 43.6 53.4 0.0001
\b(?:lon|lng|long|longitude)\b: 1.2 19.8 0.0001
\b(?:term|duration|period)\b.*\[month\] @ LOAN: 12 84 12
\b(?:term|duration|period|years)\b.*\[year\] @ LOAN: 5 30 5
\b(?:experience|seniority)\b: 2 15 1
\b(?:rest|pause|break)\b.*\[second\]: 30 120 15
\b(?:delay|late|lateness|early)\b: 5 45 5
\b(?:sleep|slept)\b.*\[minute\]: 360 540 15
\b(?:walk|walking|transfer)\b.*\[minute\]: 5 25 5
\[minute\]: 10 90 5
\[second\]: 10 90 5
\b(?:milliseconds|ms)\b: 100 900 50
\b(?:due|payment|net|retention|expir\w*|valid\w*|grace)\b.*\[day\]: 7 30 1
\[hour\]: 1 8 0.5
\[night\]: 2 9 1
\[day\]: 2 14 1
\[week\]: 2 8 1
\[month\]: 2 12 1
\[year\]: 2 10 1
\bduration\b: 15 90 15
^(?:position|rank|place|season|step|chapter|row|level|floor|track|lesson|unit|volume|issue|edition)$: 2 9 1
^(?:(?:number|value|x|y|a|b|c|first|second|base|operand|numerator|denominator)(?: \w)?) \[\] @ MATHS: 2 90 1
\bamount\b @ convert|currency|exchange: 50 2000 10
\b(?:factor|multiplier|scale|servings factor)\b: 1.5 4 0.5
\b(?:loaves|rolls|buns|pastries)\b @ BAKING: 10 60 5
""".strip()


@lru_cache(maxsize=1)
def _lines() -> tuple[tuple[re.Pattern[str], re.Pattern[str] | None, Measure], ...]:
    out = []
    for entry in re.split(r"\n(?! )", _LINES):
        line = re.sub(r"\n +", "", entry)
        pattern, _, numbers = line.rpartition(": ")
        what, _, where = pattern.partition(" @ ")
        for name, words in _PLACES.items():
            where = f"(?:{words})".join(re.split(rf"\b{name}\b", where))
        low, high, step = map(float, numbers.split())
        out.append((re.compile(what), re.compile(where, re.I) if where else None, Measure(low, high, step)))
    return tuple(out)


def measure_of(words: str, description: str, unit: str, context: str) -> Measure | None:
    """The usual numbers of a parameter; None where nothing tells them.

    Args:
        words: Its name in words.
        description: What is said of it.
        unit: Its unit, empty where it has none.
        context: What is said of its tool.
    """
    about = f"{words} {description} {context}".lower()
    # Of "Electricity use per year in kWh" only what it is: "electricity use".
    prose = re.split(r"[.;:,(]| (?:of|for|in|per|by|at|to|from|that|which|on)\b", description.lower())[0]
    for text in (words, prose):
        told = f"{text} [{unit}]"
        for what, where, measure in _lines():
            if what.search(told) and (where is None or where.search(about)):
                return measure
    return None
