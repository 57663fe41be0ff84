"""A course: the sessions of one subject that follow one plan, from visit to visit.

`plan` takes the plan from a profile, value by value with who says so; `courses` reads the courses that the ledger holds
and writes to them; `visits` gathers what each session came to; `due` says when the next one is due and what to attend
to; `response` what the scores say; `calendar` puts it into a calendar, `trend` into curves and
`drawing` those into pictures.
"""
