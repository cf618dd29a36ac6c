"""Veterinary practice: appointments, vaccinations, prescriptions, doses. Kept whole for unseen tools."""

from dataclasses import replace

from looptool_kit.world import pools
from looptool_kit.world.pools import one
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    DATE,
    DATETIME,
    PAST_DATE,
    boolean,
    clock,
    constant,
    count,
    enum,
    identifier,
    list_of,
    money,
    nullable,
    number,
    pool,
    record,
    text,
)

VISIT = identifier("VET", "vet appointment")
START = replace(DATETIME, draw=lambda r, today: f"{DATE.draw(r, today)}T{clock(8, 17).draw(r, today)}")
PRESCRIPTION = identifier("RX", "prescription", 5)
PET = pool(
    "pet",
    "name of a pet",
    pools.words(
        """Rex|Bella|Luna|Milo|Coco|Biscuit|Pepper|Shadow|Ziggy|Nala|Simba|Oreo|Waffles|Maple|Ginger|Smokey|
        Misty|Rocky|Buddy|Cleo|Gizmo|Hazel|Jasper|Kiwi|Loki|Marley|Mocha|Noodle|Olive|Patches|Peanut|Pickles|
        Poppy|Pumpkin|Rusty|Sadie|Scout|Snowball|Socks|Sparky|Sushi|Taco|Teddy|Thor|Tiger|Toffee|Truffle|
        Whiskers|Willow|Winnie|Yoshi|Zelda|Domino|Dumpling|Fudge|Moose|Nugget|Panda|Pixel|Sprout"""
    ),
    clauses=("for {}",),
    question="Which pet is it for?",
    words=("pet", "which", "name"),
)
DOCTOR = text(
    "vet",
    "name of a vet",
    lambda r: f"Dr. {one(r, pools.LAST)}",
    pattern=r"Dr\. \S+",
    clauses=("with {}",),
    question="Which vet?",
    words=("vet", "doctor"),
)
MEDICINE = pool(
    "medicine",
    "a medicine for animals",
    pools.words(
        """amoxicillin|carprofen|meloxicam|prednisolone|gabapentin|doxycycline|metronidazole|furosemide|
        cetirizine|tramadol|omeprazole|famotidine|insulin|phenobarbital|enrofloxacin|ivermectin"""
    ),
    question="Which medicine?",
    words=("medicine", "medication", "which"),
)
VACCINE = enum(
    "rabies",
    "distemper",
    "parvovirus",
    "leptospirosis",
    "bordetella",
    question="Which vaccine was it?",
    words=("vaccine", "vaccination", "which"),
)

