"""Asking a person: kinds of answers, the form that holds them, the questions of a prescription and of a screening."""
