"""What people write in free text, by what the field and the tool are about. Data only.

A head is `what @ where`; indented lines continue it. `what` is the whole name of a parameter, `where` is
looked for in what is said of the tool. The first head that fits counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from looptool_kit.world.core import Type, pool, quoted
from looptool_kit.world.pools import words as listed

_KINDS = """
(?:title|name|headline|subject|incident|issue) @ (?!.*(?:harbour|fire|police|accident|traffic|workplace
  |safety|injur))(?:.*)(?:incident|outage|downtime):
  checkout errors|slow search results|login fails|missing e-mails|payment timeouts|high latency|
  broken image uploads|failed backups|expired certificate|full disk|stuck queue|wrong prices|
  empty start page|lost sessions|delayed notifications|DNS problems
(?:summary|resolution|description|root cause|outcome|notes?) @ (?!.*(?:harbour|fire|police|accident|traffic
  |workplace|safety|injur))(?:.*)(?:incident|outage|downtime):
  rolled back the last release|restarted the workers|added more disk space|renewed the certificate|
  fixed the configuration|cleared the queue|the provider had an outage|raised the connection limit|
  a deadlock in the database|switched to the backup line|a wrong feature flag|blocked a bot
(?:title|summary|subject|issue|problem|name) @ ticket|issue|bug|support|defect|helpdesk|case:
  printer does not print|cannot log in|export fails|page stays blank|wrong invoice address|
  app crashes on start|no e-mails arrive|slow Wi-Fi|broken link on the start page|
  password reset does not work|missing attachment|video has no sound|wrong currency shown|
  screen flickers|calendar does not sync|search finds nothing
(?:title|summary|subject|issue|problem|description|details|fault|complaint|request) @ repair|maintenance
  |landlord|tenant|plumb|building|facility|caretaker|work order:
  it has got worse since yesterday|same problem as last month|noticed it this morning|
  it was fine until Monday|the neighbours noticed it too|nobody has looked at it yet|
  started after the storm|second time this year|not urgent but annoying|please call before coming|
  photos follow|happens every morning
(?:review|comment|feedback|text|body|remarks?|opinion) @ review|rating|rate|feedback|survey:
  very friendly staff|too loud at night|great value|would come again|slow service|clean and quiet|
  a bit too expensive|exactly as described|arrived late|easy to use|the food was cold|
  lovely view|good but small|well explained|not worth the money|perfect for children
(?:statement|reason|grounds|justification|objection|argument|explanation|why) @ fine|appeal|penalty|parking:
  the sign was hidden|the ticket machine was broken|I had a valid permit|I was not the driver|
  the amount is wrong|it was paid already|the car was sold before|an emergency|
  the number plate is not mine|the date is wrong|the ticket fell off the dashboard|the car had broken down
(?:statement|reason|grounds|objection|argument|explanation|why) @ dispute|chargeback|complaint|return
  |refund|claim:
  it never arrived|charged twice|the wrong size|it is damaged|I did not order it|the amount is wrong|
  not as described|it came too late|the colour is wrong|a part is missing|cancelled in time|
  it stopped working
(?:description|purpose|memo|note|title|reference|what|label|reason for payment) @ expense|transaction
  |payment|spend|transfer|budget|receipt|reimburse:
  lunch with a client|train to Leipzig|printer paper|taxi to the airport|office plants|
  a birthday present|weekly groceries|new headphones|parking|coffee for the team|hotel in Graz|
  a phone case|books for the course|cinema tickets|a new kettle|stamps
(?:title|name|event|summary)(?: name)? @ event|festival|fair|open day:
  Summer Fair|Open Day|Book Swap|Charity Run|Jazz Night|Spring Market|Quiz Night|Poetry Evening|
  Family Day|Harvest Supper|Film Night|Board Game Evening|Choir Concert|Flea Market|Street Dinner|
  Science Day
(?:title|name|heading|headline|document|page)(?: name| title)? @ document|page|wiki|note|report|article
  |post|thread|topic|paper|memo|card|file:
  Travel Policy|Onboarding Checklist|Price List|Meeting Rules|Packing List|House Rules|Safety Notes|
  Team Contacts|Reading List|Holiday Plan|Style Guide|Opening Hours|Cleaning Rota|Budget Overview|
  Parking Rules|Lessons Learned
(?:title|name|topic|course|workshop|class|lesson|training)(?: name| title)? @ course|class|lesson|workshop
  |training|lecture|seminar|webinar:
  Pottery for Beginners|First Aid|Watercolours|Spanish A1|Bread Baking|Creative Writing|
  Bicycle Repair|Photo Editing|Yoga Basics|Garden Design|Chess for Children|Public Speaking|
  Sewing|Home Brewing|Salsa|Spreadsheets
(?:title|name|project)(?: name)? @ project|initiative|milestone:
  Website Relaunch|Office Move|Data Cleanup|New Price List|Customer Survey|Annual Report|
  Warehouse Extension|Safety Training|Solar Roof|Paperless Office|App Redesign|Staff Handbook|
  Energy Audit|Archive Scan|Summer Party|Fleet Renewal
(?:title|name|campaign)(?: name)? @ campaign|newsletter|promotion|advert|coupon:
  Spring Sale|Back to School|Black Friday|Summer Deals|Welcome Offer|Winter Warmers|Refer a Friend|
  Early Bird|Thank You Week|New Arrivals|Easter Treats|Last Chance|Anniversary|Free Shipping Week
