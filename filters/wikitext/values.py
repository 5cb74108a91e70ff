"""Numbers, units and dates as a wiki's templates show them, with CLDR's names and separators (Babel)."""

import datetime
import re
from collections.abc import Sequence
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import get_decimal_symbol, get_group_symbol

_NUMBER = re.compile(r"([+\-−]?)(\d+)(?:\.(\d+))?")
_FOUR_DIGITS_UNGROUPED = frozenset({"bg", "es", "pl"})
_SUPERSCRIPTS = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_UNITS = {
    "C": "°C", "F": "°F", "C-change": "°C", "F-change": "°F", "sqmi": "sq mi", "sqft": "sq ft", "sqyd": "sq yd",
    "sqin": "sq in", "cuft": "cu ft", "cuyd": "cu yd", "cuin": "cu in", "cumi": "cu mi", "acre": "acres", "kph": "km/h",
    "kmh": "km/h", "km/hr": "km/h", "USgal": "US gal", "impgal": "imp gal", "U.S.gal": "US gal", "LT": "long tons",
    "ST": "short tons", "MT": "tonnes", "foot": "feet", "inch": "inches", "sqkm": "km²", "sqm": "m²", "kg/m3": "kg/m³",
    "PD/sqmi": "per sq mi", "PD/km2": "per km²", "/sqmi": "per sq mi", "/km2": "per km²", "acre.ft": "acre-ft",
    "ftin": "ft", "stlb": "st", "lboz": "lb", "cuft/s": "cu ft/s", "m3/s": "m³/s", "ft.lbf": "ft·lbf", "N.m": "N·m",
}  # fmt: skip
_RANGES = {
    "-": "–", "–": "–", "to(-)": "–", "to-": "–", "x": " × ", "xx": " × ", "by": " × ", "×": " × ", "*": " × ",
    "+/-": " ± ", "±": " ± ", "+": " + ", ",": ", ", ", and": ", and ", ", or": ", or ",
}  # fmt: skip
_RANGE_WORDS = frozenset(
    """
    to and or through & a bis à do až до tot til till og et ou und oder y o e i u och eller en of и или та або lub oraz
    """.split()
) | {"to about", "and/or"}
_FIGURE = re.compile(r"[+\-−±~]?[\d.,]")
_UNITS_TOO = frozenset("aeiyoàuи")  # one-letter words of ranges, which behind a unit are another unit
_SMALLER_UNITS = {
    "ft": {"in"},
    "st": {"lb"},
    "lb": {"oz"},
    "mi": {"yd", "ft", "chain"},
    "yd": {"ft", "in"},
    "m": {"cm"},
}


@lru_cache(maxsize=512)
def locale(language: str) -> Locale:
    """The locale of a wiki's language code; English where CLDR has none."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache(maxsize=512)
def _symbols(language: str) -> tuple[str, str]:
    return get_group_symbol(locale(language)), get_decimal_symbol(locale(language))


def format_number(text: str, language: str) -> str:
    """`{{formatnum:}}`: a plain number with the language's separators; anything else as it is."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return text.strip()
    sign, whole, fraction = match.groups()
    group, decimal = _symbols(language)
    if len(whole) > (4 if language in _FOUR_DIGITS_UNGROUPED else 3):
        whole = re.sub(r"\B(?=(?:\d{3})+$)", group, whole) if len(whole) < 40 else whole
    return sign + whole + (decimal + fraction if fraction else "")


def superscript(text: str) -> str:
    """10² and 10⁻³ keep their sense without a tag; letters, as in 19th, stay on the line; the rest takes a caret."""
    raised = text.translate(_SUPERSCRIPTS)
    return (
        raised
        if len(text) < 12 and not re.search(r"[^⁰-⁹ⁱⁿ¹²³⁺⁻⁼⁽⁾]", raised)
        else text
        if text.isalpha()
        else f"^({text})"
    )


def subscript(text: str) -> str:
    """H₂O; what has no subscript form stays on the line."""
    return text.translate(_SUBSCRIPTS) if len(text) < 12 else text


def unit(code: str) -> str:
    """A unit as it is printed: `km2` is km², `sqmi` is sq mi."""
    power = re.match(r"e(\d{1,2})(?=[A-Za-z])", code)  # millions of hectares: e6ha
    name = code[power.end() :] if power else code
    shown = _UNITS.get(name) or re.sub(r"(?<=[A-Za-z])-?[23]\b", lambda raised: superscript(raised[0]), name)
    return f"× 10{superscript(power[1])} {shown}" if power else shown


def measure(arguments: Sequence[str]) -> str:
    """`{{convert|5|to|10|km|mi}}` as its author's figures, "5 to 10 km": what was computed from them is left out."""
    parts: list[str] = []
    rest = list(arguments)
    while rest and _FIGURE.match(rest[0]):
        parts.append(rest.pop(0))
        between = _range(rest)
        if not between:
            name = rest.pop(0) if rest else ""
            parts.append(f" {unit(name)}" if name else "")
            if rest[1:] and rest[1] in _SMALLER_UNITS.get(name, ()):
                parts.append(" ")
                continue
            between = _range(rest) if rest and rest[0] not in _UNITS_TOO else ""
        if not between:
            break
        parts.append(between)
        del rest[0]
    return "".join(parts).strip() or " ".join(arguments[:2])


def _range(arguments: Sequence[str]) -> str:
    """The `to` or `x` that `arguments` start with, as it is printed, if another figure follows."""
    if len(arguments) < 2 or not _FIGURE.match(arguments[1]):
        return ""
    return _RANGES.get(arguments[0]) or (f" {arguments[0]} " if arguments[0] in _RANGE_WORDS else "")


def parse_date(arguments: Sequence[str]) -> tuple[datetime.date | None, str, int]:
    """The date that arguments start with, in any order; or, without a whole one, its words; how many it took."""
    numbers = [re.sub(r"\D.*", "", argument) if argument[:1].isdigit() else "" for argument in arguments[:3]]
    if len(numbers) == 3 and all(numbers):
        first, second, third = (int(number[:6]) for number in numbers)
        order = (first, second, third) if first > 31 or len(numbers[0]) == 4 else (third, second, first)
        try:
            return datetime.date(*order), "", 3
        except ValueError:
            pass
    return None, " ".join(argument for argument in arguments[:3] if argument), min(3, len(arguments))


def show(date: datetime.date, language: str) -> str:
    return str(format_date(date, "long", locale(language)))


def month(date: datetime.date, language: str) -> str:
    return str(locale(language).months["stand-alone"]["wide"][date.month])


def date_part(date: datetime.date, pattern: str, language: str) -> str:
    """A date by one of CLDR's patterns."""
    return str(format_date(date, pattern, locale(language)))


def show_date(arguments: Sequence[str], language: str) -> str:
    """The date in a template's leading arguments, written as the language writes it."""
    date, words, _ = parse_date(arguments)
    if date is not None:
        return show(date, language)
    numbers = words.split()
    if len(numbers) == 2 and all(number.isdecimal() for number in numbers) and len(numbers[0]) == 4:
        year, month = map(int, numbers)
        if year and 1 <= month <= 12:
            return str(format_skeleton("yMMMM", datetime.date(year, month, 1), locale=locale(language)))
    return words


def years_between(start: datetime.date, end: datetime.date) -> int:
    """Full years, as in somebody's age."""
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))
