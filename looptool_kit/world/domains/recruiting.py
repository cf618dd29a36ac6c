"""Recruiting: job postings, candidates, interviews, offers. Kept whole for unseen tools."""

from dataclasses import replace

from looptool_kit.world.pools import one, words
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    CITY,
    DATE,
    DATETIME,
    PERSON,
    RATING,
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
    text,
)

JOB = identifier("JOB", "job posting")
CANDIDATE = identifier("CAN", "candidate", 5)
START = replace(DATETIME, draw=lambda r, today: f"{DATE.draw(r, today)}T{clock(8, 17).draw(r, today)}")
# Not a person in the sense of the world's own: "the candidate for Ada Cohen" would be somebody else.
NAME = replace(PERSON, name="candidate name", parent=PERSON)
INTERVIEW = identifier("INT", "interview")
LEVELS = words("Junior|Senior|Lead|Assistant|Principal|Regional")
ROLES = words(
    """Data Analyst|Software Engineer|Accountant|Product Manager|Graphic Designer|Sales Manager|Nurse|
    Electrician|Chef|Architect|Copywriter|Translator|Biologist|Warehouse Manager|Project Manager|
    Machine Operator|Security Officer|Social Worker|Tax Consultant|Web Developer|Test Engineer|Office Manager|
    Recruiter|Buyer|Auditor|Laboratory Technician"""
)
ROLE = text(
    "role",
    "title of a job",
    lambda r: f"{one(r, LEVELS)} {one(r, ROLES)}",
    clauses=("for the position of {}", "for the role of {}"),
    question="What is the job title?",
    words=("title", "job", "role", "position"),
)
SKILL = pool(
    "skill",
    "a professional skill",
    words(
        """Python|SQL|Excel|Java|Kubernetes|bookkeeping|negotiation|copywriting|project management|
        public speaking|welding|first aid|photo editing|machine learning|statistics|data visualisation|
        customer service|payroll|technical drawing|quality control|budgeting|event planning|translation|
        legal research|supply chain planning|user research|web design|network security|video editing|
        contract law"""
    ),
    question="Which skills should they have?",
    words=("skills", "skill", "which"),
)
PAY = replace(money(30_000, 120_000), draw=lambda r, _: r.randrange(30, 121) * 1000)
LOW = replace(money(28_000, 60_000), draw=lambda r, _: r.randrange(28, 61) * 1000)
HIGH = replace(money(62_000, 130_000), draw=lambda r, _: r.randrange(62, 131) * 1000)