(?:title|name|playlist|station)(?: name)? @ playlist|radio|music:
  Morning Run|Rainy Sunday|Road Trip|Deep Focus|Dinner Jazz|Party Mix|Sleepy Piano|Nineties Hits|
  Workout|Summer Evenings|Cooking Time|Slow Mornings|Guitar Favourites|Long Drive
(?:goal|objective|target|habit|resolution)(?: name| title)?:
  read ten pages|drink more water|walk every day|learn ten words|no sugar|stretch in the morning|
  save for a bike|run a half marathon|write a diary|practise the guitar|go to bed earlier|
  cook at home|call the family|less screen time|meditate|swim twice a week
(?:description|comment|notes?|details|remarks?|observations?|findings?|summary) @ inspect|condition
  |check ?up|survey of|audit of|monitor:
  in good condition|slight rust on the frame|needs a new seal|no signs of damage|paint is flaking|
  a small leak at the valve|bearings are worn|cleaned and oiled|a hairline crack|
  looks healthy|some dry leaves|bolts were loose|filter changed|belt replaced
(?:description|details|item description|what|object) @ lost|found:
  a black umbrella|a blue rucksack|a silver watch|a set of keys|a red scarf|a brown wallet|
  reading glasses|a child's jacket|a white phone|a green water bottle|a leather glove|a camera
(?:question|ask|enquiry|inquiry)(?: text)?:
  what are the opening hours|is parking free|can I bring a dog|do you deliver on Saturdays|
  how long is the warranty|is there a student discount|can I pay by card|where is the entrance|
  do I need to book|is breakfast included|which size fits me|can I change the date
(?:pet|dog|cat|animal|horse)(?:'?s)? name|name of (?:the )?(?:pet|dog|cat|animal):
  Bella|Max|Luna|Rocky|Milo|Daisy|Charlie|Coco|Buddy|Ginger|Nala|Simba|Rosie|Toby|Pepper|Rex
(?:resolution|outcome|result|solution) @ close|resolve|complete|finish|settle:
  replaced the part|refunded the customer|no fault found|fixed by a restart|sent a new one|
  agreed on a discount|duplicate of another one|explained by phone|cable replaced|
  settings corrected|repaired on site|handed to the supplier
(?:building|house|residence|block|property|villa)(?: name)?:
  Maple House|Harbour House|Station Court|Mill House|Linden Court|Park House|Riverside|Garden Court|
  Rose Cottage|Tower House|Castle Court|Willow House|Oak House|Hill House|Bridge House|Elm Court
(?:vessel|ship|boat|yacht|ferry)(?: name)?:
  Albatross|Sea Breeze|Northern Star|Morning Tide|Blue Heron|Catriona|Wind Rose|Amphitrite|Petrel|
  Ocean Spirit|Seagull|Marie Louise|Good Hope|Nordkap|Stella Maris|Kittiwake
(?:team|squad|club|crew)(?: name)?:
  Team A|Team B|North|South|Blue|Red|Green|Team 3|Early shift|Late shift|East|West
(?:band|choir|orchestra|ensemble|act|artist)(?: name)?:
  The Tin Drums|Harbour Brass|Nova Quartet|The Paper Kites|Old Mill Choir|Velvet Echo|The Night Trams|
  Silver Strings|Blue Canal|The Lost Keys|Northern Voices|Copper Moon|The Late Buses|Duo Alba
(?:field|plot|orchard|vineyard|pasture|meadow|paddock|greenhouse)(?: name)?:
  North Field|Hillside|River Meadow|Lower Acre|South Slope|Old Orchard|Long Field|East Paddock|
  Church Field|Mill Meadow|Top Field|Stony Acre
(?:shop|store|branch|outlet|depot|warehouse|site|plant|factory|station)(?: name)?:
  Leipzig|Harbour Street|Old Town|North Gate|Central Station|Market Square|Graz|Riverside|Airport|
  West Park|Bilbao|Mill Lane|University|Ghent|East Side|Turin
(?:venue|location)(?: name)? @ event|cater|wedding|party|concert|meeting|conference|rehearsal|gig|match:
  Town Hall|Old Mill|Harbour Hall|Castle Barn|Riverside Pavilion|Botanical Garden|Art Museum|
  Lake House|St. Mary's Hall|City Library|The Boathouse|Rose Garden
(?:account|workspace|profile)(?: name)?:
  Main|Office|Family|Holiday|Business|Shared|Private|School|Studio|North|Workshop|Garden
(?:column|lane|stage|swimlane)(?: name)?:
  To do|Doing|Review|Done|Waiting|Blocked|Ideas|Testing|Next|Backlog|Approved|On hold
(?:list|board|album|folder|collection|category)(?: name)?:
  Holidays|Birthdays|Household|Recipes|Garden|School|Weekend|Work|Family|Gifts|Reading|Repairs
""".strip()


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[re.Pattern[str], re.Pattern[str], Type], ...]:
    out = []
    for entry in re.split(r"\n(?! )", _KINDS):
        head, _, values = entry.partition(":\n")
        head = re.sub(r"\n +", "", head)
        what, _, where = head.partition(" @ ")
        text = re.sub(r"\n? {2}", "", values)
        out.append(
            (
                re.compile(what),
                re.compile(rf"\b(?:{where})" if where else ""),
                pool("remark", "what somebody writes", listed(text), say=quoted, question="", words=()),
            )
        )
    return tuple(out)


def remark_of(words: str, context: str) -> Type | None:
    """What people write into a field of this name, None if unknown."""
    return next((k for what, where, k in _kinds() if what.fullmatch(words) and where.search(context)), None)
