"""Which rule each template has, in the wikis of 22 languages, and what becomes of one that has none."""

import re

from filters.wikitext import rules
from filters.wikitext.names import LANGUAGE_CODE, NOT_TEXT
from filters.wikitext.rules import HOLE, Page, Rule, Template

_RULES: dict[tuple[str | None, str], Rule] = {}  # by language and name; None: in all languages that have no other


def _register(rule: Rule, names: str, language: str | None = None) -> None:
    """`names` in lower case, with `|` between them (and `\u00a6` for a bar in a name)."""
    for name in filter(None, (name.strip() for name in names.split("|"))):
        key = (language, name.replace("\u00a6", "|"))
        assert key not in _RULES, key
        _RULES[key] = rule


_register(rules.constant(""), "nowrap begin|nowrap end|wrap begin|wrap end|zwsp|wbr|shy|allow wrap|zero width space")
_register(
    rules.constant(HOLE),
    """
    cn|fact|who|who?|when|when?|which|which?|where|where?|by whom|by whom?|whom|clarify|vague|rp|r|sfn|sfnp|sfnm|harv|
    harvnb|harvp|harvtxt|citation needed|p.|pp.|vol.|page needed|dead link|refn|efn|note|nota|notetag|ref|dubious|
    failed verification|isbn|issn|oclc|doi|flagicon|flagdeco|flag icon|drapeau|bandera|flaga|audio|increase|decrease|
    steady|augmentation|diminution|nom|won|yes|no|s-|unsigned|anchor|anker|ancre|pp-move-indef|main|see also|further|
    details|inflation|citation style|lsj|smn|fn|fnz|absatz|better source|update inline|relevance inline|required|
    webarchive|wayback|0|sep entry|iep|sep|chiarire|senza fonte|in lang|link en|#tag|#invoke|displaytitle|defaultsort|
    sortierung|ordena|pagina|coord|coor|coordinate|koordinaten|koordináty|osmrelation|bokref|webbref|citar web|
    cita web|cita libro|lien web|ouvrage|article|internetquelle|literatur|cytuj|cytuj stronę|citeweb|cite web|
    cite book|cite news|cite journal|cite encyclopedia|youtube|imdb name|imdb title|tl|tlx|commons|commonscat|dl|fldez|
    noteta|noteta-lite|inflation/year|inflation-year|inflation/fn|inflation-fn
""",
)
_register(
    rules.constant(" "),
    """
    nbsp|space|spaces|spc|thinsp|thin space|hair space|hairsp|nnbsp|ensp|emsp|figure space|espace|esp.|insécable|
    fast mellanslag
""",
)
_register(rules.constant(" – "), "snd|spaced ndash|spnd|dash|ndashb|spaced en dash|sndash|–|snds")
_register(rules.constant("–"), "ndash|en dash|endash|nsndns|nsnd")
_register(rules.constant("—"), "mdash|em dash|emdash|—")
_register(rules.constant(" — "), "mdashb|spaced mdash|spaced em dash|smdash|снд")
_register(rules.constant(" · "), "·|middot|dot|interpunct|\\")
_register(rules.constant(" • "), "•|bull|bullet")
_register(rules.constant("|"), "!|pipe|¦")
_register(rules.constant("||"), "!!")
_register(rules.constant("{|"), "(!")
_register(rules.constant("|}"), "!)")
_register(rules.constant("|-"), "!-")
_register(rules.constant("="), "=|equals")
# As entities, or they would join the quotes of bold and italics around them.
_register(rules.constant("&#39;"), "'|apostrophe|-'|'-")
_register(rules.constant("&#39;s"), "'s")
_register(rules.constant('&#39; "'), "' \"")
_register(rules.constant('" &#39;'), "\" '")
_register(rules.constant("…"), "...|ellipsis|…|points de suspension")
_register(rules.constant(", "), ",")
_register(rules.constant("<br>"), "break|br|-br|crlf")
_register(rules.constant("†"), "dagger|extinct|†|")
_register(rules.constant("×"), "times|×")
_register(rules.constant("⇌"), "eqm")
_register(rules.constant("→"), "rarr|→")
_register(rules.constant("♯"), "sharp|music sharp")
_register(rules.constant("♭"), "flat|music flat")
_register(rules.wrapped("[", "]"), "bracket|sq")
_register(rules.wrapped("{", "}"), "brace|mset")
_register(rules.wrapped("⟨", "⟩"), "angbr|angle bracket|angbr ipa|anglebr")
_register(rules.wrapped("– ", " –"), "incise")
_register(rules.wrapped("<sup>", "</sup>"), "sup|exp|exposant")
_register(rules.wrapped("<sub>", "</sub>"), "sub|indice|ind")
_register(rules.wrapped("€", ""), "euro|€|eur|euros")
_register(rules.wrapped("R$", ""), "r$")
_register(rules.rupees, "inrconvert|inr convert")
_register(rules.wrapped("£", ""), "gbp|£|pound sterling|pounds")
_register(rules.wrapped("US$", ""), "us$|usd")
_register(rules.wrapped("A$", ""), "a$|aud")
_register(rules.wrapped("C$", ""), "ca$|cad")
_register(rules.wrapped("¥", ""), "¥|jpy|yen|cny|rmb")
_register(rules.wrapped("₹", ""), "₹|inr|indian rupee|indianrupee|rupee")
_register(rules.wrapped("₽", ""), "₽|rub")