DOMAIN = Domain.of(
    "recruiting",
    T(
        "post_job",
        "Publish a job posting.",
        [
            P("title", ROLE),
            P("location", CITY),
            P(
                "salary",
                record("{min} to {max}", min=LOW, max=HIGH),
                "paying {} a year",
                "with a salary of {} a year",
                ask="What is the salary range?",
                words=("salary", "pay"),
            ),
            P(
                "remote",
                boolean(
                    "with remote work allowed|open to remote work", "with no remote work|without remote work"
                ),
                opt=True,
            ),
        ],
        do=[
            "publish a job posting",
            "post a job opening",
            "put up a job ad",
            "advertise a vacancy",
            "create a job posting",
        ],
        need=["a job posting", "a new job ad", "a job ad"],
        why=["We're growing.", "Somebody has just resigned.", "The budget has been approved."],
        out={"job_id": JOB, "closes_on": DATE},
        makes=JOB,
        reply="The posting {job_id} is online until {closes_on}.",
    ),
    T(
        "search_candidates",
        "Search for candidates by skills.",
        [
            P("skills", list_of(SKILL, 1, 3), "skilled in {}", "with skills in {}"),
            P("city", CITY, "based in {}", "living in {}", opt=True),
            P(
                "min_years",
                count(2, 15),
                "with at least {#year} of experience",
                "who have {} or more years of experience",
                opt=True,
            ),
        ],
        do=[
            "find candidates",
            "search for candidates",
            "look for applicants",
            "show me candidates",
            "search the talent pool for people",
            "list the applicants",
        ],
        ask=[
            "which candidates do we have",
            "do we have any applicants",
            "are there any candidates",
            "who is there in our talent pool",
        ],
        need=["candidates", "a list of applicants", "some candidates"],
        why=["The team needs help.", "We have to fill a gap quickly."],
        out={"candidates": list_of(record(candidate_id=CANDIDATE, name=NAME, rating=RATING), 2, 3)},
        reply="I found {candidates.n} candidates, among them {candidates.0.name}.",
    ),
    T(
        "schedule_interview",
        "Schedule a job interview with a candidate.",
        [
            P("candidate_id", CANDIDATE, "with {}"),
            P("start", START, ask="When should the interview take place?", words=("when", "date", "time")),
            P(
                "format",
                enum(video="by video|over video", phone="by phone|over the phone", onsite="onsite"),
                opt=True,
            ),
        ],
        do=[
            "schedule an interview",
            "set up a job interview",
            "arrange an interview",
            "book a job interview",
            "organise an interview with {candidate_id}",
            "invite {candidate_id} to an interview",
        ],
        need=["an interview with {candidate_id}", "a job interview", "an interview"],
        why=["The CV looks promising.", "The team wants to meet."],
        out={"interview_id": INTERVIEW, "status": constant("scheduled")},
        makes=INTERVIEW,
        reply="The interview {interview_id} is scheduled.",
    ),
    T(
        "cancel_interview",
        "Cancel a job interview.",
        [
            P("interview_id", INTERVIEW),
            P(
                "reason",
                enum(
                    "illness",
                    "travel",
                    withdrawn="a withdrawn application",
                    clauses=("because of {}", "due to {}"),
                ),
                opt=True,
            ),
            P(
                "notify",
                boolean(
                    "with a notice to everyone|with a message to everyone",
                    "without notifying anyone|without telling anyone",
                ),
                opt=True,
            ),
        ],
        do=[
            "cancel {interview_id}",
            "call off {interview_id}",
            "drop {interview_id}",
            "take {interview_id} off the schedule",
            "cancel a job interview",
            "call off a job interview",
        ],
        out={"interview_id": "=interview_id", "interviews_left": count(1, 6)},
        cancels=INTERVIEW,
        reply="The interview is cancelled; {interviews_left} are left.",
    ),
    T(
        "set_candidate_stage",
        "Move a candidate to another stage of the hiring process.",
        [
            P("candidate_id", CANDIDATE),
            P(
                "stage",
                enum(
                    "screening",
                    "interview",
                    "assessment",
                    "final",
                    "rejected",
                    clauses=("to the {} stage", "into the {} stage"),
                ),
                ask="To which stage?",
            ),
        ],
        do=[
            "move {candidate_id}",
            "shift {candidate_id}",
            "switch {candidate_id}",
            "transfer {candidate_id}",
            "move {candidate_id} to the {stage} stage",
            "move a candidate",
        ],
        why=["We've talked it over.", "The panel has decided."],
        out={"candidate_id": "=candidate_id", "days_in_process": count(2, 60)},
        reply="The candidate is moved, after {days_in_process} days in the process.",
    ),
    T(
        "send_job_offer",
        "Send a job offer to a candidate.",
        [
            P("candidate_id", CANDIDATE, "to {}"),
            P(
                "salary",
                PAY,
                "with a salary of {} a year",
                "at {} a year",
                desc="USD a year",
                ask="What is the salary?",
                words=("salary", "how much"),
            ),
            P("start_date", DATE, "starting {@}", "with {} as the first day", ask="What is the start date?"),
        ],
        do=[
            "send a job offer",
            "make a job offer",
            "extend a job offer to {candidate_id}",
            "send {candidate_id} a job offer",
            "offer {candidate_id} the job",
        ],
        why=["Everyone liked the interview.", "We've found the right person."],
        out={"status": constant("sent"), "answer_by": DATE},
        reply="The offer is sent; we expect an answer by {answer_by}.",
    ),
    held=True,
)
