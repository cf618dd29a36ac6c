"""Music: play, volume, playlists, lyrics."""

from dataclasses import replace
from random import Random

from looptool_kit.world import pools
from looptool_kit.world.pools import one, words
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    GENRE,
    WORK,
    boolean,
    constant,
    duration,
    enum,
    identifier,
    integer,
    list_of,
    percent,
    quoted,
    record,
    text,
)

SONG = replace(
    WORK,
    name="song",
    say=quoted,
    clauses=("{}",),
    noun="song",
    question="Which song?",
    words=("song", "title"),
)
SPEAKER = enum(
    "kitchen",
    "bedroom",
    "garden",
    "bathroom",
    living_room="living room",
    clauses=("on the {} speaker",),
    question="Which speaker?",
    words=("speaker",),
)
VERSION = enum(
    "live",
    "acoustic",
    "remixed",
    "original",
    clauses=("in the {} version",),
    question="Which version?",
    words=("version",),
)
PLAYLIST = identifier("PL", "playlist", 5)
_MOODS = words(
    """Slow|Happy|Rainy|Summer|Late Night|Sunny|Lazy|Deep|Golden|Road Trip|Old School|Cosy|Winter|Weekend|
    Focus|Dreamy|Coffee|Kitchen|Sunday|Holiday|Dinner|Gym|Bedtime|Party|Campfire|Commute|Garden|Rooftop|Beach|
    Study"""
)
_SETS = words(
    """Mix|Hits|Tunes|Vibes|Classics|Songs|Favourites|Sounds|Grooves|Beats|Anthems|Moods|Session|Selection|
    Melodies"""
)


def _artist(r: Random) -> str:
    return r.choice(
        (
            f"{one(r, pools.FIRST)} {one(r, pools.LAST)}",
            f"The {one(r, pools.ADJECTIVES)} {one(r, pools.LAST)} Band",
            f"{one(r, pools.FIRST)} & the {one(r, pools.NOUNS)}",
        )
    )


ARTIST = text(
    "artist",
    "a singer or band",
    _artist,
    clauses=("by {}",),
    question="Which artist?",
    words=("artist", "who"),
)
PLAYLIST_NAME = text(
    "title",
    "name of a playlist",
    lambda r: f"{one(r, _MOODS)} {one(r, _SETS)}",
    say=quoted,
    clauses=("with the name {}", "under the name {}"),
    question="What should the playlist be called?",
    words=("called", "name", "title"),
)


def _line(r: Random) -> str:
    singer = r.choice(("I", "you", "we", "they"))
    did = r.choice(
        ("walked", "waited", "danced", "cried", "sang", "drove", "stood", "slept", "wandered", "ran")
    )
    where = r.choice(("under", "across", "beside", "through", "beyond", "along"))
    end = r.choice(
        (
            "",
            " all night long",
            " once again",
            " in the rain",
            " without you",
            " until the dawn",
            " one last time",
        )
    )
    return f"{singer} {did} {where} the {one(r, pools.ADJECTIVES).lower()} {one(r, pools.NOUNS).lower()}{end}"


LYRICS = text(
    "lyrics",
    "a line of a song",
    _line,
    say=quoted,
    question="Which words do you remember from the lyrics?",
    words=("lyrics", "words", "line"),
)

