"""What templates of each kind leave in the text: functions of their arguments, which are already text.

No rule uses an argument twice, so however templates are nested a page cannot grow.
"""

import ast
import datetime
import html
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from filters.wikitext import values
from filters.wikitext.names import LANGUAGE_CODE

HOLE = "\x05"  # where something was removed: the spaces and brackets around it are tidied later
_BLANKS = " \t\n\u00a0" + HOLE


@dataclass(frozen=True)
class Page:
    """What a template may ask of the page it stands on. `date` is the dump's: what depends on today takes it."""

    language: str
    title: str
    date: datetime.date


@dataclass
class Template:
    """A template call whose arguments are already text."""

    name: str  # as written, without the namespace
    positional: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    place: str = "inline"  # "inline"; "attached" to a word; "item", all of a list item; "block", all of a line

    def get(self, index: int) -> str:
        """The positional argument `index`, counted from 1; empty if there is none."""
        explicit = self.named.get(str(index))
        if explicit is not None:
            return explicit
        return self.positional[index - 1] if index <= len(self.positional) else ""

    def first_named(self, names: Iterable[str]) -> str:
        for name in names:
            value = self.named.get(name)
            if value:
                return value
        return ""

    def values(self) -> list[str]:
        """Every positional argument that says something, explicit numbers included."""
        explicit = [self.get(index) for index in range(len(self.positional) + 1, 10) if str(index) in self.named]
        return [value for index in range(1, len(self.positional) + 1) if (value := self.get(index))] + [
            v for v in explicit if v
        ]


Rule = Callable[[Template, Page], str]


def constant(text: str) -> Rule:
    return lambda template, page: text


def argument(index: int) -> Rule:
    """The argument `index`, or the last one before it that is not empty."""
    return lambda template, page: next((value for i in range(index, 0, -1) if (value := template.get(i))), HOLE)


def last(template: Template, page: Page) -> str:
    return (template.values() or [HOLE])[-1]


def joined(separator: str) -> Rule:
    return lambda template, page: separator.join(template.values()) or HOLE


def wrapped(before: str, after: str) -> Rule:
    return lambda template, page: f"{before}{template.get(1)}{after}" if template.get(1) else HOLE


_TEXT_NAMES = (
    "text", "texte", "texto", "testo", "tekst", "zitat", "quote", "quotation", "citat", "cita", "citation", "citação",
    "текст", "цитата", "content", "contenu", "contenido", "contenuto", "conteúdo", "inhoud", "inhalt", "indhold",
    "innehåll", "obsah", "treść", "tartalom", "conținut", "liste", "list", "lista", "items", "besedilo", "szöveg",
    "вміст", "文", "内容",
)  # fmt: skip
_AUTHOR_NAMES = (
    "author", "autor", "auteur", "autore", "sign", "by", "author1", "speaker", "автор", "förf", "szerző", "avtor",
)  # fmt: skip


_WIDTH = re.compile(r"[\d.]{1,6} ?(?:em|px|pt|%)?")  # or how many columns


def content(template: Template, page: Page) -> str:
    """The block of text or list that a layout template wraps."""
    given = (value for value in template.values() if not _WIDTH.fullmatch(value))
    text = template.first_named(_TEXT_NAMES) or "\n".join(given)
    return f"\n{text}\n" if text else HOLE


def quote(template: Template, page: Page) -> str:
    text = template.first_named(_TEXT_NAMES)
    author = template.first_named(_AUTHOR_NAMES) or template.get(1 if text else 2)
    text = text or template.get(1)
    if not text:
        return HOLE
    return f"\n{text}\n" + (f"— {author}\n" if author and len(author) < 200 else "")


def inline_quote(template: Template, page: Page) -> str:
    text = template.first_named(_TEXT_NAMES) or template.get(1)
    if not text or template.named.get("title") or template.named.get("titre"):
        return HOLE  # the English one of this name is a reference
    if template.place == "block" and len(text) > 100:
        return quote(template, page)
    return f"« {text} »" if page.language == "fr" else f"“{text}”"


def foreign(template: Template, page: Page) -> str:
    """`{{lang|de|Text}}`: the words, whichever argument they stand in; `{{lang|de}}` only marks a link's language."""
    words = template.first_named(("text", "texte", "texto", "testo", "текст")) or template.get(2)
    return words or (HOLE if LANGUAGE_CODE.fullmatch(template.get(1)) else argument(1)(template, page))


