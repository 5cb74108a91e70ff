"""Templates that carry words or numbers leave their value, in the wikis of all languages; the others leave nothing."""

import datetime

import pytest

from filters.wikitext import Page, plain_text


def value(wikitext: str, language: str = "en") -> str:
    """What a template leaves in the middle of a sentence."""
    plain = plain_text(f"Before {wikitext} after.", Page(language, "Rome", datetime.date(2022, 8, 1)))
    assert plain.startswith("Before ")
    assert plain.endswith(" after.")
    return plain.removeprefix("Before").removesuffix("after.").strip()


@pytest.mark.parametrize(
    ("template", "left"),
    [
        ("{{convert|5|km|mi}}", "5 km"),
        ("{{Convert|1,234.5|sqmi|km2|abbr=on}}", "1,234.5 sq mi"),
        ("{{cvt|5|to|10|km2}}", "5 to 10 km²"),
        ("{{convert|20|-|25|C|F}}", "20–25 °C"),
        ("{{convert|6|ft|2|in|m}}", "6 ft 2 in"),
        ("{{convert|3|x|4|m}}", "3 × 4 m"),
        ("{{convert|−40|F|C|0}}", "−40 °F"),
        ("{{convert|5|ft|x|6|ft|m}} {{convert|3|xx|4|x|5|m}} {{convert|4|&ndash;|5|ha|a}} {{convert|5|ha|a|1}}",
         "5 ft × 6 ft 3 × 4 × 5 m 4–5 ha 5 ha"),
        ("{{convert|3|,|4|, and|5|ft}} {{convert|±5|C}} {{convert|between|5}}", "3, 4, and 5 ft ±5 °C between 5"),
        ("{{formatnum:1234567.89}}", "1,234,567.89"),
        ("{{formatnum:1,234|R}}", "1234"),
        ("{{formatnum: about 5 }}", "about 5"),
        ("{{lang|de|Übermut}}", "Übermut"),
        ("{{lang-ru|Москва}}", "Москва"),
        ("{{Lang_de|x}} {{lang|fr|''mot''|italic=no}}", "x mot"),
        ("{{transl|ru|ISO|Moskva}}", "Moskva"),
        ("{{nowrap|5 kg}}", "5 kg"),
        ("{{small|{{nobr|{{abbr|UN|United Nations}}}}}}", "UN"),
        ("{{birth date|1879|3|14|df=y}}", "March 14, 1879"),
        ("{{birth date and age|1980|8|2}}", "August 2, 1980 (age 41)"),
        ("{{death date and age|1955|4|18|1879|3|14}}", "April 18, 1955 (age 76)"),
        ("{{start date|2010|5}}", "May 2010"),
        ("{{start date|2010}}", "2010"),
        ("{{age|2000|8|1}}", "22"),
        ("{{age|2000|8|2}}", "21"),
        ("{{age|1900|1|1|1950|1|1}}", "50"),
        ("{{as of|2010|5|lc=y}}", "as of May 2010"),
        ("{{dts|March 5, 2001}}", "March 5, 2001"),
        ("{{circa|1900}}", "c. 1900"),
        ("{{CURRENTYEAR}}", "2022"),
        ("{{PAGENAME}}", "Rome"),
        ("{{val|1.5|0.2|e=-3|u=kg}}", "1.5 ± 0.2 × 10⁻³ kg"),
        ("{{val|p=~|1.2|+0.3|-0.2}} {{val|1.2|0.3|0.2|u=kg}} {{val|5|km}}", "~1.2 +0.3 −0.2 1.2 +0.3 −0.2 kg 5 km"),
        ("{{date|2010-05-03|mdy}}", "May 3, 2010"),
        ("{{solar mass|2}} {{solar mass}} {{INRConvert|5|lc}} {{Ma|66}}",
         "2 M☉ M☉ ₹5 lakh crore 66 million years ago"),
        ("{{bya|1950|5}} {{death-date and age|1 May 2000|3 May 1950}}", "May 1950 1 May 2000"),
        ("''Eagle''{{'s}} and ''Eagle''{{'}}s {{citation needed span|landing|date=x}}", "Eagle's and Eagle's landing"),
        ("{{frac|1|2}} {{frac|3|1|2}} {{sfrac|7}}", "1/2 3 1/2 1/7"),
        ("{{chem|H|2|O}} {{chem|NH|4|+}} {{chem2|C6H12O6}}", "H₂O NH₄⁺ C₆H₁₂O₆"),
        ("5{{e|24}}", "5×10²⁴"),
        ("{{IPAc-en|b|ɜːr|ˈ|l|ɪ|n}}", "/bɜːrˈlɪn/"),
        ("{{IPA-de|bɛʁˈliːn|lang|De-Berlin.ogg}}", "[bɛʁˈliːn]"),
        ("{{nihongo|Tokyo|東京|Tōkyō}}", "Tokyo (東京, Tōkyō)"),
        ("{{zh|s=北京|p=Běijīng}}", "北京, Běijīng"),
        ("{{ill|Ewald Wüst|de}} {{ill|A|fr|B|lt=C}}", "Ewald Wüst C"),
        ("{{hlist|a|[[b]]|c}}", "a, b, c"),
        ("{{flag|France}} {{flagicon|France}}", "France"),
        ("a{{nbsp}}b{{ndash}}c{{snd}}d{{'}}e{{!}}f{{=}}g", "a b–c – d'e|f=g"),
        ("{{angbr|a}}", "⟨a⟩"),
        ("{{sic|teh}} {{USS|Hornet|CV-12|6}}", "teh USS Hornet"),
        ("{{math|''x''<sup>2</sup>}}", "x²"),
        ("{{#expr: 2022 - 1990}} {{#expr:10/4 round 1}} {{#if: |a|b}} {{#switch:x|y=1|x=2}}", "32 2.5 b 2"),
        ("{{#expr:9**9**9}} {{#expr:1/0}} {{#expr:import}}", ""),
        ("{{height|ft=5|in=11}} {{height|m=1.80}}", "5 ft 11 in 1.80 m"),
        ("{{percentage|1|3|1}} {{percent|5}} {{ordinal|11}} {{ordinal|22}}", "33.3% 5% 11th 22nd"),
        ("{{HMS|Victory}} {{ship|USS|Enterprise||2}} {{sclass|Nimitz|carrier}}",
         "HMS Victory USS Enterprise Nimitz-class carrier"),
        ("{{bibleverse|1|Kings|3:3|KJV}} {{bibleref|Mark|3:25|9}} {{cite quran|29|46}}", "1 Kings 3:3 Mark 3:25 29:46"),
        ("C{{music|sharp}} B{{music|b}} {{pi}} {{CO2}} Hawai{{okina}}i", "C♯ B♭ π CO₂ Hawaiʻi"),
        ("{{IPAslink|ʃ}} {{IPAblink|ʃ}} {{Script|Grek|λ}} {{wikt-lang|fr|mot}}", "/ʃ/ [ʃ] λ mot"),
        ("{{OldStyleDate|12 February|1809|1 February}}", "12 February [O.S. 1 February] 1809"),
        ("{{age in days|2010|1|1|2010|1|11}} {{reign|1500|1510}}", "10 r. 1500–1510"),
        ("{{lc:ABC}} {{uc:abc}} {{ucfirst:abc}} {{lcfirst:ABC}}", "abc ABC Abc aBC"),
        ("{{sqrt|2}} {{gaps|12|345}} {{ratio|1|4}} {{sortname|John|Smith}}", "√2 12345 1:4 John Smith"),
        ("{{jct|state=NY|I|95|US|1}} {{korean|hangul=한국|hanja=韓國}}", "I-95 / US 1 한국, 韓國"),
        ("{{ship|Japanese battleship|Yamato}} {{ship||Bounty}}", "Japanese battleship Yamato Bounty"),
        ("{{bibleverse|2 Kings|2|11}} {{radic|2|3}} {{chem2|SO4(2-)}}", "2 Kings 2:11 ³√2 SO₄²⁻"),
        ("{{convert|22|e6acre|km2}}", "22 × 10⁶ acres"),
        ("{{#time:j F Y|2020-01-31}} {{#time:Y}} {{#time:c}}", "31 January 2020 2022"),
        ("{{proto|*abc}}", "*abc"),
        ("{{start date|2019-09-29}} {{lang|de}}", "September 29, 2019"),
        ("a, {{ISSN|1}}, b", "a, b"),
        ("{{unknown dress|some words}}", "some words"),
        ("{{unknown language mark|la|verba}}", "verba"),
        ("{{unknown unit|25|m/s}}", "25 m/s"),
    ],
)  # fmt: skip
def test_words_and_numbers_are_left(template: str, left: str) -> None:
    assert value(template) == left


