"""Words of MediaWiki that wikis translate: namespaces, prefixes of links, and names of templates that are not text."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILE_NAMESPACES = _words("""
    file image media fitxer imatge soubor obrázek médium médiá fil billede bild datei medium medien archivo imagen
    medio fichier média datoteka slika mediji medij fájl kép immagine afbeelding bestand plik grafika ficheiro arquivo
    imagem multimédia multimídia fișier fişier imagine файл изображение медия изображения медіа зображення медиа
    датотека слика медији минијатура mediafile tiedosto kuva dosya resim ファイル 画像 メディア 文件 檔案 图像 圖像
    档案 媒体文件 媒體檔案 파일 그림 tập_tin hình ملف صورة پرونده تصویر קובץ תמונה चित्र ไฟล์ berkas gambar fitxategi
    irudi súbor attēls vaizdas pilt αρχείο εικόνα պատկեր სურათი şəkil mynd картинка
""")
CATEGORY_NAMESPACES = _words("""
    category categoria kategorie kategori categoría catégorie kategorija kategória kategoria kategoría categorie
    категория категорія категорија kategorio luokka κατηγορία カテゴリ 分类 分類 분류 thể_loại تصنيف رده קטגוריה
    श्रेणी หมวดหมู่ hạng_mục kategorier kategoriye կատեգորիա კატეგორია kateqoriya flokkur katigoriya
""")
INTERWIKI_PREFIXES = _words("""
    w wikipedia wikt wiktionary wikc b wikibooks n wikinews q wikiquote s wikisource v wikiversity voy wikivoyage d
    wikidata c commons m meta metawikipedia mw species wikispecies foundation phab bugzilla arxiv doi rfc
""")
# Languages of Wikipedias whose codes are not two or three letters; [[de:Berlin]] was once a link to another language.
_LONG_LANGUAGE_CODES = (
    "simple|zh-[a-z-]{3,12}|be-tarask|be-x-old|bat-smg|fiu-vro|map-bms|nds-nl|roa-rup|roa-tara|cbk-zam"
)
INTERLANGUAGE = re.compile(rf"[a-z]{{2,3}}|{_LONG_LANGUAGE_CODES}")
LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{2,8}){0,2}")

# Languages written in two scripts, where -{ }- chooses one; the first of these variants that a rule offers is taken.
VARIANTS = {
    "zh": ("zh-hans", "zh-cn", "zh-sg", "zh", "zh-hant", "zh-tw", "zh-hk"),
    "sr": ("sr-ec", "sr-cyrl", "sr", "sr-el", "sr-latn"),
    "sh": ("sh-latn", "sh-cyrl"),
    "gan": ("gan-hans", "gan-hant"),
    "kk": ("kk-cyrl", "kk-kz"),
    "ku": ("ku-latn",),
    "uz": ("uz-latn", "uz-cyrl"),
    "tg": ("tg-cyrl",),
}

# A template with one of these in its name is a reference, a note, a flag, a link, a sound or a box.
NOT_TEXT = re.compile(
    r"""cit[eaoiyè]|cyt|ref(?!rig)|footnote|\bnot[ea]\b|sfn|harv|source|quelle|fact\b|needed|dubious|clarify
    |\bwhere|\bwho\b|\bwhen\b|\bwhich\b
    |icon|ikon|icône|flag|drape|bandera|bandiera|zastava|vlag|vlajka|zászló|флаг|флаж|прапор|застава|\bзас\b|знаме|drapel|旗
    |audio|sound|listen|video|\bisbn\b|issn|\bdoi\b|oclc|pmid|jstor|bibcode|arxiv|asin|\blccn|archiv|\bweb|web\b|url|site|link|lien
    |wikt|commons|wikidata|wikisource|coord|box|infobo|navb|stub|portal|categ|clear|anchor|anker|ancre|merge|style|map\b|kart[ep]|kaart|legend|gallery
    |metadat|population|populat|statisti|appendix
    |ouvrage|zdroj|citac|forrás|hivatkoz|källa|kilde|\bbron\b|źród|przypis|fonte|источник|сноск|примечан|книга|джерел|посиланн
    |извор|наведи|\bvir\b|navedi|出典|来源|來源|脚注|註|citat|литература|imdb|youtube|twitter|gutenberg|librivox|isfdb|dmoz
    |jegyzet|megj\b|nedostaje|\bizvor|dodaj|fakt/dne
    |worldcat|allmusic|discogs|viaf|\bgnd\b|dnb|geonames|osm|google|normdat|authority|autorit|persondata|chart|graph|bar\b
    """,
    re.VERBOSE,
)