def foreign_named(template: Template, page: Page) -> str:
    """`{{lang-de|Text}}`, `{{la|Text}}`; without words it is only the mark of a link's language."""
    return template.get(1) or HOLE


def bulleted(template: Template, page: Page) -> str:
    items = [value.lstrip("*# ") for value in template.values()]
    return "\n" + "".join(f"* {item}\n" for item in items) if items else HOLE


def interlanguage(template: Template, page: Page) -> str:
    """A link to an article that exists in another language only: its words here."""
    shown = template.first_named(("lt", "label", "texte", "text", "текст", "tekst"))
    if shown:
        return shown
    first = template.get(1)
    if re.fullmatch(r"Q\d+", first):  # Wikidata's number: {{ill-wd|Q5|en|words}}
        return template.get(3) or ("" if LANGUAGE_CODE.fullmatch(template.get(2)) else template.get(2)) or HOLE
    if LANGUAGE_CODE.fullmatch(first) and template.get(2):
        return template.get(3) if page.language == "zh" and template.get(3) else template.get(2)
    return first or template.first_named(("fr", "trad", "title", "1"))


def not_translated(template: Template, page: Page) -> str:
    return template.get(2) or template.get(1) or HOLE  # {{нп5|article|words|language|foreign article}}


def chinese_link(template: Template, page: Page) -> str:
    return template.get(4) or template.get(3) or template.get(2) or template.get(1)  # {{tsl|en|Foreign|Here|words}}


def nihongo(template: Template, page: Page) -> str:
    words, *rest = (template.get(index) for index in range(1, 5))
    original = ", ".join(value for value in rest if value)
    return (f"{words} ({original})" if words and original else words or original) or HOLE


def named_values(template: Template, page: Page) -> str:
    """`{{zh|s=…|t=…|p=…}}`: one form after the other."""
    options = ("labels", "links", "first", "out", "scase", "language")
    forms = [value for name, value in template.named.items() if value and name not in options]
    return ", ".join(dict.fromkeys(template.values() + forms)) or HOLE


def quantity(template: Template, page: Page) -> str:
    """A number and, after it, what is counted or measured: `{{unité|3797|m}}`, `{{nombre|71|sièges}}`."""
    number, *units = template.positional or [template.get(1)]
    if not number:
        return HOLE
    number = values.format_number(number, page.language)
    exponent = template.first_named(("e", "expo"))
    power = f" × 10<sup>{exponent}</sup>" if exponent else ""
    shown = ""
    for part in units:
        is_power = re.fullmatch(r"[-−+]?\d", part) is not None
        shown += (
            f"<sup>{part}</sup>" if is_power and shown else f" {values.unit(part)}" if part and not is_power else ""
        )
    return number + power + shown


def only_number(template: Template, page: Page) -> str:
    text = template.get(1)
    if template.get(2).upper() in {"R", "NOSEP"}:
        return text.replace(",", "")
    return values.format_number(text, page.language) or HOLE


def uncertain(template: Template, page: Page) -> str:
    """`{{val|1.0079|0.0001|e=-3|u=kg}}`, `{{val|1.2|+0.3|-0.2}}`, and of some wikis `{{val|5|km}}`."""
    number, error, below = (template.get(index) for index in (1, 2, 3))
    if not re.search(r"\d", error):
        uncertainty = f" {error}" if error else ""
    elif below:
        uncertainty = f" +{error.lstrip('+')} −{below.lstrip('-−')}"
    else:
        uncertainty = error if error.startswith("(") else f" ± {error}"
    power = f" × 10<sup>{exponent}</sup>" if (exponent := template.named.get("e")) else ""
    measured = template.first_named(("u", "ul", "up", "upl"))
    shown = template.named.get("p", "") + number + uncertainty + power + (f" {measured}" if measured else "")
    return shown.strip() or HOLE


def measure(template: Template, page: Page) -> str:
    return values.measure([html.unescape(value).strip(_BLANKS) for value in template.positional]) or HOLE


def product(template: Template, page: Page) -> str:
    """`{{dunité|5|6|m}}`: '5 × 6 m'."""
    sizes = [values.format_number(value, page.language) for value in template.values()]
    count = sum(size[:1].isdecimal() for size in sizes)
    return " ".join((" × ".join(sizes[:count]), *map(values.unit, sizes[count:]))) or HOLE