DOMAIN = Domain.of(
    "music",
    T(
        "startSong",
        "Play a song.",
        [
            P("title", SONG),
            P("version", VERSION, opt=True),
            P("speaker", SPEAKER, opt=True),
            P("repeat", boolean("on repeat|over and over", "just once|only once"), opt=True),
        ],
        do=[
            "play {title}",
            "put on {title}",
            "start playing {title}",
            "play the song {title}",
            "put on the song {title}",
            "play the track {title}",
            "play a song",
            "put on a song",
        ],
        why=["I'm in the mood for dancing.", "It's too quiet in here.", "I have a tune in my head."],
        out={"status": constant("playing"), "seconds": integer(95, 420)},
        reply="{title} is playing; it lasts {seconds} seconds.",
    ),
    T(
        "setSpeakerVolume",
        "Set the volume of a speaker.",
        [
            P("speaker", SPEAKER),
            P(
                "level",
                percent(5, 100),
                "{}",
                ask="To what percentage should I set the volume?",
                words=("percent", "volume"),
            ),
            P("fade", boolean("with a slow fade|fading slowly"), opt=True),
        ],
        do=[
            "set the volume to {level}",
            "change the volume to {level}",
            "set the sound level to {level}",
            "turn the volume to {level}",
            "adjust the volume to {level}",
            "bring the volume to {level}",
            "set the volume",
            "change the volume",
        ],
        why=["The sound isn't right.", "We have visitors.", "I'm about to start cooking."],
        out={"status": constant("set"), "previous": percent(5, 100)},
        reply="The volume is {status}; it was at {previous} before.",
    ),
    T(
        "searchLyrics",
        "Find songs by words from their lyrics.",
        [
            P("lyrics", LYRICS),
            P("artist", ARTIST, "sung by {}", "performed by {}", opt=True),
            P("max_year", integer(1965, 2020), "released in {} or earlier", "from {} or earlier", opt=True),
        ],
        do=[
            "find songs with the lyrics {lyrics}",
            "find songs with the line {lyrics}",
            "search for songs with the words {lyrics}",
            "look for songs with the lyrics {lyrics}",
            "look up songs with the line {lyrics}",
            "find a song by its lyrics",
            "search for songs by their lyrics",
        ],
        ask=[
            "which songs have the lyrics {lyrics}",
            "what songs have the line {lyrics}",
            "are there any songs with the words {lyrics}",
            "which songs contain the line {lyrics}",
        ],
        why=["Something is stuck in my head.", "I heard something nice on the radio."],
        out={"songs": list_of(record(title=SONG, length=duration(2, 9, 1)), 2, 3)},
        refer={
            "songs": (
                "the {*} song with the lyrics {lyrics}{?artist}",
                "the {*} song{?artist} with the line {lyrics}",
            )
        },
        reply="I found {songs.n} songs, for example {songs.0.title}.",
    ),
    T(
        "createPlaylist",
        "Create an empty playlist.",
        [
            P("name", PLAYLIST_NAME),
            P(
                "visibility",
                enum(
                    public="that is public|visible to everyone", private="that is private|visible only to me"
                ),
                opt=True,
            ),
            P("genres", list_of(GENRE, 1, 3), "for {} music", "for {}", opt=True),
        ],
        do=[
            "create a playlist called {name}",
            "make a playlist",
            "make a new playlist",
            "set up a playlist named {name}",
            "create a new playlist",
            "start a playlist called {name}",
            "set up a playlist",
        ],
        need=["a playlist", "a new playlist", "an empty playlist", "a playlist called {name}"],
        why=["We're having a party.", "I have a long drive ahead of me."],
        out={"playlist_id": PLAYLIST, "status": constant("created")},
        makes=PLAYLIST,
        reply="The playlist is created as {playlist_id}.",
    ),
    T(
        "addToPlaylist",
        "Add songs to a playlist.",
        [
            P("playlist_id", PLAYLIST),
            P("titles", list_of(SONG, 1, 3), "{}", ask="Which songs should I add?", words=("song", "title")),
            P("position", enum(start="at the start|at the beginning", end="at the end"), opt=True),
        ],
        do=[
            "add {titles} to {playlist_id}",
            "put {titles} on {playlist_id}",
            "put {titles} into {playlist_id}",
            "include {titles} in {playlist_id}",
            "save {titles} to {playlist_id}",
            "add some songs to {playlist_id}",
            "add {titles} to a playlist",
        ],
        out={"playlist_id": "=playlist_id", "length": integer(4, 90)},
        reply="It's done; the playlist now has {length} songs.",
    ),
    T(
        "listPlaylists",
        "List the saved playlists.",
        [
            P("genre", GENRE, "with {} music", opt=True),
            P(
                "include_shared",
                boolean(
                    "including the shared ones|along with the shared ones",
                    "without the shared ones|excluding the shared ones",
                ),
                opt=True,
            ),
        ],
        do=[
            "list my playlists",
            "show my playlists",
            "look up my playlists",
            "show me the saved playlists",
            "pull up my playlists",
        ],
        ask=["which playlists are there", "what playlists are saved", "which playlists are in my library"],
        need=["a list of my playlists", "an overview of my playlists", "the saved playlists"],
        out={
            "playlists": list_of(
                record(playlist_id=PLAYLIST, name=PLAYLIST_NAME, songs=integer(10, 120)), 2, 3
            )
        },
        lists=PLAYLIST,
        refer={"playlists": ("my playlist {.name}", "the playlist called {.name}")},
        reply="There are {playlists.n} playlists; the first one is {playlists.0.playlist_id}.",
    ),
)
