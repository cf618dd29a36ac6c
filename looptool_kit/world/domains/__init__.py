"""How to write a domain: one module here that sets `DOMAIN = Domain.of("name", T(...), T(...), ...)`; it is found by listing this package.

    from looptool_kit.seeders.world.spec import Domain, P, T
    from looptool_kit.seeders.world.types import DATE, PERSON, RESTAURANT, boolean, clock, count, enum, identifier

    BOOKING = identifier("RES", "reservation")          # one object, used wherever a reservation is meant

    T("book_table", "Book a table at a restaurant.",     # a name like a real API's, one short sentence that starts with a verb (declining says "I
    can't book a table at a restaurant")
      [P("restaurant", RESTAURANT),                       # required; wordings of its type ("at {}") unless you give clauses
       P("guests", count(2, 12), "for {#person/people}", also="There will be {} of us.", ask="How many people will come?", words=("how many",
       "people")),
       P("seating", enum("bar", outdoor="outside|on the terrace", indoor="inside"), opt=True)],
      do=["book a table", "reserve {restaurant} for {guests#person/people}", ...],      # at least 4 verb phrases in base form, lower case, no final
      punctuation
      ask=["what's ...", ...],                            # 0 or 3+: complete questions without "?", for tools that look something up; lower case
      need=["a table", "a reservation", ...],             # 0 or 3+: noun phrases that fit "I need ___", "Can I get ___?"
      why=["My parents are in town."],                    # 0-4 sentences that may stand before the request; they must not name any value and ask for
      nothing;
                                                          # no "I've just left the gym" where the tool has a date
      out={"reservation_id": BOOKING, "restaurant": "=restaurant", "status": constant("confirmed")},    # field -> type, or "=param" to give an
      argument back
      reply="Your table at {restaurant} is booked, reference {reservation_id}.",       # one sentence about the result: required arguments and
      outputs only;
                                                                                        # of a list: {flights.n} its length, {flights.0.price} a
                                                                                        field of its first entry
      makes=BOOKING)                                      # state: makes / changes / cancels / lists a kind of record (an identifier)

Rules.
- Phrases hold slots of *required* parameters or none; whatever a phrase does not mention is added by the clauses of the parameters, in varied order,
  so that each
  phrase has to read well with any of them after it. At least two `do` phrases hold no slots at all (for questions about a missing parameter).
- A parameter without clauses (its type has none either: identifiers, tasks, products, lists of them ...) is only said inside phrases: then *every*
  phrase holds its slot, but for one or
  two slotless ones that serve when it is missing ("cancel a reservation").
- Clauses are prepositional ("for {}", "on {}", "with {}") and must also stand alone in "Do the same {clause}." Optional parameters are only ever
  mentioned by their clauses.
- `{}` the value ("December 4"), `{@}` with its own preposition, for dates and times ("on December 4", "tomorrow", "at 6:30 pm"), `{#night}` or
  `{#person/people}` counted.
- The request must determine the label exactly: texts in quotes (MESSAGE, TITLE and TASK do that themselves), names as they stand, no value that
  could be said in two ways. Say units.
- No "please", "can you" or "I" in phrases; frames add them. Times that make sense: `clock(17, 22)`; money(low, high) is round, money(low, high,
  cents=True) for prices in results.
- Booleans and enums word their values: `boolean("with breakfast|breakfast included", "without breakfast")`, `enum("bus", "train", on_foot="on
  foot|walking")`. A clause list may be left
  out when these wordings are clauses already. In `enum` a wording that lacks the value itself counts as implicit.
- Never two tools in one domain that could both fulfil one request; do make near ones (search / book, create / update / cancel / list) so that
  choosing is a task.
- At least one pair of tools is linked by type: the output of one (an `identifier`, or a type with a noun like EMAIL) is a required parameter of the
  other, whose phrases then say
  "cancel {reservation_id}" -> "cancel reservation RES-4821" / "cancel that reservation". Give linked list items a money, time, duration or rating
  field: "book the cheapest one"; a TITLE, CITY or PERSON
  in the items allows "the event called ...", "the ticket for ...".
- An optional argument max_price or min_rating (any max_x, min_x) bounds the field `price`, `rating` of the listed
  items. An output with an argument's name and type is that argument. But for `picks`, outputs have no other tie to the
  arguments.
- Where an argument lists the outputs that are wanted, `picks=("figures", {"steps": "{steps} steps", ...})` gives back
  those alone; `{*}` in `reply` stands for the wordings of those that came.
- `fits=lambda a, found: ...` for what must hold between the arguments and the result (of a list, its entry) that the
  call builds on: an offer near the price. `later=True`: nobody asks for it right after making such a record (damage to
  a car that is still to be picked up).
- `where=lambda a: a["origin"] != a["destination"]` for what must hold between required arguments; arguments of one type are different anyway.
  Optional ones: use `a.get`.
- A tool costs 60-110 tokens: 2-4 parameters, descriptions only where the name does not say it. Outputs are short too: 1-4 fields, lists of 2-3 items
  with 2-3 fields.
- Keep tools back for the split `unseen_tools` with `held=True` on a `T` or a whole `Domain.of(..., held=True)`. Tool names are unique over all
  domains.
- Check with `python -m looptool_kit.world.show DOMAIN [n]`, and read what it prints.
"""
