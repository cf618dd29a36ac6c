"""Car rental: find, rent, change, cancel, add extras, report damage."""

from looptool_kit.world.pools import words
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    CITY,
    DATE,
    Surface,
    boolean,
    clock,
    constant,
    count,
    enum,
    identifier,
    list_of,
    money,
    pool,
    record,
)

RENTAL = identifier("CR", "rental", 5)
REPORT = identifier("DMG", "damage report")
CARS = words(
    """Toyota Corolla|Toyota Yaris|Toyota RAV4|Honda Civic|Honda Jazz|Honda CR-V|Ford Focus|Ford Fiesta|
    Ford Kuga|Ford Mustang|Volkswagen Golf|Volkswagen Polo|Volkswagen Tiguan|Renault Clio|Renault Captur|
    Renault Megane|Peugeot 208|Peugeot 308|Peugeot 3008|Fiat Panda|Fiat Tipo|Kia Picanto|Kia Sportage|
    Kia Niro|Hyundai Tucson|Hyundai Kona|Nissan Leaf|Nissan Qashqai|Nissan Juke|Mazda 3|Mazda MX-5|Mazda CX-5|
    Skoda Octavia|Skoda Fabia|Skoda Kodiaq|Seat Ibiza|Seat Leon|Volvo XC40|Volvo V60|Tesla Model 3|
    Tesla Model Y|BMW X1|Mini Cooper|Citroen Berlingo|Dacia Duster|Dacia Sandero|Suzuki Swift|Suzuki Jimny|
    Jeep Renegade|Jeep Compass|Subaru Forester|Chevrolet Malibu|Mitsubishi Outlander|Lexus UX"""
)
CAR = pool(
    "car",
    "make and model of a car",
    CARS,
    say=lambda v, _: [Surface(f"the {v}")],
    noun="car",
    question="Which car would you like?",
    words=("car", "model"),
)
DAYS = count(2, 21)
START = ("starting {@}",)

