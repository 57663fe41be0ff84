"""Reports for a clinic's files: one session, or the sessions of one subject, as HTML or PDF.

What a report says is put together once, in blocks (`session_report`, `course_report`), and set twice: `as_html` and
`as_typst` know blocks only. Every word of its own is in the tables under `words`, one a language.
"""

LANGUAGES = ("en", "zh")
PAPERS = ("a4", "letter")