_register(
    rules.argument(1),
    """
    nowrap|nobr|nobreak|nobold|noitalic|noitalics|normal|bold|italic|small|smaller|big|large|larger|smallcaps|sc|sc2|
    aut|caps|smallcaps all|abbr|abbrv|abbreviation|abk|abréviation|tooltip|hover title|hint|подсказка|vanchor|
    visible anchor|sic|strong|em|s|strike|u|underline|ul|overline|hl|highlight|center|centre|right|left|
    linkword|math|mvar|var|samp|code|codes|mono|kbd|tt|pre|longitem|nastaliq|proper name|notranslate|as written|
    avoid wrap|nwr|flag|flagu|flagcountry|flaglist|flagg|country|land|land2|pays|pays2|país|país2|paese|bandera2|
    bandiera2|flagga|vlagland|vlajka a název|flagicon2|państwo|zászló2|zászlóra|флагификация|флаг2|прапор2|uk flag|
    flagathlete|flagtrope|navigation|format price|formatprice|currency|mod|tmp-|wrap|keypress|key press|key|touche|
    native phrase|cquote inline|gloss|literal translation|lit|unicode|polytonic|politonico|polytonique|grec|
    grec ancien|grc|latin|arabe|hébreu|hebrew|tibetan|arab|han|semxlit|railgauge|track gauge|ruby|ruby-ja|vr|
    annotated link|
    color box|colored link|coloredlink|lighter|no bold|no wrap|nowiki|hs|rtl|bdi|tamar|mathcal|bigmath|inline block|
    ta|nts|ntsh|要出典範囲|color text|読み仮名|ルビ|補助漢字フォント|補助漢字|拡張漢字|机种依存文字|僻字|nobr2|
    nobold2|unbulleted|bez zalomení|nezalomitelné|nedělit|неразрывный|нобр|nowrap2|не переносить|comment|comm|
    коментар|пояснення|abbr2|definition|term|defn|ushort|petit|petites capitales|capitale|grande|petite|gras|italique|
    lettrine|initiale|abbr disp|souverain|souverain2|souverain3|inscription|hel|bgcolor|fontcolor2|malé|större|mindre|
    gross|klein|kapitälchen|wortart|citation needed span|cns|clarify span|dubious span|нет аи 2|флагче с име|
    ecuación|bloque numérico
""",
)
_register(
    rules.argument(2),
    """
    color|colour|font color|font colour|fontcolor|text color|style|fs|font size|nativename|script|iw2|su|script2|
    background color|numblk
""",
)
_register(
    rules.foreign,
    """
    lang|langue|rtl-lang|rtl lang|font|wikt-lang|cizojazyčně|lengua|idioma|langx|llang|native name|cj|vjazyce|vjazyce2|
    língua|lingua|limba|nyelv|jez|språk|sprache|langi|ref-lang|语|語
""",
)
_register(rules.last, "transl|translit|tlit|transliteration|script/hebrew|script/arabic|resize|langr")
_register(
    rules.foreign_named,
    """
    en|de|fr|es|it|la|el|ru|pl|nl|pt|ar|he|hu|cs|sv|da|uk|bg|ro|hr|sr|sl|ca|ja|ko|fa|tr|got|ang|goh|gmh|lat|rom|
    lang-rus|zh-tw
""",
)
_register(rules.joined(""), "linktext|linktext2|linked text|kanji|stringjoin|not a typo")
_register(
    rules.joined("-"),
    """
    respell|pronunciation respelling key|simplenuclide|simplenuclide2|nuclide2|nuclide|isotope
""",
)
_register(rules.joined("+"), "key press+|keypress+|button")
_register(
    rules.joined(", "),
    """
    hlist|flatlist inline|comma separated entries|csv|cslist|hlista|horizontal list|liste horizontale|jumelage
""",
)
_register(
    rules.bulleted,
    """
    ubl|unbulleted list|ublist|vunblist|bulleted list|ordered list|unordered list|ol|liste non numérotée
""",
)
_register(
    rules.content,
    """
    plainlist|flatlist|div col|columns-list|columns list|columns|colonnes|column|multicol|block indent|blockindent|
    indent|center block|poem|poeme|poème|poemquote|verse translation|mehrspaltige liste|columnes|kolumner|kolommen|
    колонки|стовпці|colunas|coluna|oszlopok|vícesloupcový seznam|sloupce|spalten|wikicode|small div|smalldiv|stack|
    align|div|text|box text|multi-column numbered list|colonne|bloc|lijst|begin-list|ordered list 2|spaltenliste
""",
)
_register(
    rules.quote,
    """
    quote|blockquote|bquote|cquote|rquote|quotation|quote box|quotebox|quote frame|pull quote|pullquote|
    centered pull quote|zitat|zitat2|zitat-en|zitat-la|zitat-fr|vers|citation bloc|citation longue|début citation|
    cita larga|cita|cita2|citació|citazione|bloco de citação|citação2|citação|citat|cytat|cytat d|cytat2|idézet|
    idézet2|quote2|citaat|citat2|цитата|початок цитати|blockquote2|quadro de citação|cite quote|navedek|citatni blok|
    epigraph|epigraf|epigrafo|эпиграф|епіграф|quote 1|bq|dialogue|cytat-ramka|citatboks|citatruta|citát|
    quote without source|quote-1|cita destacada|caja de cita|引用|quotation2|引用文|cquote2|цитат
""",
)
_register(rules.inline_quote, '"|qi|inline quote|citation|citation étrangère|начало цитаты|quote inline|tq|talk quote')
_register(
    rules.argument(1),
    """
    citation nécessaire|référence nécessaire|référence souhaitée|refnec|passage à vérifier|citazione necessaria
""",
)
_register(
    rules.nihongo,
    """
    nihongo|nihongo3|nihongo2|nihongo4|nihongo foot|nihongo krt|japonais|koreana|japonés|nihongo title|nihon-go
""",
)
_register(
    rules.named_values,
    """
    zh|korean|zh-cn|lang-zh|chinese|kinesisk|cinese|chinois|китайский|zh2|zh-full|zho|lang-ko|ko-hhrm|
    infobox name module
""",
)
_register(
    rules.interlanguage,
    """
    ill|ill2|illm|interlanguage link|interlanguage link multi|仮リンク|lien|link-interwiki|link interwiki|lle|
    red link|enlace|translink|internal link helper|link-en|link-de|link-fr|link-ja|link-ru|link-es|link-it|link-pl|
    ilh|interlang|illwd|odkaz|redwd|ill-wd|enllaç|enlla|ilink|dil|ред|ses|interlangue|interwiki|翻译链接
""",
)
_register(
    rules.not_translated,
    """
    нп1|нп2|нп3|нп4|нп5|iw|не переведено|не переведено 2|не переведено 3|не переведено 5|нп|iw5|не перекладено
""",
)
_register(rules.chinese_link, "tsl|link-wd|translink2|en-link")
_register(rules.argument(3), "le|ilh2")

