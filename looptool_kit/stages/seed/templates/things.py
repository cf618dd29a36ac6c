"""Kinds of things that tools of all trades ask for, by what a parameter is called. Data only.

And what has a name of its own: of a project a made-up name reads well, of a crop it does not.
"""

from __future__ import annotations

import re
from functools import lru_cache

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.world.core import Type, pool
from looptool_kit.world.pools import words as listed

_KINDS = r"""
(?:crop|vegetable)s?(?: name| type)?:
  tomatoes|carrots|potatoes|lettuce|spinach|onions|beans|peas|pumpkins|leeks|cabbage|radishes|
  beetroot|courgettes|cucumbers|garlic|kale|celery
(?:\w+ )?sports?(?: name)?:
  tennis|football|basketball|volleyball|badminton|hockey|rugby|cricket|golf|handball|squash|
  swimming
fruits?:
  apples|pears|plums|cherries|strawberries|raspberries|grapes|apricots|peaches|figs|oranges|
  lemons|melons|kiwis|bananas|mangoes
(?:tree|wood|timber)s?(?: species| type)?:
  oak|beech|birch|maple|ash|pine|spruce|larch|cherry|walnut|lime|elm|cedar|willow|chestnut|
  alder
flowers?:
  roses|tulips|lilies|sunflowers|daisies|peonies|orchids|carnations|daffodils|irises|violets|
  dahlias|asters|poppies|hyacinths|lavender
fish(?: species)?:
  cod|herring|mackerel|salmon|trout|pike|perch|eel|sole|plaice|tuna|sardines|halibut|turbot|
  carp|haddock
(?:metal|alloy)s?:
  steel|aluminium|copper|brass|bronze|zinc|tin|nickel|titanium|iron|silver|gold|lead|
  platinum|chrome|magnesium
(?:disease|diagnosis|illness):
  asthma|migraine|bronchitis|diabetes|anaemia|eczema|arthritis|influenza|pneumonia|tonsillitis|
  gastritis|sinusitis|hypertension|psoriasis|measles|appendicitis
symptoms?:
  headache|fever|cough|nausea|dizziness|back pain|sore throat|rash|fatigue|chest pain|insomnia|
  toothache|runny nose|stomach pain|joint pain|shortness of breath
(?:vaccine|vaccination)s?(?: name)?:
  tetanus|measles|polio|rabies|hepatitis B|influenza|mumps|rubella|pertussis|yellow fever|
  typhoid|cholera|meningitis|shingles|hepatitis A|diphtheria
(?:instrument|musical instrument)s?:
  piano|violin|guitar|cello|flute|trumpet|clarinet|drums|saxophone|harp|viola|trombone|oboe|
  double bass|accordion|organ
(?:job title|occupation|profession):
  electrician|nurse|accountant|carpenter|plumber|software engineer|teacher|driver|cook|welder|
  receptionist|gardener|architect|translator|mechanic|baker
(?:academic discipline|school subject):
  mathematics|physics|chemistry|biology|history|geography|art|music|economics|philosophy|Latin|
  computer science|sociology|literature|astronomy|law
(?:car|car make|vehicle make)(?: model)?:
  Volkswagen Golf|Toyota Corolla|Ford Fiesta|Renault Clio|Volvo V60|Skoda Octavia|Fiat Panda|
  Honda Civic|Opel Corsa|Mazda 3|Peugeot 208|Kia Ceed|BMW X1|Audi A4|Seat Ibiza|Nissan Leaf
airlines?(?: name)?:
  Lufthansa|KLM|Air France|Iberia|Finnair|Delta|Qantas|Emirates|SAS|TAP|Ryanair|easyJet|Swiss|
  Turkish Airlines|United|Air Canada
(?:exercise|workout)(?: name)?:
  push-ups|squats|deadlift|bench press|pull-ups|lunges|plank|rowing|burpees|sit-ups|leg press|
  shoulder press|bicep curls|hip thrusts|jumping jacks|dips
(?:furniture|piece of furniture):
  bookcase|sofa|armchair|wardrobe|desk|dining table|chest of drawers|bed|bench|stool|sideboard|
  coat rack|nightstand|display cabinet|rocking chair|folding table
(?:household )?appliances?:
  dishwasher|washing machine|fridge|oven|tumble dryer|vacuum cleaner|kettle|toaster|freezer|
  microwave|coffee machine|dehumidifier|air conditioner|boiler|cooker hood|hob
(?:garment|clothing|clothes|clothing item):
  jacket|dress|shirt|trousers|skirt|coat|scarf|jumper|suit|blouse|cardigan|waistcoat|raincoat|
  jeans|shorts|gloves
(?:grape|grape variety|wine|varietal):
  Riesling|Merlot|Chardonnay|Pinot Noir|Syrah|Tempranillo|Malbec|Grenache|Barbera|Gamay|
  Sangiovese|Nebbiolo|Carignan|Silvaner|Zinfandel|Semillon
(?:beer style|beer|brew style):
  pilsner|stout|pale ale|wheat beer|porter|saison|lager|IPA|bock|amber ale|dubbel|tripel|
  kolsch|mild|brown ale|gose
(?:cheese|cheese type)s?:
  brie|gouda|cheddar|feta|ricotta|gruyere|manchego|camembert|emmental|parmesan|halloumi|
  mozzarella|stilton|pecorino|roquefort|edam
(?:cuisine|cuisine type|kitchen style):
  Italian|Thai|Mexican|Indian|Greek|Japanese|Lebanese|Ethiopian|Korean|Turkish|French|Spanish|
  Vietnamese|Peruvian|Moroccan|Georgian
(?:dog )?breeds?:
  beagle|border collie|poodle|dachshund|labrador|greyhound|whippet|boxer|dalmatian|husky|corgi|
  pug|rottweiler|spaniel|terrier|akita
(?:fuel|fuel type)s?:
  diesel|petrol|kerosene|natural gas|propane|hydrogen|wood pellets|heating oil|biodiesel|ethanol|
  coal|butane|methanol|LPG|peat|biogas
(?:planet|celestial body|constellation):
  Mars|Venus|Jupiter|Saturn|Mercury|Neptune|Uranus|Vega|Sirius|Polaris|Betelgeuse|Rigel|
  Arcturus|Antares|Aldebaran|Deneb
(?:river|lake|waterway|water body)(?: name)?:
  Rhine|Danube|Elbe|Thames|Loire|Seine|Tagus|Ebro|Po|Vistula|Oder|Rhone|Volga|Dnieper|
  Shannon|Severn
(?:port|harbou?r)(?: name)?:
  Rotterdam|Hamburg|Antwerp|Singapore|Valencia|Genoa|Marseille|Gdansk|Busan|Felixstowe|Oslo|
  Piraeus|Lisbon|Bergen|Izmir|Santos
(?:pest|pest type)s?:
  aphids|slugs|snails|mites|whitefly|ants|mice|wasps|moths|weevils|caterpillars|thrips|
  cockroaches|termites|moles|rats
(?:craft|hobby)(?: name)?:
  knitting|pottery|hiking|swimming|chess|painting|climbing|cycling|gardening|yoga|photography|
  sailing|dancing|fishing|archery|kayaking
(?:hop|hops|hop variety):
  Citra|Saaz|Cascade|Mosaic|Fuggle|Simcoe|Centennial|Amarillo|Magnum|Tettnang|Perle|Galaxy|
  Chinook|Hallertau|Nugget|Willamette
(?:spice|herb)s?:
  basil|thyme|cumin|paprika|oregano|saffron|ginger|cinnamon|rosemary|turmeric|sage|dill|
  nutmeg|coriander|mint|cardamom
(?:drink|beverage|coffee)s?(?: name| type)?:
  espresso|cappuccino|green tea|apple juice|lemonade|hot chocolate|mineral water|orange juice|
  iced tea|flat white|ginger ale|tonic water|latte|ginger beer|tomato juice|mint tea
(?:gem|gemstone)s?:
  ruby|sapphire|emerald|opal|topaz|garnet|amethyst|pearl|jade|turquoise|diamond|quartz|onyx|
  agate|peridot|aquamarine
""".strip()


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[re.Pattern[str], Type], ...]:
    out = []
    for entry in re.split(r"\n(?! )", _KINDS):
        pattern, _, values = entry.partition(":\n")
        values = re.sub(r"\n? {2}", "", values)
        name = re.sub(r"[^a-z ]+", " ", pattern).split()[0]
        out.append((re.compile(pattern), pool(name, f"a {name}", listed(values), question="", words=())))
    return tuple(out)


