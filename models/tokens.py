"""Words of a caption as the scores count them: Penn Treebank style, lower case, no punctuation.

Published caption scores are counted on the words of Stanford's PTBTokenizer as pycocoevalcap runs
it, in Java. This is a pattern that gives captions the same words, so that scores compare with
published ones where there is no Java. It is for scoring only: which words a captioner itself knows
is its vocabulary's business.
"""

import re
import unicodedata
from typing import Final

TOKENIZER: Final = "ptb-python-1"
"""The name to write beside a score. It changes whenever a caption would be split differently."""

_LETTER: Final = r"[^\W\d_]"
_WORD: Final = r"[^\W_]"  # a letter or a digit
_END: Final = rf"(?!{_WORD})"
_CAPITAL: Final = r"(?-i:[A-Z])"
_SENTENCE_END: Final = r"(?:\s+(?-i:An?|The|This|He|She|It|They|There|In)\b|\s*\Z)"
_ABBREVIATION: Final = (
    "(?:mr|mrs|ms|dr|jr|sr|prof|gen|col|capt|lt|sgt|rev|hon|gov|sen|rep|pres|st|ave|blvd|rd|mt|ft"
    "|sq|inc|co|corp|ltd|bros|dept|univ|mon|tues?|wed|thurs|fri|jan|feb|mar|apr|jun|jul|aug|sept?"
    "|oct|nov|dec|vs|etc|al|cf|ex|est)"
)

# The first alternative that fits at a place wins; what none fits (spaces, punctuation that is not
# counted) is stepped over.
_TOKEN: Final = re.compile(
    rf"""
    can(?=not{_END}) | (?:gon|wan)(?=na{_END}) | got(?=ta{_END}) | (?:gim|lem)(?=me{_END})
  | {_LETTER}+(?!\S)                                    # most words by far: no need to look on
  | </?[a-z][^<>\s]*>                                   # <unk>, should it ever reach a caption
  | (?:https?://|www\.)[^\s"()]+                        # addresses
  | \w[\w.+-]*@\w+(?:\.\w+)+
  | [@#]{_LETTER}\w*
  | {_CAPITAL}+(?:&{_CAPITAL}+)+{_END}                  # R&B, but black & white
  | {_LETTER}(?:\.{_LETTER})+{_END}\.?                  # U.S.  p.m.  a.k.a
  | {_LETTER}\.(?!\w|{_SENTENCE_END})                   # a Miami U. player
  | {_ABBREVIATION}\.(?!\w) | no\.(?=\s*\d)             # Mr.  St.  no. 5
  | {_LETTER}+(?:\.{_LETTER}+)+(?:-{_WORD}+)*           # example.com
  | {_LETTER}+?(?=n't{_END}) | n't                      # do n't
  | 't(?=(?:is|was){_END}) | y'(?=all{_END})            # 't is, y' all
  | 'n' | '(?:s|m|d|ll|re|ve|em|til|cause|n){_END}      # rock 'n' roll, man 's
  | (?<!\w)'\d\ds?{_END}                                # the '80s
  | (?:[cdlo]|ma|cap|li|ne|jack-o)'{_LETTER}+(?:-{_WORD}+)* | ol'{_END}     # o'clock, ma'am
  | \d+(?:[.,:]\d+)+ | \.\d+                            # 1,000  3.5  10:30
  | {_WORD}+(?:[-/]{_WORD}+)*                           # T-shirt, black/white, 4x4, 1/2
  | [!?]{{2,}} | [][(){{}}]                             # !! counts; so do brackets, renamed below
  | [^\w\s.,:;!?'"`-]                                   # & # $ % = + and their like
""",
    re.IGNORECASE | re.VERBOSE,
)
_TYPEWRITTEN: Final = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}  # curly quotes
    | {"\u2013": " - ", "\u2014": " - ", "\u2026": " . "}  # dashes, ellipsis
)
# PTBTokenizer writes brackets in letters; pycocoevalcap means to drop them, but looks for capitals.
_BRACKETS: Final = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
}


def tokenize(text: str) -> list[str]:
    """Return the words of a caption, in lower case and without punctuation.

    "A man's dogs don't sit." gives a, man, 's, dogs, do, n't, sit.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_TYPEWRITTEN)
    return [_BRACKETS.get(token, token.lower()) for token in _TOKEN.findall(text)]