_register(
    rules.only_number,
    """
    formatnum|formnum|num|number|fmtn|szám|formatnum2|numero|число|broj|tal|#formatnum|bigformatnum|fmt num|
    formatnumber|nombre2|format number|fnum|antal|getal|liczba|#number|num2|ts|formatt
""",
)
_register(
    rules.quantity,
    """
    unité|nombre|unité2|unidad|quantité|unit|valeur|numsp|physconst|grandeur|masse|units|maß|měrná jednotka|vel|tmp
""",
)
_register(rules.uncertain, "val|value|výsledek|valor|wert|значение")
_register(
    rules.measure,
    """
    convert|cvt|conv|conversie|converteer|convertir|convertor|convertit|converti|convertert|convertto|převod|
    umrechnung|umrechnen|omregn|converter|convert2|convertabbr|átváltás|přepočet|преобразовать|конвертировать|
    convertisseur|omvandla|pretvorba|convert/spell|konverter|konvertuj|pretvori|претвори|конверзија|конвертиране|
    перетворити|convertește|conversie2|konvertálás|conversió|conversión|conversão|konvertera|переводъединиц|unitconvert|
    превръщане
""",
)
_register(rules.product, "dunité", "fr")
_register(
    rules.fraction,
    """
    frac|fraction|sfrac|tfrac|fract|brok|bruch|törés|ratio frac|zlomek|ułamek|дробь|sfracn|brøk|bråk|razlomak|разломак|
    ulomek|fracció|fracción|breuk|fração|fracție|frazione|tört
""",
)
_register(rules.power_of_ten, "e|x10^|×10^|sn|10^|×10|x10|e10")
_register(rules.power, "pow|10^n|puissance|potenz|^")
_register(
    rules.formula,
    """
    chem|chem2|chem/link|fchim|formule chimique|formule chim|химическая формула|kémiai képlet|kemiformel|
    formulachimica
""",
)
_register(rules.clock_time, "hms|time|duration|durée|длительность|hms2|ra|dec|uur|temps|tid|duração")
_register(rules.joined(":"), "clock|ora|horas")
_register(rules.century("", "e siècle"), "s|siècle|s-|century|s mini|s mini-", "fr")
_register(rules.century("", "e siècle av. J.-C."), "-s|-s-", "fr")
_register(rules.century_span(""), "sp|sp-", "fr")
_register(rules.century_span(" av. J.-C."), "-sp|-sp-", "fr")
_register(rules.centuries(" siècles"), "s2|s2-|siècles|sp2|sp2-", "fr")
_register(rules.centuries(" siècles av. J.-C."), "-s2|-s2-", "fr")
_register(rules.constant("av. J.-C."), "av jc|av. j.-c.|avjc|avant jc", "fr")
_register(rules.constant("apr. J.-C."), "ap jc|apr. j.-c.|apjc", "fr")
_register(rules.unitless("e"), "e siècle|ème", "fr")
_register(lambda template, page: "<sup>e</sup>" + template.get(1), "e", "fr")
_register(
    lambda template, page: f"{template.name} {template.get(1)}".strip(),
    """
    1er|1re|1ère|2e|2nd|2nde|ier|ire
""",
    "fr",
)
_register(rules.joined(" "), "lknb", "pt")
_register(rules.century("século ", ""), "séc|século|sec", "pt")
_register(rules.century("segle ", ""), "segle", "ca")
_register(rules.spanish_century, "siglo", "es")
_register(rules.century("", " secolo"), "secolo", "it")
_register(rules.century("secolul ", ""), "secol|sec", "ro")
_register(rules.constant(HOLE), "lang-icon|ap|vt", "es")
_register(rules.constant(HOLE), "link|main|länk|huvudartikel|e", "sv")
_register(rules.constant(HOLE), "e|cytuj|odn", "pl")
_register(rules.constant(HOLE), "r", "ru")
_register(rules.date, "d-", "ru")
_register(rules.argument(1), "s", "ru")
_register(rules.constant(HOLE), "cita|cita libro|cita web|cita news|cita pubblicazione|e|f", "it")