DOMAIN = Domain.of(
    "veterinary",
    T(
        "book_vet_appointment",
        "Book a vet appointment for a pet.",
        [
            P("pet", PET),
            P("date", DATE),
            P("time", clock(8, 18)),
            P("vet", DOCTOR, opt=True),
            P(
                "reason",
                enum(
                    checkup="because a checkup is due|as a routine checkup",
                    dental="because of dental problems|due to dental trouble",
                    skin="because of a skin problem|due to skin trouble",
                ),
                opt=True,
            ),
        ],
        do=[
            "book a vet appointment",
            "make an appointment at the vet",
            "schedule a vet visit",
            "arrange a visit to the vet",
            "get {pet} an appointment at the vet",
        ],
        need=["a vet appointment", "an appointment at the vet", "a vet visit"],
        why=["We have a pet to look after.", "It's been a while since our last visit."],
        out={"appointment_id": VISIT, "vet": DOCTOR, "status": constant("booked")},
        makes=VISIT,
        reply="Appointment {appointment_id} with {vet} is booked for {pet}.",
    ),
    T(
        "move_vet_appointment",
        "Move a vet appointment to another date and time.",
        [P("appointment_id", VISIT), P("new_start", START, "to {}", ask="To what date and time?")],
        do=[
            "move {appointment_id}",
            "reschedule {appointment_id}",
            "shift {appointment_id}",
            "push {appointment_id}",
            "change {appointment_id}",
            "reschedule a vet appointment",
        ],
        why=["I have to work that day.", "We can't make it."],
        out={"appointment_id": "=appointment_id", "vet": DOCTOR},
        changes=VISIT,
        reply="The appointment is moved; {vet} will see you.",
    ),
    T(
        "record_vaccination",
        "Record a vaccination that a pet received.",
        [
            P("pet", PET, ask="Which pet was vaccinated?"),
            P("vaccine", VACCINE, "against {}"),
            P("given_on", PAST_DATE, "given {@}", "that was given {@}", ask="On which date was it given?"),
            P(
                "booster_on",
                nullable(DATE, "with no booster due|without a booster"),
                "with a booster due {@}",
                opt=True,
            ),
        ],
        do=[
            "record a {vaccine} vaccination",
            "add a {vaccine} vaccination to the health record",
            "note down a {vaccine} shot",
            "log a {vaccine} vaccination for {pet}",
            "record a vaccination",
            "enter a vaccination into the health record",
        ],
        why=["I've found the vaccination booklet.", "The health record is incomplete."],
        out={"pet": "=pet", "total_vaccinations": count(1, 9)},
        reply="The vaccination is recorded; {pet} has had {total_vaccinations} so far.",
    ),
    T(
        "list_prescriptions",
        "List the prescriptions of a pet.",
        [
            P("pet", PET),
            P("active_only", boolean("except expired ones|without the expired ones"), default=False),
        ],
        do=[
            "list the prescriptions",
            "show the pet prescriptions",
            "look up the prescriptions",
            "check the prescriptions on file",
            "pull up the prescriptions",
        ],
        ask=[
            "which prescriptions are on file",
            "what prescriptions are there",
            "are there any prescriptions",
            "what has the vet prescribed",
        ],
        out={
            "prescriptions": list_of(
                record(prescription_id=PRESCRIPTION, medicine=MEDICINE, price=money(8, 90, cents=True)), 2, 3
            )
        },
        lists=PRESCRIPTION,
        reply="There are {prescriptions.n} prescriptions; the first one is for {prescriptions.0.medicine}.",
    ),
    T(
        "refill_prescription",
        "Order a refill of a pet prescription.",
        [
            P("prescription_id", PRESCRIPTION, "for {}"),
            P(
                "packs",
                count(1, 6),
                "with {#pack}",
                also="We need {#pack}.",
                ask="How many packs do you need?",
                words=("how many", "packs"),
            ),
            P(
                "delivery",
                enum(pickup="for pickup|to be picked up", mail="by mail|delivered by mail"),
                opt=True,
            ),
        ],
        do=[
            "refill {prescription_id}",
            "order a refill of {prescription_id}",
            "renew {prescription_id}",
            "get {prescription_id} refilled",
            "order a prescription refill",
            "request a refill",
        ],
        need=["a refill of {prescription_id}", "{prescription_id} refilled", "a refill"],
        why=["We're running low.", "The last pill is gone."],
        out={"ready_on": DATE, "total": money(10, 150, cents=True)},
        reply="The refill will be ready on {ready_on} and costs {total}.",
    ),
    T(
        "calculate_dose",
        "Calculate the dose of a medicine for an animal.",
        [
            P("medicine", MEDICINE),
            P(
                "species",
                enum("dog", "cat", "rabbit"),
                "for a {}",
                ask="What kind of animal is it: a dog, a cat or a rabbit?",
                words=("dog", "animal", "species"),
            ),
            P(
                "weight",
                number(1.2, 38.0),
                "at a weight of {} kg",
                "at {} kg of body weight",
                desc="kg",
                ask="How much does the animal weigh?",
                words=("weigh", "how much", "heavy"),
            ),
        ],
        do=[
            "calculate the right dose of {medicine}",
            "work out the dose of {medicine}",
            "calculate the {medicine} dose for a {species}",
            "calculate a medicine dose",
            "work out a medicine dose",
            "find the correct dose of {medicine}",
        ],
        ask=[
            "what is the right dose of {medicine}",
            "what is the right dose",
            "what dose of {medicine} would be right",
            "how much {medicine} is right",
            "what's the correct dose of {medicine} for a {species}",
        ],
        why=["The label has come off.", "I want to be careful."],
        out={"dose_mg": number(2, 240), "times_a_day": count(1, 3)},
        where=lambda a: a.get("weight", 4) < {"cat": 9, "rabbit": 6}.get(a.get("species", ""), 99),
        reply="Give {dose_mg} mg, {times_a_day} times a day.",
    ),
    held=True,
)
