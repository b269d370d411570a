"""What generated posts are made of: sentences and words in several languages, names, places, hosts.

The words are everyday news, so that an example filter (election, vote, storm, flood, ...) finds something.
"""

from __future__ import annotations

import msgspec


class Language(msgspec.Struct, frozen=True):
    """One language's stock.

    Attributes:
        code: Its BCP 47 tag.
        share: How often it occurs, relative to the others.
        sentences: Patterns with ``{topic}``, ``{place}`` and ``{name}``.
        topics: What sentences are about; single words become hashtags too.
    """

    code: str
    share: int
    sentences: tuple[str, ...]
    topics: tuple[str, ...]


LANGUAGES = (
    Language(
        "en",
        52,
        (
            "Breaking: {topic} reported near {place}, more to follow.",
            "Is anyone else in {place} watching the {topic} coverage tonight?",
            "{name} says the {topic} in {place} changes everything.",
            "Long queues at the polling station in {place} this morning.",
            "Don't forget to vote! {topic} results expected late.",
            "My street in {place} after the {topic}. Stay safe, everyone.",
            "Storm surge warning for {place}: move to higher ground.",
            "I can't believe this {topic}... what a day 😳",
            "New paper on {topic} out today, with data from {place}.",
            "The {topic} committee meets again on Tuesday; {name} will chair.",
            "Coffee first, then {topic}.",
            "Thread: ten things to know about the {topic} and why it matters for {place}.",
            "Volunteers needed after the {topic} in {place}, please share!",
            "{name} at the library tonight: an evening about {topic}.",
            "Train delays between {place} and the airport because of {topic}.",
            "Happy birthday {name}! 🎉",
        ),
        (
            *("election", "vote", "storm", "flood", "tornado", "hail", "wildfire", "earthquake", "budget", "strike"),
            *(
                "climate",
                "housing",
                "football",
                "concert",
                "vaccine",
                "parliament",
                "referendum",
                "ballot",
                "hurricane",
            ),
            *("heatwave", "school board", "polling station", "storm surge", "power outage", "archive", "library"),
        ),
    ),
    Language(
        "es",
        14,
        (
            "Última hora: {topic} en {place}, seguimos informando.",
            "¿Alguien sabe algo de la {topic} en {place}?",
            "{name} habla hoy sobre {topic} en {place}.",
            "Otra vez {topic}... ¡qué día! 😅",
            "Mañana es la {topic}: ¡hay que votar!",
        ),
        ("elección", "votación", "tormenta", "inundación", "huelga", "vivienda", "fútbol", "clima", "educación"),
    ),
    Language(
        "pt",
        9,
        (
            "Urgente: {topic} em {place}, acompanhe.",
            "{name} falou sobre a {topic} hoje.",
            "Gente, que {topic} foi essa em {place}? 😂",
            "Não esqueçam da {topic} no domingo!",
        ),
        ("eleição", "votação", "tempestade", "enchente", "greve", "futebol", "saúde", "educação"),
    ),
    Language(
        "fr",
        7,
        (
            "Alerte : {topic} à {place}, restez chez vous.",
            "{name} évoque la {topic} ce soir à {place}.",
            "Encore une {topic}… courage à tous.",
            "L'{topic} à {place} : ce qu'il faut savoir.",
        ),
        ("élection", "tempête", "inondation", "grève", "météo", "bibliothèque", "réforme", "canicule"),
    ),
    Language(
        "de",
        5,
        (
            "Eilmeldung: {topic} in {place}.",
            "Was bedeutet die {topic} für {place}? {name} erklärt.",
            "Schon wieder {topic}, das kann doch nicht wahr sein!",
            "Heute Abend in {place}: Gespräch über {topic}.",
        ),
        ("Wahl", "Überschwemmung", "Unwetter", "Streik", "Klima", "Bücherei", "Haushalt", "Fußball"),
    ),
    Language(
        "ja",
        8,
        (
            "{place}で{topic}がありました。気をつけてください。",
            "今日の{topic}のニュース、見ましたか？",  # noqa: RUF001
            "{name}さんの{topic}の話がすごい😳",
            "{topic}に行ってきました！",  # noqa: RUF001
        ),
        ("選挙", "投票", "台風", "洪水", "地震", "図書館", "サッカー", "天気"),
    ),
    Language(
        "ar",
        5,
        (
            "عاجل: {topic} في {place}.",
            "ما رأيكم في {topic} اليوم؟",
            "{name} يتحدث عن {topic}.",
        ),
        ("الانتخابات", "عاصفة", "فيضان", "التصويت", "الطقس", "كرة القدم"),
    ),
)