_register(
    rules.date,
    """
    date|dts|dtsh|datum|data|fecha|dato|dátum|дата|датум|#formatdate|formatdate|start date|end date|
    start-date|end-date|film date|birth date|death date|birth-date|death-date|dob|dod|bd|date de naissance|
    date de décès|naissance décès|date-|date2|date inconnue|fecha de nacimiento|fecha de inicio|fecha de fin|
    data de nascimento|nascimento|dni|dtlink|data de início|data naixement|data mort|data nașterii|data decesului|
    datan|geburtsdatum|sterbedatum|geboortedatum|datum narození|datum úmrtí|datum rození|data urodzenia|data śmierci|
    születési dátum|halálozási dátum|fødselsdato|dødsdato|födelsedatum|dödsdatum|datum rođenja|datum smrti|
    datum rojstva|датум рођења|датум смрти|дата рождения|дата народження|дата на раждане|др|дн|дс|date mariage|dates|
    jour|year|month day|origin date|born-in|opening date|release date|premiere date|datasort|sortdate|sort date|
    vetted date|film-dato|data inizio|date italian|startdatum|utgivning|birth year|death year|生年月日|死亡年月日|
    日期|出生日期|逝世日期|datum2|start date text|dtsnode|initial release|year-month
""",
)
_register(
    rules.date_and_age,
    """
    birth date and age|birth-date and age|birth date and age2|bda|bya|birth year and age|start date and age|
    start date and years ago|dob and age|date de naissance-|naissance|date de naissance et âge|
    fecha de nacimiento y edad|edad nacimiento|fecha nacimiento|edad2|dnibr|nascimento e idade|
    data de nascimento e idade|geburtsdatum und alter|alter und geburtsdatum|geboortedatum en leeftijd|
    datum narození a věk|data urodzenia i wiek|születési dátum és kor|születési dátum, kor|fødselsdato og alder|
    födelsedatum och ålder|datum rođenja i dob|datum rojstva in starost|дата рождения и возраст|
    дата народження та вік|датум рођења и године|生年月日と年齢|出生年月日と年齢|出生日期及年龄|bd2|
    data naixement i edat|data nașterii și vârsta|дата на раждане и възраст|release date and age|start and age|
    launch date and age|設立年月日
""",
)
_register(
    rules.death_and_age,
    """
    death date and age|death-date and age|dda|death year and age|date de décès-|décès|date de décès et âge|
    fecha de fallecimiento|fallecimiento|falecimento|falecimento e idade|morte|morte e idade|data de morte e idade|
    sterbedatum und alter|overlijdensdatum en leeftijd|datum úmrtí a věk|data śmierci i wiek|halálozási dátum és kor|
    halálozási dátum, kor|dødsdato og alder|dödsdatum och ålder|datum smrti i dob|datum smrti in starost|дата смерти|
    дата смерти и возраст|дата смерті|дата смерті та вік|датум смрти и године|死亡年月日と没年齢|data mort i edat|
    data decesului și vârsta|дата на смърт и възраст|end date and age|没年月日と没年齢|逝世日期及年龄
""",
)
_register(
    rules.age,
    """
    age|age in years|age as of date|years old|ålder|alder|alter|edad|edat|età|idade|âge|age2|leeftijd|věk|wiek|
    életkor|kor|возраст|вік|године|starost|старост|dob i godine|vârsta|vârstă|varsta|възраст|年齢|没年齢|年齡|年龄|
    age nts|current age|ageyears|age in years, nts|kora|ålder2|years since|年数
""",
)
_register(rules.time_format, "#time|#timel")
_register(rules.as_of, "as of|asof")
_register(rules.today("%Y"), "currentyear|localyear|currentisoyear|aktuelles jahr|lokálnírok|currentyear2")
_register(rules.today("%m"), "currentmonth|localmonth|currentmonth1|currentmonth2")
_register(rules.today("%d"), "currentday|currentday2|localday")
_register(rules.dump_date, "today|currentdate|aktuelles datum")
_register(rules.dump_month, "currentmonthname|localmonthname|currentmonthnamegen")
_register(lambda template, page: page.title, "pagename|fullpagename|basepagename|subpagename|titleparts")
_register(rules.years("c."), "circa|c.|ca.")
_register(rules.years("r."), "reign|r.")
_register(rules.years("fl."), "floruit|fl.|fl")
_register(rules.years("b."), "born|b.")
_register(rules.years("d."), "died|d.")
_register(rules.sounds("/", "/"), "ipac-en|ipac-fr|ipac-de|ipac-es|ipac-it|ipac-ga|ipac-cmn|ipac-ko")
_register(rules.sounds("[", "]"), "msapi|api-")
_register(
    rules.transcription,
    """
    ipa|api|afi|ipa2|ipa-all|lautschrift|мфа|алф|mfa|ipae|uitspraak|ipac-all|výslovnost|ipabase|ipa link|ipa soundbox|
    izgovorjava|izgovor|ifa|ipav|uttal|udtale|pronuncia|pronunciación|prononciation|x-sampa|изговор|phonetik|nfa
""",
)
_register(rules.ship, "hms", "en")
_register(rules.ship_class, "sclass|sclass2|sclass-|sclass2-")
_register(rules.ship, "ship|hnlms|hmt|hmy|uscs|kms|uss|hmas|hmcs|rms|ss|mv|sms|ins|uscgc|usns|hmnzs")
_register(rules.web_address, "url|official url|webadresa|website url|su url")
_register(rules.marriage, "marriage|married|mariage|matrimonio")
_register(rules.condition, "#if|#iferror|#ifexist")
_register(rules.equality, "#ifeq")
_register(rules.switch, "#switch")
_register(rules.arithmetic, "#expr")
_register(rules.transformed(str.lower), "lc|lc2")
_register(rules.transformed(str.upper), "uc")
_register(rules.transformed(lambda text: text[:1].lower() + text[1:]), "lcfirst")
_register(rules.transformed(lambda text: text[:1].upper() + text[1:]), "ucfirst")
_register(rules.argument(1), "urlencode|plural|gender|grammar")

