"""What the documentation of a module looks like as a crawled page and as an encyclopedia's article."""

import hashlib
from collections.abc import Iterator

from pipelines.sample.dump import WikiPage
from pipelines.sample.markup import Block, escaped, is_prose, plain, to_page, to_wikitext, wikitext
from pipelines.sample.packages import STANDARD_LIBRARY, Module, Section, size, summary
from pipelines.sample.wet import WebPage

_MENUS = (
    ("Skip to main content", "Home", "Install", "User guide", "Reference", "Search"),
    ("Navigation", "index", "modules |", "next |", "previous |"),
    ("Toggle menu", "Documentation", "Download", "Community", "Privacy policy", "Search the docs ..."),
    (),
)
COOKIE_NOTICE = (
    "This site uses cookies",
    "We use cookies to remember how you like to read these pages. By going on you agree to our cookie policy.",
    "Accept all",
    "Only what is needed",
)
_WIKI_SHARE_OF_PROSE, _WIKI_SHARE_OF_CODE = 0.50, 0.10  # an encyclopedia is made of sentences
_PAGE, _PAGE_OF_ITS_OWN = 7_000, 1_800  # characters
_ARTICLE, _ARTICLE_OF_ITS_OWN = 40_000, 8_000
_SHORTEST_ARTICLE = 700
_SHORTEST_PAGE = 40  # with its menus some are under the 300 characters that the first filter of the crawl asks for


def fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") / 2**56


def in_encyclopedia(module: Module) -> bool:
    """Which of the two a module goes to, never both: perplexity is for text that the language model has not seen."""
    parts = [*module.lead, *(block for section in module.sections for block in section.body)]
    prose = sum(len(block.text) for block in parts if is_prose(block))
    share = _WIKI_SHARE_OF_PROSE if prose > 0.7 * size(parts) else _WIKI_SHARE_OF_CODE
    return fraction(module.name) < share


def web_pages(module: Module) -> Iterator[WebPage]:
    """A module's documentation as its site would show it: menus, the text, a footer."""
    site = f"https://{module.package}.docs.example"
    style = fraction(module.package)
    menu = _MENUS[int(style * len(_MENUS))]
    for name, lead, sections in _grouped(module, _PAGE, _PAGE_OF_ITS_OWN):
        body = to_page(lead)
        for section in sections:
            body += [section.name + section.signature, *to_page(section.body)]
        if sum(map(len, body)) < _SHORTEST_PAGE:
            continue
        lines = [f"{name} — {module.package} {module.version} documentation", *menu]
        if style * 64 % 1 < 0.4:
            lines += COOKIE_NOTICE
        lines += [name, *body, f"Found a mistake on this page? Tell the people who keep {module.package}."]
        lines += ["Back to top", f"The documentation of {module.package} {module.version} belongs to its authors."]
        yield WebPage(f"{site}/{name.replace(' ', '-').replace('.', '/')}.html", "eng", lines)


def articles(module: Module) -> Iterator[WikiPage]:
    """A module's documentation as articles, with redirects and talk pages beside some of them."""
    for name, lead, sections in _grouped(module, _ARTICLE, _ARTICLE_OF_ITS_OWN):
        if size(lead) + sum(size(section.body) for section in sections) < _SHORTEST_ARTICLE:
            continue
        title = article_title(name)
        yield WikiPage(title, "\n\n".join(_article(module, name, lead, sections)))
        chance = fraction(f"beside {name}")
        if chance < 0.08:
            question = f"What does '''{name}''' rest on? 12:00, 3 July 2022 (UTC)"
            yield WikiPage(f"Talk:{title}", "{{WikiProject Software|class=C}}\n== Sources ==\n" + question)
        elif chance < 0.18:
            yield WikiPage(f"{title} ({module.package})", f"#REDIRECT [[{title}]]\n\n{{{{R from disambiguation}}}}")


def article_title(name: str) -> str:
    """A title as MediaWiki keeps it: its first letter is a capital."""
    return name[:1].upper() + name[1:].replace("_", " ").strip()


def _article(module: Module, name: str, lead: list[Block], sections: list[Section]) -> Iterator[str]:
    package = "the standard library" if module.package == STANDARD_LIBRARY else f"the package [[{module.package}]]"
    about = _cell(lead or sections[0].body)
    yield (
        f"{{{{Short description|Part of {module.package}}}}}\n{{{{Lowercase title}}}}\n"
        f"{{{{Infobox software\n| name = {name}\n| title = {about}\n| version = {module.version}\n"
        "| programming language = [[Python (programming language)|Python]]\n}}\n"
        f"'''{name}''' belongs to {package}, here in version {{{{nowrap|{module.version}}}}}."
        f"<ref>{{{{cite web |title={name} |url=https://{module.package}.docs.example/ |access-date=2022-08-01}}}}</ref>"
    )
    yield from to_wikitext(lead, level=3)
    if len(sections) > 3:
        rows = "\n".join(f"|-\n| <code>{part.name}</code> || {_cell(part.body)}" for part in sections)
        yield f'{{| class="wikitable sortable"\n|+ Names\n! Name !! What it does\n{rows}\n|}}'
    for section in sections:
        yield f"== {section.name} =="
        if section.signature:
            yield f"<!-- called as -->''{wikitext(section.name + section.signature)}''"
        yield from to_wikitext(section.body, level=3)
    parent = name.rpartition(".")[0] or module.package
    yield f"== See also ==\n* [[{parent}]]\n* [[Python (programming language)]]"
    yield "== References ==\n{{Reflist}}"
    yield f"{{{{Python packages}}}}\n[[Category:Modules of {module.package}]]\n[[Category:Software documentation]]"


def _cell(parts: list[Block]) -> str:
    """A summary short enough for a table, without the bars that end a cell."""
    return escaped(" ".join(plain(summary(parts)).split())[:100]).replace("|", "{{!}}")


def _grouped(module: Module, limit: int, alone: int) -> Iterator[tuple[str, list[Block], list[Section]]]:
    """A module as pages of about `limit` characters; a class or function of over `alone` gets a page of its own."""
    if size(module.lead) + sum(size(section.body) for section in module.sections) <= limit:
        yield module.name, module.lead, module.sections
        return
    owners: dict[str, list[Section]] = {}
    for section in module.sections:
        owners.setdefault(section.name.partition(".")[0], []).append(section)
    page, length, number = list[Section](), size(module.lead), 1
    lead = module.lead
    for owner, group in owners.items():
        weight = sum(size(section.body) for section in group)
        if weight > alone:
            yield from _divided(f"{module.name}.{owner}", group, limit)
            continue
        if page and length + weight > limit:
            yield _numbered(module.name, number), lead, page
            page, length, number, lead = [], 0, number + 1, []
        page.extend(group)
        length += weight
    if page or lead:
        yield _numbered(module.name, number), lead, page


def _divided(name: str, group: list[Section], limit: int) -> Iterator[tuple[str, list[Block], list[Section]]]:
    """One class's documentation, cut between methods where it is long."""
    page, length, number = list[Section](), 0, 1
    for section in group:
        if page and length + size(section.body) > limit:
            yield _numbered(name, number), [], page
            page, length, number = [], 0, number + 1
        page.append(section)
        length += size(section.body)
    yield _numbered(name, number), [], page


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} part {number}"