FIRST_NAMES = (
    *("Ada", "Amara", "Ben", "Chen", "Clara", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Ines", "Jonas", "Kofi"),
    *(
        "Lucía",
        "Mateo",
        "Noor",
        "Olga",
        "Priya",
        "Quentin",
        "Rosa",
        "Sana",
        "Tomás",
        "Uma",
        "Viktor",
        "Wanjiru",
        "Yuki",
    ),
)
LAST_NAMES = (
    *("Abebe", "Bauer", "Costa", "Diaz", "Evans", "Fischer", "García", "Haddad", "Ito", "Jensen", "Kim", "Lopez"),
    *("Martin", "Novak", "Okafor", "Patel", "Rossi", "Sato", "Tanaka", "Usman", "Vega", "Wong", "Young", "Zhang"),
)
INSTITUTIONS = (
    # Accounts that example filters follow, so that following finds something.
    ("NWS", "National Weather Service"),
    ("NHC_Atlantic", "National Hurricane Center"),
    ("gwlibraries", "GW Libraries"),
    ("CityNewsDesk", "City News Desk"),
    ("ElectionDesk", "Election Desk"),
    ("OpenArchive", "Open Archive"),
)

# id, name, full name, country, country code, (west, south, east, north)
PLACES = (
    ("01fbe706f872cb32", "Washington", "Washington, DC", "United States", "US", (-77.119, 38.802, -76.909, 38.995)),
    ("01a9a39529b27f36", "Manhattan", "Manhattan, NY", "United States", "US", (-74.027, 40.684, -73.910, 40.877)),
    ("1c69a67ad480e1b1", "Houston", "Houston, TX", "United States", "US", (-95.823, 29.522, -95.070, 30.155)),
    ("3078869807f9dd36", "Berlin", "Berlin, Germany", "Germany", "DE", (13.088, 52.338, 13.761, 52.675)),
    ("09f6a7707f18e0b1", "Paris", "Paris, France", "France", "FR", (2.224, 48.816, 2.470, 48.902)),
    ("68e019afec7d0ba5", "São Paulo", "São Paulo, Brazil", "Brazil", "BR", (-46.826, -24.009, -46.365, -23.357)),
    ("018f1cde6bad9747", "Buenos Aires", "Buenos Aires", "Argentina", "AR", (-58.532, -34.706, -58.335, -34.527)),
    ("07d9ecbd44485000", "東京", "東京 千代田区", "Japan", "JP", (139.730, 35.669, 139.783, 35.705)),
    ("05f0ec7f9a7f9a01", "القاهرة", "القاهرة, مصر", "Egypt", "EG", (31.216, 29.951, 31.418, 30.126)),
    ("457b4814b4240d87", "London", "London, England", "United Kingdom", "GB", (-0.188, 51.484, -0.110, 51.517)),
)

HOSTS = ("news.example.org", "weather.example.com", "blog.example.net", "www.example.edu")
SOURCES = ("Twitter Web App", "Twitter for iPhone", "Twitter for Android", "TweetDeck")
EMOJI = ("🗳️", "🌪️", "🌊", "🔥", "📚", "😳", "🎉", "👍🏽")
CASHTAGS = ("TSLA", "GME", "AAPL", "BTC")
CONTEXTS = (
    ("131", "Unified X Taxonomy", "1070032753834438656", "Political events"),
    ("131", "Unified X Taxonomy", "847868745150119936", "Weather"),
    ("65", "Interests and Hobbies Vertical", "847888632711061504", "Libraries"),
)