def kind_of(words: str) -> Type | None:
    """The kind of thing that a parameter of this name asks for."""
    return next((kind for pattern, kind in _kinds() if pattern.fullmatch(words)), None)


_NAMED = lex.word_set("""
    account album apiary app application archive arena artwork backlog bakery band bar barn base basket
    board boat boiler bot brewery bucket building bus cabin cabinet cache cafe camera camp campaign campsite
    canvas car carrier cast cellar center centre chain channel chapter chart choir class classroom client
    clinic club cluster coach collection column committee community company competition component container
    contest course court crew dashboard database dataset deck deployment depot directory dish display
    division door dock draft editor environment epic event exhibit exhibition expedition experiment factory
    farm feature fermenter ferry field firewall flat fleet flow folder forest form forum fountain franchise
    function fund gallery game garage garden gate goal greenhouse guild gym hall hangar herd hive holding
    home horse hospital host hostel house index instance island job journal kennel kiln kiosk kitchen lab
    label laboratory lake lamp league library line list lock lodge loom machine magazine mailbox map
    market meadow menu milestone mill mission mobile module monitor monument museum neighbourhood
    network newsletter notebook nursery office orchard orchestra outlet oven page painting panel park
    partition pavilion pharmacy piece pipeline pitch plan plant_room platform playlist plaza podcast policy
    pond pool portal portfolio print printer process product production program programme project property
    pump quarter queue quiz race rack radio ranch recipe regiment region registry relay release report
    repository reservoir resort resource robot roof room route router ruleset sandbox savings scene schedule
    school screen script sculpture season section segment sensor series server service session set shed
    shelf shelter ship shop show shuttle site space speaker sprint squad stable stack stage stall statement
    station storage store story stream street studio suite survey switch table tank team template tenant
    terminal terrace territory theatre theme thermostat toolbox topic tour tournament tower town track
    tractor trailer train tribe truck tunnel turbine unit vault vehicle venue vessel village vineyard volume
    wallet ward warehouse watchlist website wheel widget winery wing workflow workgroup workshop workspace
    yacht yard zone
    """)


_OF_SOFTWARE = lex.word_set("""
    app bot bucket cache chain cluster component container database dataset deployment environment firewall
    function host image index instance job module namespace network node partition pipeline pod process
    queue registry release repository resource route router ruleset sandbox script secret server service
    stack stream suite table task volume workflow
    """)


def is_of_software(words: str) -> bool:
    """Whether its names are written in lower case with hyphens."""
    return bool(words) and words.split()[-1] in _OF_SOFTWARE


def has_names(words: str) -> bool:
    """Tell whether things of this kind have names, as projects have."""
    last = words.split()[-1] if words else ""
    return (
        last in _NAMED | _OF_SOFTWARE
        or last.rstrip("s") in _NAMED
        or "name" in words.split()
        or last in ("title", "label", "nickname")
    )