@pytest.mark.parametrize(
    ("language", "template", "left"),
    [
        ("bg", "{{lang|de|Wort}} {{formatnum:12345}}", "Wort 12 345"),
        ("ca", "{{segle|XIII|s}} {{formatnum:12345}}", "segle XIII 12.345"),
        ("bg", "{{превръщане|5|mi|km}}", "5 mi"),
        ("cs", "{{Vjazyce|en}} word", "word"),
        ("da", "{{brøk|1|2}}", "1/2"),
        ("es", "{{siglo|V|a|s}} y los siglos {{siglo|XIX}}", "siglo V a. C. y los siglos XIX"),
        ("fr", "{{date-|3 mai 1950|au cinéma}} {{dunité|5.5|6|cm}}", "3 mai 1950 5,5 × 6 cm"),
        ("it", "500 {{m s.l.m.}}", "500 m s.l.m."),
        ("ro", "{{ill-wd|Q5|en|om}} {{ill-wd|Q5|omul}} {{ill-wd|Q5|en}} {{limba|en}}", "om omul"),
        ("sv", "5{{fast mellanslag}}km", "5 km"),
        ("zh", "{{bd|1879年|3月14日|1955年|4月18日|catIdx=A}}", "1879年3月14日－1955年4月18日"),
        ("cs", "{{Cizojazyčně|de|Wort}} {{Datum narození|1879|3|14}}", "Wort 14. března 1879"),
        ("da", "{{Alder|2000|1|1}} {{nowrap|5 km}} {{konverter|5|km}}", "22 5 km 5 km"),
        ("de", "{{ruS|Москва|Moskwa}} {{Höhe|115|DE-NHN|link=true}} {{§|433|bgb|juris}} BGB {{B|Mt|5|3}}",
         "Москва 115 m § 433 BGB Mt 5,3"),
        ("es", "{{AC|50}} {{julgregfecha|5|5|1990}}", "50 a. C. 5 de mayo de 1990"),
        ("fr", "{{s2|XVIII|e|XIX|e}} {{-s|V}} {{Louis XIV}} {{heure|12|30}}",
         "XVIIIe et XIXe siècles Ve siècle av. J.-C. Louis XIV 12 h 30"),
        ("fr", "{{date|29 9 2019}}", "29 septembre 2019"),
        ("fr", "{{1er mai}} {{9 thermidor an II}} {{-800}} {{Ier siècle av. J.-C.}}",
         "1er mai 9 thermidor an II 800 av. J.-C. Ier siècle av. J.-C."),
        ("fr", "{{sp}} {{sp|XVIII|e|au|XIX|e}} {{-sp-|II|e|et|I|er|s}}",
         "XVIIIe au XIXe siècle IIe et Ier siècles av. J.-C."),
        ("pl", "{{wiek|XIX}}", "XIX"),
        ("pt", "{{lknb|João|VI|de Portugal}}", "João VI de Portugal"),
        ("nl", "{{feit|2011|05|12}} {{feit|hier}}", "hier"),
        ("fr", "{{M.|Dupont}} {{n°|5}} {{quand|hier}} {{guil|mot}}", "M. Dupont n° 5 hier « mot »"),
        ("it", "{{M|500|ul=km2}} {{M|5||km}} {{senza fonte|in alcune zone}}", "500 km² 5 km in alcune zone"),
        ("nl", "{{bron?|in deze stad|2019|04|15}} {{afkorting|GewSt|Steuer}}", "in deze stad GewSt"),
        ("pt", "{{fmtn|90000|km}} {{língua com nome|en|inglês|word}} {{AC}}", "90.000 km word a.C."),
        ("ro", "{{dată|1990|5|6}}", "6 mai 1990"),
        ("ru", "{{s|5 км}} {{нет АИ|3|01|2018}}", "5 км"),
        ("sv", "{{källa behövs|i denna stad|datum=maj 2010}}", "i denna stad"),
        ("de", '{{lang|la|verba}} {{"|Text}} {{FormatNum:12345}} {{nowrap|5 km}}', "verba “Text” 12.345 5 km"),
        ("es", "{{fecha de nacimiento|14|3|1879}} {{formatnum:1234}}", "14 de marzo de 1879 1234"),
        ("fr", "{{unité|3797|m}} {{s|XX}} {{s-|XIX|e}} {{1er}} {{date|14|mars|1879}}",
         "3 797 m XXe siècle XIXe siècle 1er 14 mars 1879"),
        ("fr", "{{date de naissance|11|novembre|1866}} {{langue|de|Wort}} {{nobr|36 paroisses}} {{84e|Congrès}}",
         "11 novembre 1866 Wort 36 paroisses 84e Congrès"),
        ("fr", "{{unité|9.8|m||s|-2}} {{citation|sanctions}}", "9,8 m s⁻² « sanctions »"),
        ("hr", "{{formatnum:12345}} {{jez|de|Wort}}", "12.345 Wort"),
        ("hu", "{{szám|180000}} {{életkor|2000|1|1}}", "180 000 22"),
        ("it", "{{TA|3 743 km²}} {{formatnum:4666175}}", "3 743 km² 4.666.175"),
        ("ja", "{{仮リンク|ベルリン・ボン法|en|Berlin-Bonn Act}} {{lang-de-short|Berlin}}", "ベルリン・ボン法 Berlin"),
        ("nl", "{{lang|de|Wort}} {{leeftijd|2000|1|1}}", "Wort 22"),
        ("pl", "{{lang|de|Wort}} {{formatnum:12345}}", "Wort 12 345"),
        ("pt", "{{séc|XIII}} {{fmtn|90000}} {{dni|14|3|1879}}", "século XIII 90.000 14 de março de 1879"),
        ("ro", "{{conversie|22|–|25|C|F}}", "22–25 °C"),
        ("ru", "{{нп5|Квартал|квартал|de|Viertel}} {{дата рождения|14|3|1879}}", "квартал 14 марта 1879 г."),
        ("sl", "{{jezik-de|Wort}} {{starost|2000|1|1}}", "Wort 22"),
        ("sr", "{{јез-нем|Berlin}}", "Berlin"),
        ("sv", "{{lang|de|Wort}} {{ålder|2000|1|1}}", "Wort 22"),
        ("uk", "{{lang-de|Bär}} {{вік|2000|1|1}}", "Bär 22"),
        ("zh", "{{link-en|柏林大學|Berlin University}} {{tsl|en|A|乙}}", "柏林大學 乙"),
    ],
)  # fmt: skip
def test_words_and_numbers_are_left_in_every_language(language: str, template: str, left: str) -> None:
    assert value(template, language) == left