def rupees(template: Template, page: Page) -> str:
    """`{{INRConvert|50|c}}`: '₹50 crore'; what was computed from it is left out, as of `convert`."""
    scales = {"k": "thousand", "l": "lakh", "m": "million", "c": "crore", "b": "billion", "t": "trillion"}
    scale = template.get(2).lower()
    return f"₹{template.get(1)} {' '.join(scales.get(letter, '') for letter in scale)}".rstrip()


def fraction(template: Template, page: Page) -> str:
    parts = template.values()
    if len(parts) == 3:
        return f"{parts[0]} {parts[1]}/{parts[2]}"
    return "/".join(parts if len(parts) == 2 else ["1", *parts]) if parts else HOLE


def power_of_ten(template: Template, page: Page) -> str:
    return f"×10<sup>{template.get(1)}</sup>"


def power(template: Template, page: Page) -> str:
    base, exponent = (template.get(1), template.get(2)) if template.get(2) else ("10", template.get(1))
    return f"{base}<sup>{exponent}</sup>"


def formula(template: Template, page: Page) -> str:
    """`{{chem|H|2|O}}`: digits below the line, charges above it."""
    shown = ""
    for part in template.values():
        if re.fullmatch(r"\d*[+\-−]", part) and shown:
            shown += f"<sup>{part}</sup>"
        elif part.isdecimal() and shown:
            shown += f"<sub>{part}</sub>"
        else:
            part = re.sub(r"\((\d*[+\-−])\)", r"<sup>\1</sup>", part)  # {{chem2|SO4(2-)}}
            shown += re.sub(r"(?<=[A-Za-z)\]])(\d+)", r"<sub>\1</sub>", part)
    return shown or HOLE


def measure_with_unit(template: Template, page: Page) -> str:
    """`{{M|5|ul=km}}`, `{{M|5||km}}`."""
    unit = template.first_named(("u", "ul", "up")) or template.get(3)
    number = values.format_number(template.get(1), page.language)
    return f"{number} {values.unit(unit)}".strip() if number else HOLE


def height(template: Template, page: Page) -> str:
    """`{{height|ft=5|in=11}}`: the author's figures, as of `convert`."""
    return " ".join(f"{size} {unit}" for unit in ("m", "cm", "ft", "in") if (size := template.named.get(unit))) or HOLE


def root(template: Template, page: Page) -> str:
    """`{{radic|2|3}}`: the third root of 2."""
    degree = values.superscript(template.get(2)) if template.get(2) else ""
    return f"{degree}√{template.get(1)}" if template.get(1) else HOLE


def percentage(template: Template, page: Page) -> str:
    part, whole, digits = (template.get(index).replace(",", "") for index in (1, 2, 3))
    if part and not whole:
        return f"{part}%"
    try:
        return f"{100 * float(part) / float(whole):.{min(int(digits or 0), 9)}f}%"
    except (ValueError, ZeroDivisionError):
        return HOLE