_register(rules.height, "height")
_register(rules.percentage, "percentage|percent|pct")
_register(rules.ordinal, "ordinal")
_register(rules.joined(""), "gaps")
_register(rules.joined(":"), "ratio")
_register(rules.root, "sqrt|radic|racine")
_register(rules.old_style, "oldstyledate|oldstyledatedy|oldstyledatenodate|старый стиль|старий стиль")
_register(rules.days, "age in days|age in days nts")
_register(rules.bible_verse, "bibleverse|bibleref|bibleref2|bibleverse-nb|bible|bibel|passo biblico|citar bíblia")
_register(rules.joined(":"), "cite quran|quran|quran-usc|cite quran2|koran")
_register(rules.road, "jct")
_register(rules.music, "music|música|musik")
_register(rules.wrapped("/", "/"), "ipaslink|ipa soundslink")
_register(rules.wrapped("[", "]"), "ipablink|ipa blink")
_register(rules.argument(1), "ipalink")
_register(rules.argument(3), "language with name|lang-name|língua com nome|idioma con nombre")
_register(
    lambda template, page: f"{template.get(1)} {template.get(2)}".strip(), "sortname|sort name|ordnamn|sortiername"
)
_register(lambda template, page: f"{template.get(1)}<sub>{template.get(2)}</sub>", "mpl|mpl-|mp|mp-")
_register(lambda template, page: f"U+{template.get(1)} {template.get(2)}".strip(), "unichar")
_register(rules.constant("π"), "pi|π")
_register(rules.constant("ʻ"), "okina|'okina|ʻokina")
_register(rules.constant("#"), "number sign|hash")
_register(rules.constant("§"), "section sign")
_register(rules.constant("CO₂"), "co2")
_register(rules.constant("H₂O"), "h2o")
_register(rules.followed("M☉"), "solar mass")
_register(rules.followed("L☉"), "solar luminosity")
_register(rules.followed("R☉"), "solar radius")
_register(rules.followed("million years ago"), "ma|mya", "en")
_register(rules.followed("hands"), "hand|hands", "en")
_register(
    rules.argument(1),
    """
    référence insuffisante|référence à confirmer|référence incomplète|référence obsolète|source insuffisante|quoi|qui|
    lequel|laquelle|combien|quand|où|pas clair|évasif|précision nécessaire|refsou|à sourcer|refins|préciser
""",
    "fr",
)
_register(rules.named, "mme|mlle|mm.|m.|dr|pr|mgr|me|mmes|mlles|vve|saint|sainte|st|ste", "fr")
_register(lambda template, page: f"n° {template.get(1)}".rstrip(), "n°|no|numéro|nº", "fr")
_register(rules.wrapped("« ", " »"), "guil|guillemets", "fr")
_register(rules.hour, "heure", "fr")
_register(rules.argument(1), "chiarire|senza fonte|cn|citazione necessaria2", "it")
_register(rules.measure_with_unit, "m|misura", "it")
_register(rules.argument(1), "afkorting|afk", "nl")
_register(rules.unsourced, "bron?|feit", "nl")
_register(rules.joined(", "), "hlijst", "nl")
_register(rules.unsourced, "källa behövs|citat behövs|förtydliga", "sv")
_register(rules.argument(1), "cita requerida|añadir referencias|demostrar|aclarar", "es")
_register(rules.argument(1), "carece de fontes2|citação necessária|quem", "pt")
_register(rules.quantity, "fmtn", "pt")
_register(rules.italian_biography, "bio", "it")
_register(rules.joined(" ou "), "pbpe|pepb", "pt")
_register(rules.followed("m s.l.m."), "m s.l.m.", "it")
_register(rules.followed("a.C."), "a.c.|ac", "pt")
_register(rules.followed("d.C."), "d.c.|dc", "pt")
_register(rules.followed("a. C."), "a.c.|ac|a. c.", "es")
_register(rules.followed("d. C."), "d.c.|dc|d. c.", "es")
_register(rules.argument(1), "abréviation discrète|rom-maj|rom-min|skrót")
_register(rules.date, "julgregfecha|julgregdatum|julgregdata")
_register(rules.age, "calcola età")
_register(rules.unitless(" m"), "höhe|höhe kurz", "de")
_register(rules.law("§"), "§|§§", "de")
_register(rules.law("Art."), "art.", "de")
_register(rules.bible_verse, "b", "de")
_register(rules.date, "dată", "ro")
_register(rules.argument(1), "要出典", "ja")
_register(rules.life, "bd|生卒", "zh")
_register(rules.constant(HOLE), "нет аи|нет в источнике|факт|чињеница|напомена|кто|когда|уточнить|значимость факта")