@pytest.mark.parametrize(
    "template",
    [
        "{{citation needed|date=May 2010}}", "{{sfn|Smith|2010|p=5}}",
        "{{cite web|url=http://a.b|title=c}}", "{{refn|note}}", "{{efn|a note}}",
        "{{coord|52|31|N|13|23|E}}", "{{flagicon|USA}}", "{{audio|a.ogg|listen}}", "{{ISBN|978-0-1}}",
        "{{citar web|url=x}}", "{{Literatur|Autor=x}}", "{{reflist|30em}}", "{{clear}}", "{{anchor|x}}",
        "{{DEFAULTSORT:Rome}}", "{{commons category|Rome}}", "{{прапорець|USA}}", "{{#tag:ref|a}}",
        "{{webarchive|url=http://x.y}}", "{{dead link}}", "{{Inflation/year|US}}", "{{NoteTA|1=zh-cn:a;zh-tw:b}}",
    ],
)  # fmt: skip
def test_references_notes_and_marks_leave_nothing(template: str) -> None:
    assert value(template) == ""


def test_blocks_of_text_and_lists_are_kept() -> None:
    page = Page("en", "T", datetime.date(2022, 8, 1))
    assert plain_text("{{quote|text=All men die.|author=Plato}}", page) == "All men die.\n— Plato"
    assert plain_text("{{columns-list|colwidth=20em|\n* a\n* b\n}}", page) == "- a\n- b"
    assert plain_text("{{div col}}\n* a\n{{div col end}}", page) == "- a"
    assert plain_text("{{div col|2}}\n* a\n{{div col end}}", page) == "- a"
    assert plain_text("{{ubl|a|b}}", page) == "- a\n- b"
    assert (
        plain_text("{{Zitat|Text=Alle Verliebtheit|Autor=S.}}", Page("de", "T", page.date)) == "Alle Verliebtheit\n— S."
    )


