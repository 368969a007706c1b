"""The languages that Whisper supports, by code, in the order of its language tokens."""

import difflib
from typing import Final

_NAMES: Final = """
en English, zh Chinese, de German, es Spanish, ru Russian, ko Korean, fr French, ja Japanese, pt Portuguese,
tr Turkish, pl Polish, ca Catalan, nl Dutch, ar Arabic, sv Swedish, it Italian, id Indonesian, hi Hindi,
fi Finnish, vi Vietnamese, he Hebrew, uk Ukrainian, el Greek, ms Malay, cs Czech, ro Romanian, da Danish,
hu Hungarian, ta Tamil, no Norwegian, th Thai, ur Urdu, hr Croatian, bg Bulgarian, lt Lithuanian, la Latin,
mi Maori, ml Malayalam, cy Welsh, sk Slovak, te Telugu, fa Persian, lv Latvian, bn Bengali, sr Serbian,
az Azerbaijani, sl Slovenian, kn Kannada, et Estonian, mk Macedonian, br Breton, eu Basque, is Icelandic,
hy Armenian, ne Nepali, mn Mongolian, bs Bosnian, kk Kazakh, sq Albanian, sw Swahili, gl Galician, mr Marathi,
pa Punjabi, si Sinhala, km Khmer, sn Shona, yo Yoruba, so Somali, af Afrikaans, oc Occitan, ka Georgian,
be Belarusian, tg Tajik, sd Sindhi, gu Gujarati, am Amharic, yi Yiddish, lo Lao, uz Uzbek, fo Faroese,
ht Haitian, ps Pashto, tk Turkmen, nn Nynorsk, mt Maltese, sa Sanskrit, lb Luxembourgish, my Myanmar,
bo Tibetan, tl Tagalog, mg Malagasy, as Assamese, tt Tatar, haw Hawaiian, ln Lingala, ha Hausa, ba Bashkir,
jw Javanese, su Sundanese, yue Cantonese
"""
LANGUAGE_NAMES: Final[dict[str, str]] = dict(zip(*[iter(_NAMES.replace(",", " ").split())] * 2, strict=True))
"""Code to English name."""

LANGUAGES: Final[tuple[str, ...]] = tuple(LANGUAGE_NAMES)
_COUNTRIES: Final = {
    "cn": "zh", "cz": "cs", "dk": "da", "ee": "et", "gr": "el", "in": "hi", "jp": "ja", "kr": "ko", "se": "sv",
    "ua": "uk", "vn": "vi",
}  # fmt: skip
"""Country codes that users give for languages, where no language has that code."""


def nearest_language(written: str) -> str | None:
    """Guess the code for ``korean``, ``ko-KR`` or ``kr``; None when there is no likely one."""
    word = written.strip().lower()
    primary = word.replace("_", "-").split("-")[0]
    if primary in LANGUAGE_NAMES:
        return primary
    by_name = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}
    close = difflib.get_close_matches(word, by_name, n=1, cutoff=0.8)
    return by_name[close[0]] if close else _COUNTRIES.get(primary)
