"""Code in colours: comments, texts and the words of SQL; whatever it is, it is only text."""

import re

from markupsafe import Markup, escape

from lake.browser import words

_WORDS = (
    "SELECT FROM WHERE GROUP ORDER BY ALL LIMIT JOIN LEFT RIGHT FULL INNER OUTER CROSS ON USING AS"
    " AND OR NOT IN IS NULL WITH RECURSIVE UNION EXCEPT INTERSECT DISTINCT HAVING QUALIFY CASE WHEN"
    " THEN ELSE END CAST BETWEEN LIKE EXISTS OVER PARTITION WINDOW FILTER VALUES INTERVAL ATTACH"
    " READ_ONLY ASC DESC import print"
)
_TOKEN = re.compile(
    r"(?P<cm>--[^\n]*)"
    r"|(?P<s>'(?:[^'\n]|'')*'|\"[^\"\n]*\")"
    rf"|(?P<k>\b(?:{'|'.join(_WORDS.split())})\b)"
)


def coloured(text: str) -> Markup:
    """Return code as markup; its characters are all there, and none steers."""
    found, done = [], 0
    plain = words.lines(text)
    for token in _TOKEN.finditer(plain):
        before, inner = escape(plain[done : token.start()]), escape(token[0])
        found.append(f'{before}<span class="{token.lastgroup}">{inner}</span>')
        done = token.end()
    return Markup("".join([*found, escape(plain[done:])]))