def ordinal(template: Template, page: Page) -> str:
    number = template.get(1)
    if not number.isascii() or not number.isdecimal():
        return number or HOLE
    ending = "th" if number[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
    return number + ending


def hour(template: Template, page: Page) -> str:
    """`{{heure|12|30}}`: '12 h 30'."""
    return " h ".join([*template.values(), ""][:2]).strip() or HOLE


def clock_time(template: Template, page: Page) -> str:
    units = ("h", "min", "s")
    return " ".join(f"{value} {name}" for value, name in zip(template.values(), units, strict=False)) or HOLE


def unitless(suffix: str) -> Rule:
    return lambda template, page: f"{template.get(1)}{suffix}" if template.get(1) else HOLE


def unsourced(template: Template, page: Page) -> str:
    """The words that want a source; what only says when one was asked for is none."""
    return HOLE if re.fullmatch(r"[\d\s/.-]*", template.get(1)) else template.get(1)


def followed(after: str) -> Rule:
    return lambda template, page: f"{template.get(1)} {after}".lstrip()


def century(before: str, after: str) -> Rule:
    """`{{s|XX}}`: 'XXe siècle'; `{{séc|XIII}}`: 'século XIII'."""

    def rule(template: Template, page: Page) -> str:
        ordinal = template.get(2) if len(template.get(2)) <= 2 and after.startswith("e") else ""
        return f"{before}{template.get(1)}{ordinal + after[1:] if ordinal else after}" if template.get(1) else HOLE

    return rule


def centuries(after: str) -> Rule:
    """`{{s2|XVIII|e|XIX|e}}`: 'XVIIIe et XIXe siècles'."""

    def rule(template: Template, page: Page) -> str:
        numerals = [value for value in template.values() if re.fullmatch("[IVXLC]+", value)]
        return (
            " et ".join(f"{value}{'er' if value == 'I' else 'e'}" for value in numerals) + after if numerals else HOLE
        )

    return rule


def century_span(after: str) -> Rule:
    """`{{sp|XVIII|e|au|XIX|e|s}}`: 'XVIIIe au XIXe siècles'."""

    def rule(template: Template, page: Page) -> str:
        words = list[str]()
        several = template.values()[-1:] == ["s"]
        for word in template.values()[: -1 if several else None]:
            if re.fullmatch("[IVXLC]+", word):
                words.append(word + ("er" if word == "I" else "e"))
            elif word not in {"e", "er"}:
                words.append(word)
        return f"{' '.join(words)} siècle{'s' if several else ''}{after}" if words else HOLE

    return rule


def spanish_century(template: Template, page: Page) -> str:
    """`{{siglo|V|a|s}}`: 'siglo V a. C.'; without the last argument the text says 'siglo' itself."""
    numeral, era, word = (template.get(index) for index in (1, 2, 3))
    before = {"s": "siglo ", "S": "Siglo ", "p": "siglos ", "P": "Siglos "}.get(word[:1], "")
    after = {"a": " a. C.", "d": " d. C."}.get(era[:1].lower(), "")
    return before + numeral + after or HOLE


def life(template: Template, page: Page) -> str:
    """`{{bd|1879年|3月14日|1955年|4月18日}}`: year and day of birth, and of death."""
    born, died = (template.get(index) + template.get(index + 1) for index in (1, 3))
    return f"{born}－{died}" if born or died else HOLE


def italian_biography(template: Template, page: Page) -> str:
    """`{{Bio|Nome=Anna|Cognome=Rossi|...}}`: the first sentence, 'Anna Rossi (Roma, 3 maggio 1950) è una ...'."""

    def words(*names: str, between: str = " ") -> str:
        return between.join(filter(None, map(template.named.get, names)))

    def event(kind: str) -> str:
        place = template.first_named((f"luogo{kind}alt", f"luogo{kind}"))
        return ", ".join(filter(None, (place, words(f"giornomese{kind}", f"anno{kind}"))))

    name, born, died = words("titolo", "nome", "cognome"), event("nascita"), event("morte")
    if not name:
        return HOLE
    female = words("sesso").upper() == "F"
    activities = re.sub(r", ([^,]*)\Z", r" e \1", words("attività", "attività2", "attività3", between=", "))
    if female:
        article = "un'" if activities[:1] in tuple("aeiou") else "una "
    else:
        article = "uno " if re.match(r"s[^aeiou]|z|gn|ps|x", activities) else "un "
    verb = ("è stata " if female else "è stato ") if died else "è "
    activity = f"{verb}{article}{activities} {words('nazionalità')}".rstrip() if activities else ""
    dates = " – ".join(filter(None, (born, died)))
    sentence = f"{name}{_appended(words('postcognome'))}{f' ({dates})' if dates else ''}"
    sentence += _appended(words("fineincipit") or activity + _appended(words("postnazionalità")))
    return f"{sentence.rstrip('.')}.\n"


def _appended(text: str) -> str:
    return f" {text}" if text[:1] not in ("", *",;.:)") else text


def old_style(template: Template, page: Page) -> str:
    """`{{OldStyleDate|12 February|1809|1 February}}`: the new day, the old one, the year."""
    day, year, old = (template.get(index) for index in (1, 2, 3))
    mark = "O.S. " if page.language == "en" else ""
    return " ".join(filter(None, (day, old and f"[{mark}{old}]", year))) or HOLE


def date(template: Template, page: Page) -> str:
    return values.show_date(_date_arguments(template), page.language) or HOLE


def _date_arguments(template: Template) -> list[str]:
    given = template.values() or list(filter(None, map(template.named.get, ("year", "month", "day"))))
    given = [value for value in given if value.lower() not in {"df", "mf", "dmy", "mdy", "iso"}]
    if len(given) == 1 and re.fullmatch(r"\d{1,4}([ ./-])\d{1,2}\1\d{1,4}", given[0]):
        given = re.split(r"\D", given[0])  # {{date|29 9 2019}}, {{start date|2019-09-29}}
    elif given and re.search(r"[^\W\d]\.?,?\s+\d{3,4}\b", given[0]):
        given = given[:1]  # {{date|3 mai 1950|en sport}}: the rest is no part of it
    return given


def time_format(template: Template, page: Page) -> str:
    """`{{#time: j F Y | 2020-01-31}}`, of the dump's date without one; formats of other letters leave nothing."""
    given = template.get(2)
    moment, _, _ = values.parse_date(re.split(r"\D", given)) if given else (page.date, "", 0)
    names = {"Y": "y", "y": "yy", "F": "LLLL", "xg": "MMMM", "M": "LLL", "m": "MM", "n": "M", "d": "dd", "j": "d"}
    pieces = re.findall(r"xg|[A-Za-z]|[^A-Za-z]+", template.get(1))
    if moment is None or any(piece[0].isalpha() and piece not in names for piece in pieces):
        return HOLE
    return "".join(values.date_part(moment, names[p], page.language) if p in names else p for p in pieces) or HOLE


def date_and_age(template: Template, page: Page) -> str:
    """A date and the years from it to the dump's date."""
    arguments = _date_arguments(template)
    date, _, _ = values.parse_date(arguments)
    if date is None:
        return values.show_date(arguments, page.language) or HOLE
    return _with_age(date, values.years_between(date, page.date), page)


def death_and_age(template: Template, page: Page) -> str:
    """Two dates, of death and of birth, in either order: the later one, with the age then."""
    arguments = _date_arguments(template)
    first, words, used = values.parse_date(arguments)
    second, _, _ = values.parse_date(arguments[used:])
    if first is None or second is None:
        return values.show_date(arguments, page.language) or words or HOLE
    birth, death = sorted((first, second))
    return _with_age(death, values.years_between(birth, death), page)


def _with_age(date: datetime.date, age: int, page: Page) -> str:
    shown = values.show(date, page.language)
    if age < 0:
        return shown
    return f"{shown} (age {age})" if page.language == "en" else f"{shown} ({age})"


def age(template: Template, page: Page) -> str:
    """Full years from a date to a second one, or to the dump's date."""
    arguments = _date_arguments(template)
    start, _, used = values.parse_date(arguments)
    if start is None:
        year = arguments[0] if arguments else ""
        if re.fullmatch("[IVXLC]+", year):
            return year  # a century: {{wiek|XX}}
        return str(page.date.year - int(year)) if re.fullmatch(r"\d{4}", year) else HOLE
    end, _, _ = values.parse_date(arguments[used:])
    return str(values.years_between(start, end or page.date))


def days(template: Template, page: Page) -> str:
    """Days from a date to a second one, or to the dump's date."""
    arguments = _date_arguments(template)
    start, _, used = values.parse_date(arguments)
    end, _, _ = values.parse_date(arguments[used:])
    return HOLE if start is None else str(((end or page.date) - start).days)


def as_of(template: Template, page: Page) -> str:
    shown = template.named.get("alt") or values.show_date(_date_arguments(template), page.language)
    if template.named.get("alt") or not shown:
        return shown or HOLE
    word = "since" if template.named.get("since") else "as of"
    return f"{word if template.named.get('lc') else word.capitalize()} {shown}"


def today(form: str) -> Rule:
    return lambda template, page: page.date.strftime(form).lstrip("0")


def dump_date(template: Template, page: Page) -> str:
    return values.show(page.date, page.language)


def dump_month(template: Template, page: Page) -> str:
    return values.month(page.date, page.language)


def years(before: str) -> Rule:
    """`{{reign|1500|1510}}`: 'r. 1500–1510'."""
    return lambda template, page: f"{before} {'–'.join(template.values())}".rstrip()


def sounds(before: str, after: str) -> Rule:
    """The pieces of a transcription, without the words that say whose it is."""
    words = {
        "lang",
        "pron",
        "us",
        "uk",
        "small",
        "also",
        "local",
        "audio",
        "ipa",
        "usalso",
        "ukalso",
        "uslang",
        "uklang",
        "-",
    }

    def rule(template: Template, page: Page) -> str:
        pieces = [
            p.replace("_", " ") for p in template.values() if p.lower() not in words and not p.lower().endswith(".ogg")
        ]
        return f"{before}{''.join(pieces)}{after}" if pieces else HOLE

    return rule


def transcription(template: Template, page: Page) -> str:
    text = template.get(2) if LANGUAGE_CODE.fullmatch(template.get(1)) and template.get(2) else template.get(1)
    if not text or text.lower().endswith((".ogg", ".oga", ".wav", ".mp3")):
        return HOLE
    return text if text[:1] in "[/" else f"[{text}]"


def ship(template: Template, page: Page) -> str:
    """`{{USS|Enterprise|CV-6}}`, and `{{ship|USS|Enterprise}}`."""
    given = template.name.lower() == "ship"  # {{ship|Japanese battleship|Yamato}}
    prefix, name = (template.get(1), template.get(2)) if given else (template.name.upper(), template.get(1))
    return f"{prefix} {name}".strip() if name else HOLE


def ship_class(template: Template, page: Page) -> str:
    name, kind = template.get(1), template.get(2)
    return f"{name}-class {kind}".rstrip() if name else HOLE


def bible_verse(template: Template, page: Page) -> str:
    """`{{bibleverse|1|Kings|3:3|KJV}}`, `{{Bibel|Mt|5|3}}`: 'Mt 5,3', without the edition."""
    words = list[str]()
    for word in template.values():
        if re.fullmatch("[A-Z]{2,6}", word) or (words and ":" in words[-1]):
            break
        if len(words) > 1 and word[0].isdecimal() and words[-1].isdecimal():
            word = words.pop() + ("," if page.language == "de" else ":") + word
        words.append(word)
    return " ".join(words) or HOLE


def road(template: Template, page: Page) -> str:
    """`{{jct|state=NY|I|95|US|1}}`."""
    pairs = zip(template.positional[::2], template.positional[1::2], strict=False)
    return " / ".join(f"{kind}{'-' if kind == 'I' else ' '}{number}" for kind, number in pairs) or HOLE


_NOTES = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "n": "♮", "doubleflat": "𝄫", "bb": "𝄫",
          "doublesharp": "𝄪", "##": "𝄪", "x": "𝄪"}  # fmt: skip