DOMAIN = Domain.of(
    "car_rental",
    T(
        "search_rental_cars",
        "Search for rental cars in a city.",
        [
            P("city", CITY),
            P("pickup_date", DATE, *START, ask="On which date do you want to pick the car up?"),
            P("days", DAYS, "for {#day}", ask="For how many days?", words=("how many", "days", "how long")),
            P(
                "car_class",
                enum(
                    compact="compact cars",
                    luxury="luxury cars",
                    electric="electric cars",
                    convertible="convertibles",
                    suv="SUVs",
                    van="vans",
                ),
                ", only {}",
                ", namely {}",
                ask="What kind of car would you like?",
                words=("kind", "car", "what"),
            ),
        ],
        do=[
            "find {car_class} to rent",
            "search for {car_class} to rent in {city}",
            "look for {car_class} to rent",
            "show me {car_class} for hire",
            "list the {car_class} for hire in {city}",
            "compare rental prices of {car_class}",
            "find rental vehicles",
            "search for rental vehicles",
        ],
        ask=[
            "which {car_class} can I rent",
            "what {car_class} are available for rent",
            "which {car_class} are for hire in {city}",
            "what {car_class} could I hire",
        ],
        why=["We're planning a road trip.", "The train doesn't go there.", "My own car is in the garage."],
        out={"cars": list_of(record(car=CAR, price=money(90, 700, cents=True)), 2, 3)},
        refer={
            "cars": (
                "the {*} of the {car_class} for {days#day} starting {pickup_date@} in {city}",
                "the {*} of the {car_class} starting {pickup_date@} for {days#day} in {city}",
            )
        },
        reply="There are {cars.n} cars; the {cars.0.car} costs {cars.0.price} in total.",
    ),
    T(
        "rent_car",
        "Rent a car.",
        [
            P("car", CAR),
            P("city", CITY),
            P("pickup_date", DATE, *START, ask="On which date do you want to pick the car up?"),
            P("days", DAYS, "for {#day}", ask="For how many days?", words=("how many", "days", "how long")),
            P(
                "insurance",
                enum(
                    none="without insurance|with no insurance",
                    basic="with basic insurance",
                    full="with full insurance|with fully comprehensive insurance",
                ),
                default="basic",
            ),
        ],
        do=[
            "rent {car}",
            "book {car}",
            "hire {car}",
            "reserve {car} in {city}",
            "rent {car} for {days#day}",
            "rent a car",
            "hire a car in {city}",
        ],
        why=["We're planning a road trip.", "My own car is in the garage."],
        out={"rental_id": RENTAL, "total": money(120, 900, cents=True)},
        makes=RENTAL,
        reply="The {car} is yours: rental {rental_id}, {total} in total.",
    ),
    T(
        "change_rental",
        "Change the pickup date, length or return city of a car rental.",
        [
            P("rental_id", RENTAL),
            P("pickup_date", DATE, "to start {@}", opt=True),
            P("days", DAYS, "to last {#day}", opt=True),
            P("return_city", CITY, "to end in {}", opt=True),
        ],
        do=[
            "change {rental_id}",
            "update {rental_id}",
            "modify {rental_id}",
            "adjust {rental_id}",
            "edit {rental_id}",
        ],
        why=["Our travel plans have changed.", "The trip looks different now."],
        out={"rental_id": "=rental_id", "new_total": money(120, 900, cents=True)},
        changes=RENTAL,
        reply="The rental is changed; it now costs {new_total}.",
    ),
    T(
        "cancel_rental",
        "Cancel a car rental.",
        [
            P("rental_id", RENTAL),
            P(
                "refund",
                enum(
                    card="and refund my card|with a refund to my card",
                    voucher="and give me a voucher|in exchange for a voucher",
                ),
                opt=True,
                desc="How to refund",
            ),
        ],
        do=[
            "cancel {rental_id}",
            "call off {rental_id}",
            "drop {rental_id}",
            "get rid of {rental_id}",
            "cancel a car rental",
            "call off a car rental",
        ],
        why=["We won't need a car after all.", "The trip is off."],
        out={"rental_id": "=rental_id", "fee": money(5, 60)},
        cancels=RENTAL,
        reply="The rental is cancelled; the cancellation fee is {fee}.",
    ),
    T(
        "add_rental_extras",
        "Add extras to a car rental.",
        [
            P("rental_id", RENTAL, "to {}"),
            P(
                "extras",
                list_of(
                    enum(
                        gps="a GPS",
                        child_seat="a child seat",
                        roof_box="a roof box",
                        ski_rack="a ski rack",
                        snow_chains="snow chains",
                        second_driver="a second driver",
                    ),
                    1,
                    3,
                ),
                ask="Which extras would you like?",
                words=("extras", "which", "what"),
            ),
        ],
        do=[
            "add {extras}",
            "add {extras} to {rental_id}",
            "include {extras} in {rental_id}",
            "put {extras} on {rental_id}",
            "book {extras} for {rental_id}",
            "add some extras",
        ],
        why=["I forgot something.", "We could use a little more equipment."],
        out={"status": constant("added"), "price": money(5, 80, cents=True)},
        reply="The extras are added for {price}.",
    ),
    T(
        "report_rental_damage",
        "Report damage to a rented car.",
        [
            P("rental_id", RENTAL, "of {}", "on {}"),
            P(
                "part",
                enum("windscreen", "front_bumper", "rear_bumper", "left_mirror", "right_mirror", "bonnet"),
                "to the {}",
                ask="Which part of the car is damaged?",
                words=("part", "what", "where"),
            ),
            P(
                "drivable",
                boolean(
                    "can still be driven|is still safe to drive",
                    "can no longer be driven|is no longer safe to drive",
                ),
                ", which {}",
                also="The car {}.",
                ask="Can the car still be driven?",
                words=("driven", "drive", "drivable"),
            ),
        ],
        do=[
            "report damage to the {part} of {rental_id}",
            "report a damaged {part} on {rental_id}",
            "file a damage report about the {part} of {rental_id}",
            "report a broken {part} on {rental_id}",
            "report damage to the {part}",
            "report damage on {rental_id}",
        ],
        why=["Someone hit us in the car park.", "We've had a small accident."],
        out={"report_id": REPORT, "callback": clock(9, 19)},
        later=True,
        reply="The damage is reported as {report_id}; someone calls you at {callback}.",
    ),
)