_FOREIGN_NAME = re.compile(r"(?:lang|јез|jez|jezik|језик|langue|lingua|язык|мова|idioma)[-‑‐][\w-]{2,20}")
_TRANSCRIPTION_NAME = re.compile(r"(?:ipa|api|afi|мфа)-[\w-]{2,12}")
_GERMAN_FOREIGN_NAME = re.compile(r"[A-Za-z][a-z]{1,2}S")  # {{enS|words}}: "englisch words"
_FRENCH_SOVEREIGN = re.compile(r"(?:[A-ZÉ][\w-]+ ){1,3}[IVX]{1,5}(?:er|re|e)?")
_FRENCH_ORDINAL = re.compile(r"(?:\d{1,4}|[IVXLCDM]{1,8})(?:er|re|ère|e|ème|nd|nde)(?: siècle(?: av\. J\.-C\.)?)?")
_FRENCH_DAY = re.compile(
    r"(?:1er|\d{1,2}) (?:janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|vendémiaire|brumaire|frimaire|nivôse|pluviôse|ventôse|germinal|floréal|prairial|messidor|thermidor|fructidor)"
    r"(?: \d{1,4}| an [IVX]{1,5})?",
    re.IGNORECASE,
)
_FRENCH_YEAR_BEFORE_CHRIST = re.compile(r"-(\d{1,5})")
_LIST_LINE = re.compile(r"(?:\A|\n)(?:\*|#[ \t])")
_IDENTIFIER = re.compile(r"[\w./:-]*[\d/_][\w./:-]*")
_NUMBER = re.compile(r"[\d.,\s+−-]+")
_UNIT = re.compile(r"[^\W\d]\S{0,11}|[°%‰€$£]\w?")
_ADDRESS = re.compile(r"https?:|www\.|[\w-]{1,60}\.(?:com|org|net|html?|pdf|ogg|jpe?g|png|svg)\b", re.IGNORECASE)


