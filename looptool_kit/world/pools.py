"""Word lists from which the base types compose their values.

Data only. Every pool is far larger than what one run draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Entry = TypeVar("Entry")


def words(text: str) -> tuple[str, ...]:
    """The `|`-separated entries of a text, stripped."""
    return tuple(w.strip() for w in text.replace("\n", " ").split("|") if w.strip())


FIRST = words(
    """Ada|Adrian|Aisha|Akira|Alba|Amara|Amir|Ana|Anders|Anika|Anton|Asha|Astrid|Beatriz|Ben|Bianca|Bruno|
    Camille|Carlos|Carmen|Chen|Chloe|Clara|Daan|Dana|David|Deepa|Diego|Dina|Elena|Elif|Emil|Emma|Enzo|Erik|
    Esra|Esther|Eva|Farah|Fatima|Felix|Femi|Finn|Freya|Gabriel|Giulia|Grace|Hana|Hannah|Hassan|Hugo|Ibrahim|
    Ines|Ingrid|Ioana|Irene|Isaac|Ivan|Jada|Jakub|Jana|Javier|Jin|Joana|Jonas|Julia|Kai|Karim|Katya|Kenji|
    Kofi|Lara|Lars|Layla|Leo|Lina|Linh|Lucas|Lucia|Luis|Maja|Malik|Marco|Maria|Marta|Mateo|Mei|Mila|Milan|
    Mina|Mohamed|Nadia|Naomi|Nasser|Nikhil|Nina|Noah|Nora|Olga|Oliver|Omar|Oscar|Pablo|Paula|Pedro|Petra|
    Priya|Rafael|Rania|Ravi|Renata|Rosa|Ruth|Sam|Samira|Sanjay|Sara|Selma|Sergio|Simone|Sofia|Stefan|Sven|
    Tara|Tariq|Teresa|Theo|Thomas|Tomas|Uma|Vera|Victor|Viktor|Wanda|Wei|Yara|Yasmin|Yuki|Yusuf|Zainab|Zoe"""
)
LAST = words(
    """Abbott|Adeyemi|Ahmed|Almeida|Andersen|Aydin|Baker|Banerjee|Barros|Becker|Bennett|Berg|Bianchi|Blake|
    Boateng|Brandt|Bryant|Calloway|Carvalho|Castillo|Chandra|Chavez|Cohen|Conti|Costa|Cruz|Dahl|Das|Delgado|
    Demir|Diaz|Dubois|Eriksson|Esposito|Faber|Farouk|Ferrari|Fischer|Flores|Fontaine|Foster|Fraser|Garcia|
    Gomez|Grant|Greco|Haddad|Hansen|Hassan|Hayashi|Henriksen|Herrera|Hoffmann|Horvat|Ito|Ivanova|Jansen|
    Jensen|Johansson|Kaur|Keller|Khan|Kim|Kimura|Kovacs|Kowalski|Kumar|Larsen|Laurent|Lewis|Lindgren|Lopez|
    Maier|Marino|Martins|Mbeki|Mehta|Mendes|Meyer|Mori|Moreau|Morris|Nakamura|Navarro|Nguyen|Nielsen|Novak|
    Nowak|Okafor|Olsen|Ortiz|Osman|Park|Parker|Patel|Pereira|Petrov|Popescu|Quinn|Ramos|Rao|Reyes|Ricci|
    Rivera|Rossi|Ruiz|Saito|Salazar|Santos|Sato|Schmidt|Sharma|Silva|Singh|Sorensen|Stewart|Sutter|Suzuki|
    Takeda|Tanaka|Torres|Turner|Vargas|Varga|Vega|Vogel|Walsh|Weber|Wright|Yamamoto|Yilmaz|Young|Zhang|
    Zimmer"""
)
CITIES = words(
    """Lisbon|Porto|Madrid|Barcelona|Seville|Valencia|Bilbao|Paris|Lyon|Nice|Toulouse|Bordeaux|Nantes|Lille|
    Brussels|Antwerp|Ghent|Amsterdam|Rotterdam|Utrecht|Berlin|Hamburg|Munich|Cologne|Leipzig|Dresden|
    Stuttgart|Vienna|Graz|Salzburg|Zurich|Geneva|Basel|Rome|Milan|Naples|Turin|Florence|Bologna|Palermo|
    Athens|Thessaloniki|Istanbul|Ankara|Izmir|Sofia|Bucharest|Budapest|Prague|Brno|Bratislava|Warsaw|Krakow|
    Gdansk|Vilnius|Riga|Tallinn|Helsinki|Tampere|Stockholm|Gothenburg|Malmo|Oslo|Bergen|Trondheim|Copenhagen|
    Aarhus|Reykjavik|Dublin|Cork|Galway|London|Manchester|Bristol|Leeds|Glasgow|Edinburgh|Cardiff|Belfast|
    Boston|Chicago|Denver|Seattle|Portland|Austin|Dallas|Houston|Miami|Atlanta|Phoenix|Detroit|Toronto|
    Montreal|Vancouver|Calgary|Ottawa|Havana|Bogota|Medellin|Lima|Quito|Santiago|Montevideo|Nairobi|Accra|
    Lagos|Cairo|Tunis|Marrakesh|Dakar|Kampala|Cape Town|Durban|Dubai|Doha|Muscat|Amman|Beirut|Mumbai|Delhi|
    Chennai|Pune|Kolkata|Bangkok|Hanoi|Jakarta|Manila|Singapore|Taipei|Seoul|Busan|Tokyo|Osaka|Kyoto|Sapporo|
    Fukuoka|Sydney|Melbourne|Brisbane|Perth|Adelaide|Auckland|Wellington|Christchurch"""
)
AIRPORTS = words(
    """LIS|OPO|MAD|BCN|SVQ|VLC|CDG|ORY|LYS|NCE|BRU|AMS|BER|HAM|MUC|CGN|FRA|VIE|ZRH|GVA|FCO|MXP|NAP|ATH|IST|
    SOF|OTP|BUD|PRG|WAW|KRK|VNO|RIX|TLL|HEL|ARN|GOT|OSL|BGO|CPH|KEF|DUB|LHR|LGW|MAN|EDI|GLA|BOS|ORD|DEN|SEA|
    PDX|AUS|DFW|IAH|MIA|ATL|PHX|JFK|LAX|SFO|YYZ|YUL|YVR|BOG|LIM|UIO|SCL|NBO|ACC|LOS|CAI|TUN|RAK|CPT|DXB|DOH|
    BOM|DEL|BKK|HAN|SIN|TPE|ICN|NRT|HND|KIX|SYD|MEL|BNE|PER|AKL|WLG"""
)
COUNTRIES = words(
    """Portugal|Spain|France|Belgium|Germany|Austria|Switzerland|Italy|Greece|Turkey|Bulgaria|Romania|Hungary|
    Poland|Lithuania|Latvia|Estonia|Finland|Sweden|Norway|Denmark|Iceland|Ireland|Scotland|Canada|Mexico|Cuba|
    Colombia|Peru|Ecuador|Chile|Uruguay|Brazil|Argentina|Kenya|Ghana|Nigeria|Egypt|Tunisia|Morocco|Senegal|
    Uganda|Jordan|India|Thailand|Vietnam|Indonesia|Malaysia|Japan|South Korea|Australia|New Zealand"""
)
LANGUAGES = words(
    """Portuguese|Spanish|French|German|Italian|Greek|Turkish|Bulgarian|Romanian|Hungarian|Polish|Czech|
    Slovak|Lithuanian|Latvian|Estonian|Finnish|Swedish|Norwegian|Danish|Icelandic|Irish|Welsh|Arabic|Hebrew|
    Swahili|Hindi|Bengali|Tamil|Urdu|Thai|Vietnamese|Indonesian|Korean|Japanese|Dutch|Catalan|Basque|Croatian|
    Serbian|Ukrainian|Russian"""
)
COLOURS = words(
    """black|white|grey|navy|red|green|blue|yellow|orange|purple|brown|beige|olive|teal|burgundy|turquoise|
    pink|silver|ivory|coral|lavender|mustard|charcoal|khaki"""
)
CURRENCIES = words(
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|SEK|NOK|DKK|PLN|CZK|HUF|TRY|INR|CNY|KRW|BRL|MXN|ZAR|SGD|HKD|NZD|THB"
)
TICKERS = words(
    """AAPL|MSFT|NVDA|AMZN|TSLA|META|NFLX|ORCL|INTC|CSCO|ADBE|QCOM|SAP|SONY|SHEL|TTE|NKE|SBUX|DIS|KO|PEP|MCD|
    BA|GE|IBM|PFE|MRK|V|MA|JPM|GS|UBS|HSBC|T|VZ|F|GM|TM|HMC"""
)
STREETS = words(
    """Maple|Cedar|Harbour|Station|Mill|Church|Garden|Park|River|Hill|Castle|Market|Bridge|Orchard|Linden|
    Chapel|Victoria|Queen|King|Abbey|Elm|Meadow|Spring|Forest|Canal|Tower"""
)
STREET_KINDS = words("Street|Road|Avenue|Lane|Square|Way|Terrace|Close")
ADJECTIVES = words(
    """Copper|Golden|Silver|Blue|Green|Red|Hidden|Quiet|Silent|Little|Old|Salty|Wild|Crooked|Velvet|Amber|
    Ivory|Rusty|Lucky|Gentle|Broken|Distant|Frozen|Endless|Painted|Burning|Wandering|Secret|Northern|Southern|
    Midnight|Morning|Autumn|Winter|Paper|Glass|Stone|Iron|Scarlet|Pale|Hollow|Bright|Lonely|Sleeping|Electric|
    Marble"""
)
NOUNS = words(
    """Fig|Lantern|Harbour|Garden|Fox|Heron|Anchor|Mill|Orchard|Compass|River|Bridge|Sparrow|Kettle|Olive|
    Lemon|Thistle|Oak|Juniper|Otter|Whale|Lighthouse|Mountain|Island|Window|Letter|Mirror|Clock|Train|Station|
    Forest|Meadow|Storm|Ocean|Desert|City|Shadow|Crown|Feather|Candle|Violin|Piano|Tower|Valley|Horizon|Tide|
    Ember|Bicycle|Raven|Wolf"""
)
DISHES = words(
    """Margherita pizza|Pepperoni pizza|Mushroom risotto|Chicken curry|Pad thai|Beef burrito|Falafel wrap|
    Caesar salad|Greek salad|Tomato soup|Ramen|Miso soup|Veggie burger|Cheeseburger|Fish tacos|Lamb kebab|
    Shrimp dumplings|Spring rolls|Lasagna|Spaghetti carbonara|Gnocchi|Paella|Couscous|Chicken satay|
    Tofu stir-fry|Bibimbap|Goulash|Moussaka|Quiche|Ratatouille|Lentil stew|Butter chicken|Vegetable biryani|
    Salmon teriyaki|Poke bowl|Hummus plate|Pumpkin soup|Onion soup|Apple pie|Tiramisu|Cheesecake|
    Chocolate cake"""
)
INGREDIENTS = words(
    """eggs|flour|butter|milk|rice|tomatoes|onions|garlic|carrots|potatoes|spinach|mushrooms|lentils|
    chickpeas|black beans|tofu|salmon|chicken breast|ground beef|bacon|cheddar|feta|mozzarella|yoghurt|cream|
    lemons|limes|apples|bananas|blueberries|strawberries|oats|honey|olive oil|soy sauce|ginger|basil|parsley|
    coriander|paprika|peanut butter|almonds|walnuts|pasta|noodles|couscous|quinoa|bread|courgettes|aubergines|
    red peppers|broccoli|cauliflower|leeks|celery|cabbage|sweet potatoes|coconut milk|dark chocolate|
    vanilla"""
)
PRODUCT_KINDS = words(
    """desk lamp|office chair|water bottle|backpack|rain jacket|running shoes|headphones|keyboard|phone case|
    coffee grinder|kettle|frying pan|blender|toaster|yoga mat|tent|sleeping bag|bike helmet|bookshelf|
    picture frame|wall clock|bath towel|duvet cover|pillow|rug|suitcase|wallet|sunglasses|umbrella|notebook|
    fountain pen|board game|puzzle|power bank|usb cable|monitor stand|webcam|speaker|alarm clock|table fan|
    candle holder|plant pot|garden hose|tool box|drill|step ladder|lunch box|thermos|chopping board|
    knife set"""
)
PRODUCT_STYLES = words(
    """wooden|steel|foldable|compact|large|small|wireless|waterproof|bamboo|ceramic|leather|cotton|glass|
    recycled|lightweight|insulated|adjustable|travel|vintage|matte black"""
)
COMPANIES = words(
    """Northwind|Brightline|Bluefield|Oakridge|Silverlake|Redstone|Clearwater|Highgate|Fairview|Westbrook|
    Kestrel|Lumen|Solaris|Vertex|Harbourline|Greenleaf|Stonebridge|Quantis|Arborview|Nordal|Tessera|Meridian|
    Halcyon|Pinewood|Summit|Orbis|Cobalt|Willow|Atlas|Beacon"""
)
COMPANY_KINDS = words(
    """Labs|Foods|Logistics|Energy|Design|Insurance|Software|Media|Partners|Systems|Travel|Health|Textiles|
    Robotics|Consulting|Bank"""
)
TOPICS = words(
    """budget|marketing|hiring|website|launch|research|sales|design|product|security|training|safety|
    onboarding|supplier|customer|pricing|roadmap|quarterly|annual|kitchen|garden|travel|fundraising|
    newsletter|inventory|contract|testing|delivery|support|partnership"""
)
MEETINGS = words(
    """review|planning|kickoff|check-in|workshop|retrospective|interview|demo|call|briefing|sync|brainstorm|
    handover|debrief|update|meeting"""
)
CHORES = words(
    """water the plants|call the plumber|pay the rent|renew the passport|buy birthday candles|
    return the library books|book the dentist|pick up the dry cleaning|clean the oven|feed the cat|
    charge the bike battery|send the invoice|back up the laptop|change the bed sheets|
    order new contact lenses|take out the recycling|defrost the freezer|check the tyre pressure|
    print the tickets|cancel the gym membership|fix the kitchen tap|prepare the slides|
    update the budget sheet|wrap the presents|sign the lease|vacuum the living room|pack the suitcase|
    refill the bird feeder|iron the shirts|email the landlord|sort the photos|write the thank-you cards|
    walk the dog|descale the kettle"""
)
CHORE_TAILS = words(
    """|for the weekend|before the guests arrive|with Sam|before the holidays|again|at last|before the trip|
    this time properly|once and for all"""
)
NEWS = words(
    """I'm running ten minutes late|the meeting is moved to the big room|dinner is at our place|
    the keys are under the mat|I've sent you the photos|the train is delayed|the package has arrived|
    I'll bring the dessert|the draft is ready for review|we're out of coffee|the car is back from the garage|
    I'll be working from home|the tickets are booked|the printer is fixed|I got the job|practice is cancelled|
    the plumber is coming by|the contract is signed|I've found your scarf|lunch is on me|
    the baby is finally asleep|I've uploaded the slides|the heating is broken again|the kids are at the pool|
    the flight has landed"""
)
NEWS_TAILS = words(
    """see you soon|please start without me|call me when you can|no need to reply|thanks for your patience|
    let me know what you think|talk later|have a good one|can't wait to see you|sorry for the short notice|
    more details soon|hope that works for you|just so you know|please pass it on|enjoy your evening"""
)
GENRES = words(
    """jazz|rock|folk|classical|hip hop|reggae|blues|soul|techno|ambient|country|funk|disco|salsa|punk|metal|
    opera|indie|gospel|flamenco"""
)
MAIL_HOSTS = words(
    "example.com|example.org|example.net|mail.example|post.example|inbox.example|team.example|studio.example"
)
FILE_STEMS = words(
    """report|invoice|notes|budget|slides|contract|summary|photos|minutes|draft|agenda|survey|checklist|
    timeline|receipt|forecast|inventory|brochure|handbook|poster"""
)
FILE_KINDS = words("pdf|docx|xlsx|pptx|txt|csv|png|zip|md")


def one(rng: Random, pool: Sequence[Entry]) -> Entry:
    """One entry of a pool (quicker than `rng.choice`)."""
    return pool[int(rng.random() * len(pool))]
