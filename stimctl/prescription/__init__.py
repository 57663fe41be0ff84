"""Prescriptions: a profile completed by a clinician for one subject, checked against every limit.

`plan` says what one is made of, `checks` why one cannot be, `core` is the prescription itself, `read` makes
one from a file or from answers in the units that people write, `values` writes one down again.
"""

from stimctl.prescription.core import PaperPrescription, Prescription
from stimctl.prescription.plan import (
    ChannelPlan,
    Clinician,
    Coating,
    Flag,
    Needle,
    ProfileRef,
    Subject,
    Terminal,
)
from stimctl.prescription.read import (
    fields_of,
    from_file,
    from_mapping,
    paper_from_file,
    paper_from_mapping,
    subject_of,
    values_in,
)
from stimctl.prescription.values import toml_text, values_of

__all__ = [
    "ChannelPlan",
    "Clinician",
    "Coating",
    "Flag",
    "Needle",
    "PaperPrescription",
    "Prescription",
    "ProfileRef",
    "Subject",
    "Terminal",
    "fields_of",
    "from_file",
    "from_mapping",
    "paper_from_file",
    "paper_from_mapping",
    "subject_of",
    "toml_text",
    "values_in",
    "values_of",
]