def value(template: Template, page: Page) -> str:
    """The text that a template leaves."""
    name = " ".join(template.name.replace("_", " ").split()).lower()
    rule = _RULES.get((page.language, name)) or _RULES.get((None, name))
    if rule is not None:
        return rule(template, page)
    if _FOREIGN_NAME.fullmatch(name):
        return rules.foreign_named(template, page)
    if _TRANSCRIPTION_NAME.fullmatch(name):
        return rules.transcription(template, page)
    if page.language == "de" and _GERMAN_FOREIGN_NAME.fullmatch(template.name):
        return rules.foreign_named(template, page)
    if page.language == "fr" and template.place != "block":
        if _FRENCH_DAY.fullmatch(name) or (_FRENCH_SOVEREIGN.fullmatch(template.name) and not NOT_TEXT.search(name)):
            return f"{template.name} {template.get(1)}".rstrip()
        if before := _FRENCH_YEAR_BEFORE_CHRIST.fullmatch(name):
            return f"{before[1]} av. J.-C."
    if _FRENCH_ORDINAL.fullmatch(template.name):
        return f"{template.name} {template.get(1)}".rstrip()
    return _unknown(name, template)


def _unknown(name: str, template: Template) -> str:
    """A template that no rule knows is kept where it reads as part of the text.

    One that is a line of its own is a box or a banner; one that touches the word before it is a note; one whose name
    speaks of references, flags or links is one. Among the others, a single argument is the words it dresses; a language
    code before it, or a number and a unit, are what they are everywhere; and a list item has no other words.
    """
    if len(name) > 200 or NOT_TEXT.search(name):
        return HOLE
    positional = template.values()
    lists = (_LIST_LINE.search(text) for text in positional if "\n" in text or template.place == "block")
    if any(lists) and not template.named.keys() & {"title", "name"}:
        return "\n" + "\n".join(positional) + "\n"
    if not positional or template.place in {"block", "attached"} or any(_ADDRESS.search(text) for text in positional):
        return HOLE
    first = positional[0]
    if template.place == "item" and _IDENTIFIER.fullmatch(first):
        return HOLE  # in somebody's database
    if len(positional) == 1 and len(template.named) <= (5 if template.place == "item" else 1):
        return first
    if len(positional) == 2 and LANGUAGE_CODE.fullmatch(first):
        return positional[1]
    if len(positional) == 2 and _NUMBER.fullmatch(first) and _UNIT.fullmatch(positional[1]):
        return f"{first} {positional[1]}"
    if template.place == "item" and len(positional) <= 4 and len(template.named) <= 4:
        return ", ".join(positional)
    return HOLE