def test_a_template_that_is_a_whole_list_item_is_its_words() -> None:
    page = Page("it", "T", datetime.date(2022, 8, 1))
    assert plain_text("* {{Gemellaggio|Francia|Parigi|1987}}", page) == "- Francia, Parigi, 1987"
    assert plain_text("* {{somebody's database|123456}}", page) == ""


def test_an_unknown_template_that_touches_a_word_is_a_note() -> None:
    page = Page("xx", "T", datetime.date(2022, 8, 1))
    assert plain_text("A word{{zzz|why?}} and {{zzz|words}} more.", page) == "A word and words more."


@pytest.mark.parametrize("boxes", ["{{Palette Louis XIV}}", "{{Palette|A}} {{Portail Vatican II}}<!-- end -->"])
def test_a_line_of_boxes_alone_leaves_nothing(boxes: str) -> None:
    assert plain_text(f"Text.\n{boxes}\n", Page("fr", "T", datetime.date(2022, 8, 1))) == "Text."


def test_a_german_identifier_is_no_word_of_another_language() -> None:
    assert plain_text("* {{HLS|17333|Name|Autor=X}}\n", Page("de", "T", datetime.date(2022, 8, 1))) == ""


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("|Nome=Anna|Cognome=Rossi|Sesso=F|LuogoNascita=Roma|GiornoMeseNascita=3 maggio|AnnoNascita=1950"
         "|Attività=attrice|Attività2=cantante|Attività3=ballerina|Nazionalità=italiana|PostNazionalità=, nota",
         "Anna Rossi (Roma, 3 maggio 1950) è un'attrice, cantante e ballerina italiana, nota."),
        ("|Nome=Hans|Cognome=Stein|Sesso=M|AnnoNascita=1850|LuogoMorte=Bonn|AnnoMorte=1900|Attività=scrittore",
         "Hans Stein (1850 – Bonn, 1900) è stato uno scrittore."),
        ("|Nome=Pio|Sesso=M|FineIncipit=fu il secondo della serie.", "Pio fu il secondo della serie."),
    ],
)  # fmt: skip
def test_an_italian_biography_starts_with_its_sentence(fields: str, sentence: str) -> None:
    assert (
        plain_text(f"{{{{Bio{fields}}}}}\nText.", Page("it", "T", datetime.date(2022, 8, 1))) == f"{sentence}\n\nText."
    )


def test_boxes_leave_nothing() -> None:
    page = Page("en", "T", datetime.date(2022, 8, 1))
    assert (
        plain_text("{{Infobox city\n| name = Rome\n| size = {{convert|5|km}}\n}}\nText\n{{Navbox|list1=* a}}", page)
        == "Text"
    )
    assert plain_text("{{main|History of Rome}}\nText\n{{stub}}", page) == "Text"