def music(template: Template, page: Page) -> str:
    return _NOTES.get(template.get(1).lower(), template.get(1)) or HOLE


def named(template: Template, page: Page) -> str:
    """Templates that are called what they say: `{{Mme|Curie}}`."""
    return f"{template.name} {template.get(1)}".strip()


def transformed(change: Callable[[str], str]) -> Rule:
    return lambda template, page: change(template.get(1))


def law(before: str) -> Rule:
    """`{{§|433|bgb|juris}} BGB`: '§ 433'; which law it is only leads the link, the text says it again."""
    return lambda template, page: template.named.get("text") or f"{before} {template.get(1)}".rstrip()


def web_address(template: Template, page: Page) -> str:
    return template.get(2) or re.sub(r"^https?://|/$", "", template.get(1)) or HOLE


def marriage(template: Template, page: Page) -> str:
    years = "–".join(filter(None, (template.get(2), template.get(3))))
    return f"{template.get(1)} ({years})" if years else template.get(1) or HOLE


def condition(template: Template, page: Page) -> str:
    """`{{#if: test | then | else}}`, on tests that are already text."""
    return template.get(2) if template.get(1) else template.get(3)


def equality(template: Template, page: Page) -> str:
    return template.get(3) if template.get(1) == template.get(2) else template.get(4)


def switch(template: Template, page: Page) -> str:
    chosen = template.named.get(template.get(1).lower())
    return chosen if chosen is not None else template.named.get("#default", last(template, page))


_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}  # fmt: skip


def arithmetic(template: Template, page: Page) -> str:
    """`{{#expr: 2020 - 1990}}`: the four operations and rounding; other expressions leave nothing."""
    text = template.get(1).replace("−", "-").replace("×", "*")
    text, _, digits = text.partition("round")
    if len(text) > 200 or not re.fullmatch(r"[\d\s.+\-*/()]*", text) or re.search(r"\*\*|//|\(\s*\)", text):
        return HOLE
    try:
        value = _evaluate(ast.parse(re.sub(r"\b0+(?=\d)", "", text.strip()), mode="eval").body)
        return f"{round(value, int(digits)) if digits.strip() else value:.12g}"
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return HOLE


def _evaluate(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _evaluate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    raise ValueError("not an expression of the four operations")
