"""Profiles: what they hold, what is left open, and what a wrong file is told."""

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.anatomy import POINTS
from stimctl.errors import InputInvalid, Misuse
from stimctl.profile import (
    Profile,
    explain,
    load,
    load_file,
    load_profiles,
    new_template,
    packaged_folder,
    ramps,
    segments,
    user_folder,
)
from stimctl.profile.lines import lines_of, path_text
from stimctl.profile.model import Origin, Sourced, values
from stimctl.profile.toml_text import MAX_BYTES, parse
from stimctl.waveform import Segment

CLINICAL = ("low-back-pain", "migraine", "fibromyalgia", "knee-osteoarthritis")
BENCH = ("bench-2hz", "bench-100hz", "bench-2-100hz")
SHIPPED = {path.stem: path for path in packaged_folder().glob("*.toml")}
LOW = Segment(500_000, 600, 0, 600, 0)
HIGH = Segment(10_000, 200, 0, 200, 0)
DENSE_DISPERSE = (Segment(500_000, 600, 0, 600, 3_000_000), Segment(10_000, 200, 0, 200, 3_000_000))


@pytest.fixture(autouse=True)
def _no_folder_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "none of the user's"
    folder.mkdir()
    monkeypatch.setenv("STIMCTL_PROFILES", str(folder))


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return {path.stem: load_file(path) for path in SHIPPED.values()}


def words(profile: Profile) -> str:
    return "\n".join(str(section) for section in explain(profile))


def span(profile: Profile, path: str) -> tuple[float, float] | None:
    part: Any = profile
    for name in path.split("."):
        part = getattr(part, name)
    return None if part.value is None else (part.value.low, part.value.high)


# --- what is shipped ------------------------------------------------------------------------------------


def test_the_shipped_profiles_load_under_their_file_names() -> None:
    assert set(load_profiles()) == {*CLINICAL, *BENCH} == set(SHIPPED)


def test_the_source_tables_figures_are_there(profiles: dict[str, Profile]) -> None:
    back, migraine = profiles["low-back-pain"], profiles["migraine"]
    fibro, knee = profiles["fibromyalgia"], profiles["knee-osteoarthritis"]
    figures = {
        "schedule.sessions_per_week": ((2, 2), (1, 2), (2, 2), None),
        "schedule.course_weeks": ((4, 6), (8, 8), (8, 12), None),
        "schedule.course_sessions": ((10, 12), (12, 16), (16, 24), None),
        "schedule.spacing_days": ((2, 3), (2, 3), (2, 3), (2, 3)),
        "response.expected_by_session": ((4, 6), None, None, None),
        "response.reassess_by_session": ((8, 10), None, None, None),
        "response.lasts_months": (None, (3, 6), None, None),
    }
    for path, expected in figures.items():
        assert tuple(span(profile, path) for profile in (back, migraine, fibro, knee)) == expected, path
    assert migraine.stimulation is None
    assert span(back, "stimulation.amplitude_ma") == (0.5, 2.0)
    assert span(back, "stimulation.minutes") == span(knee, "stimulation.minutes") == (20, 30)
    assert span(knee, "stimulation.amplitude_ma") is None
    assert back.stimulation is not None
    assert back.stimulation.pairs.value == (("BL-23", "BL-25"),)
    assert knee.stimulation is not None
    assert knee.stimulation.pairs.value == (("ST-35", "Xiyan"),)
    assert [str(variant.mode.value) for variant in knee.variants] == ["2 Hz", "2/100 Hz"]
    assert back.schedule is not None
    assert [step.value for step in back.schedule.follow_up] == ["weekly for 4 weeks", "monthly, if needed"]


def test_all_points_of_each_protocol_are_there(profiles: dict[str, Profile]) -> None:
    primary = {
        name: {point.code for point in profiles[name].points if point.role != "emotional dimension of pain"}
        for name in CLINICAL
    }
    assert primary == {
        "low-back-pain": {"BL-23", "BL-25", "BL-40", "GV-3", "GV-4", "BL-60", "Ashi"},
        "migraine": {"LI-4", "LR-3", "GB-20", "GV-20", "Taiyang", "Yintang", "GB-8"},
        "fibromyalgia": {
            *("LI-4", "LR-3", "ST-36", "SP-6", "GV-20", "HT-7"),
            *("KI-3", "BL-18", "BL-20", "BL-23", "Ashi"),
        },
        "knee-osteoarthritis": {"ST-35", "Xiyan", "ST-36", "SP-9", "GB-34", "BL-40", "SP-10"},
    }
    assert {pattern.name: pattern.add for pattern in profiles["migraine"].patterns} == {
        "Liver Yang Rising": ("LR-2", "GB-34", "GB-43"),
        "Blood Deficiency": ("ST-36", "SP-6", "BL-17"),
        "Phlegm-Dampness": ("ST-40", "SP-9", "CV-12"),
        "Kidney Deficiency": ("KI-3", "KI-7", "GV-20"),
    }
    used = {point.code for name in CLINICAL for point in profiles[name].points}
    used |= {code for pattern in profiles["migraine"].patterns for code in pattern.add}
    assert used == set(POINTS) - {"BL-31", "BL-32", "BL-33", "BL-34", "BL-67"}


@pytest.mark.parametrize("name", [*CLINICAL, *BENCH])
def test_each_value_says_where_it_comes_from(profiles: dict[str, Profile], name: str) -> None:
    for path, part in values(profiles[name]):
        origin = part.origin  # type: ignore[attr-defined]
        assert isinstance(origin, Origin)
        assert origin is not Origin.CLINICIAN
        if origin is Origin.SOURCE:
            assert part.quote, path  # type: ignore[attr-defined]
        if isinstance(part, Sourced):
            assert (part.value is None) == (origin is Origin.UNSPECIFIED)


def test_gaps_are_a_state(profiles: dict[str, Profile]) -> None:
    assert profiles["fibromyalgia"].gaps == ("pairs", "amplitude_ma", "minutes")
    assert profiles["fibromyalgia"].locked
    assert profiles["knee-osteoarthritis"].gaps == ("amplitude_ma",)
    assert not profiles["knee-osteoarthritis"].locked
    assert profiles["low-back-pain"].gaps == ()
    assert all(profiles[name].gaps == () for name in BENCH)


def test_the_sources_slips_are_noted_and_not_repeated_as_facts(profiles: dict[str, Profile]) -> None:
    assert "is 8-12 sessions" in words(profiles["low-back-pain"])
    assert "cannot reach 12" in words(profiles["migraine"])
    assert "39 trials" in words(profiles["knee-osteoarthritis"])
    assert "low quality, with 13 participants" in words(profiles["fibromyalgia"])


def test_the_patterns_become_segments(profiles: dict[str, Profile]) -> None:
    def of(name: str, variant: str | None = None) -> tuple[Segment, ...]:
        return segments(profiles[name], profiles[name].variant(variant))

    assert of("bench-2hz") == of("knee-osteoarthritis", "2-hz") == (LOW,)
    assert of("bench-100hz") == (HIGH,)
    for name in ("bench-2-100hz", "low-back-pain", "fibromyalgia"):
        assert of(name) == DENSE_DISPERSE
    assert of("knee-osteoarthritis", "2-100-hz") == DENSE_DISPERSE


def test_a_variant_is_named_where_there_are_two(profiles: dict[str, Profile]) -> None:
    with pytest.raises(Misuse, match="one of 2-hz, 2-100-hz"):
        profiles["knee-osteoarthritis"].variant(None)
    with pytest.raises(Misuse, match="nothing to stimulate"):
        profiles["migraine"].variant(None)


def test_no_clinical_profile_is_100_hz_alone(profiles: dict[str, Profile]) -> None:
    modes = {str(variant.mode.value) for name in CLINICAL for variant in profiles[name].variants}
    assert modes == {"2 Hz", "2/100 Hz"}


def test_an_explanation_says_what_is_open_and_who_said_the_rest(profiles: dict[str, Profile]) -> None:
    told = words(profiles["fibromyalgia"])
    assert "locked until a clinician names: electrode pairs, amplitude, time" in told
    assert 'The source: "applied to ST-36 and LI-4 bilaterally"' in told
    assert "[choice]" in told
    assert "[source]" in told
    assert profiles["fibromyalgia"].sha256 in told
    titles = [section.title for section in explain(profiles["migraine"])]
    assert titles[0] == "Profile"
    assert "Patterns that add points" in titles


def test_no_explanation_knows_a_value_without_a_name(profiles: dict[str, Profile]) -> None:
    for profile in profiles.values():
        assert all(section.lines for section in explain(profile))


# --- finding them ---------------------------------------------------------------------------------------


def changed(name: str, old: str, new: str) -> str:
    text = SHIPPED[name].read_text()
    assert old in text
    return text.replace(old, new, 1)


def test_a_folder_of_the_users_own_is_searched_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(changed("bench-2hz", 'id = "bench-2hz"', 'id = "mine"'))
    monkeypatch.setenv("STIMCTL_PROFILES", str(tmp_path))
    assert user_folder() == tmp_path
    assert load("mine").path == str(tmp_path / "mine.toml")
    assert "mine" in load_profiles(tmp_path)


def test_the_users_folder_is_in_their_configuration_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STIMCTL_PROFILES")
    assert user_folder().parts[-2:] == ("stimctl", "profiles")


def test_one_id_in_two_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(SHIPPED["migraine"].read_text())
    with pytest.raises(InputInvalid) as caught:
        load("migraine", tmp_path)
    assert str(own) in str(caught.value)
    assert str(SHIPPED["migraine"]) in str(caught.value)


def test_several_broken_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("= 1")
    (tmp_path / "b.toml").write_text("format = 1")
    profiles = load_profiles(tmp_path)
    assert [Path(fault.source).name for fault in profiles.faults] == ["a.toml", "b.toml"]
    with pytest.raises(Misuse, match=r"no profile has the id 'a'.*not usable: .*a\.toml, .*b\.toml"):
        load("a", tmp_path)


def test_a_wrong_or_doubled_file_refuses_its_own_id_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SHIPPED["migraine"].read_text())
    (tmp_path / "wrong.toml").write_text('id = "low-back-pain"\nversion = 1')
    profiles = load_profiles(tmp_path)
    assert set(profiles) == set(SHIPPED) - {"migraine", "low-back-pain"}
    assert len(profiles.faults) == 2
    assert load("fibromyalgia", tmp_path).locked
    with pytest.raises(InputInvalid) as caught:
        load("low-back-pain", tmp_path)
    for said in (str(tmp_path / "wrong.toml"), str(SHIPPED["low-back-pain"]), "version is 1: must be text"):
        assert said in str(caught.value)


def test_a_folder_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="is not a folder"):
        load_profiles(tmp_path / "nowhere")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(Misuse, match="low-back-pain, migraine"):
        load("backpain")


def test_the_hash_is_over_the_files_bytes(tmp_path: Path) -> None:
    text = SHIPPED["bench-2hz"].read_text()
    for name, content in (("a.toml", text), ("b.toml", text + "\n")):
        (tmp_path / name).write_text(content)
    assert load_file(tmp_path / "a.toml").sha256 == load_file(SHIPPED["bench-2hz"]).sha256
    assert load_file(tmp_path / "b.toml").sha256 != load_file(SHIPPED["bench-2hz"]).sha256


def test_a_profile_does_not_change(profiles: dict[str, Profile]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        profiles["migraine"].id = "other"


# --- what a wrong file is told --------------------------------------------------------------------------


def errors_of(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "wrong.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputInvalid) as caught:
        load_file(path)
    assert caught.value.source == str(path)
    return str(caught.value)


def line_with(text: str, words: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(text.splitlines(), 1) if words in line][nth]


BACK = SHIPPED["low-back-pain"].read_text()
BENCH_TEXT = SHIPPED["bench-2-100hz"].read_text()
BENCH_HEAD = BENCH_TEXT[: BENCH_TEXT.index("[stimulation")]
MODE = BENCH_TEXT[BENCH_TEXT.index("[[variants]]") : BENCH_TEXT.index("[[notes]]")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('version = "1.0.0"', 'version = "one"', "version is 'one': must be written otherwise (three numbers"),
        ('kind = "clinical"', 'kind = "other"', "kind is 'other': must be 'clinical' or 'bench'"),
        ('code = "BL-40"', 'code = "BL-41"', "points[2].code is 'BL-41': point 'BL-41' is not known here"),
        ('code = "BL-40"', 'code = "BL40"', "points[2].code is 'BL40': must be written BL-40"),
        (
            'role = "primary"',
            'roll = "primary"',
            "points[0].roll is 'primary': is not a field here; did you mean role?",
        ),
        ("low = 4, high = 6", "low = 6, high = 4", "schedule.course_weeks.value: low = 6 must not be above high = 4"),
        ("low = 4, high = 6", 'low = "4", high = 6', "schedule.course_weeks.value.low is '4': must be a number"),
        ("low = 4, high = 6", "low = true, high = 6", "schedule.course_weeks.value.low is True: must be a number"),
        ("low = 4, high = 6", "low = nan, high = 6", "schedule.course_weeks.value.low is nan: must be a finite"),
        ("low = 0.5, high = 2.0", "low = 0.5, high = 2.5", "high is 2.5: must be 0.5 to 2.0 mA (the source"),
        ("low = 0.5, high = 2.0", "low = 0.5, high = 2e300", "high is 2e+300: 2e+300 is too large"),
        ("low = 0.5, high = 2.0", "low = 0.50001, high = 2.0", "low is 0.50001: 0.50001 is not a whole number of uA"),
        ("low = 20, high = 30", "low = 20, high = 31", "high is 31: must be 1 s to 30 min"),
        ("value = 0.6", "value = 0.7", "stimulation.width_2hz_ms.value is 0.7: must be 0.1 to 0.6 ms"),
        ("value = 0.2\n", "value = -0.2\n", "is -0.2: must be 0.1 to 0.6 ms"),
        ("value = 1\n", "value = 0\n", "second_phase_ratio_2hz.value is 0: "),
        ('[["BL-23", "BL-25"]]', '[["BL-23", "BL-40"]]', "is refused on every side: limb to trunk"),
        ('[["BL-23", "BL-25"]]', '[["GV-3", "GV-4"]]', "along the spinal cord"),
        ('[["BL-23", "BL-25"]]', '[["BL-23"]]', "stimulation.pairs.value[0][1]"),
        ('value = "2/100 Hz"', 'value = "50 Hz"', "must be '2 Hz', '100 Hz' or '2/100 Hz'"),
    ],
)
def test_a_wrong_value_is_named_with_line_field_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = changed("low-back-pain", old, new)
    told = errors_of(tmp_path, text)
    assert said in told
    first_changed = next(
        n for n, (a, b) in enumerate(zip(BACK.splitlines(), text.splitlines(), strict=True), 1) if a != b
    )
    lines = [int(found) for found in re.findall(r"line (\d+)", told)]
    assert lines
    assert all(abs(line - first_changed) <= 2 for line in lines)


def test_every_problem_is_told_at_once_in_order_of_line(tmp_path: Path) -> None:
    text = BACK.replace('kind = "clinical"', 'kind = "other"').replace('code = "BL-40"', 'code = "BL-41"')
    text = text.replace("value = 0.6", 'value = "wide"')
    told = errors_of(tmp_path, text)
    lines = [int(found) for found in re.findall(r"line (\d+)", told)]
    assert lines == [line_with(text, '"other"'), line_with(text, "BL-41"), line_with(text, '"wide"')]


def test_limits_are_checked_although_other_fields_are_wrong(tmp_path: Path) -> None:
    text = BACK.replace('version = "1.0.0"', "version = 1").replace('kind = "clinical"', 'kind = "magic"')
    text = text.replace("value = 0.6", 'value = "wide"').replace("low = 0.5, high = 2.0", "low = 0.5, high = 5.0")
    told = errors_of(tmp_path, text)
    assert len(re.findall(r"line \d+: ", told)) == 4
    assert "stimulation.amplitude_ma.value.high is 5.0: must be 0.5 to 2.0 mA" in told


def test_what_was_not_filled_in_is_said_once(tmp_path: Path) -> None:
    told = errors_of(tmp_path, changed("low-back-pain", 'id = "low-back-pain"', 'id = "?"'))
    assert "id is '?': must be filled in (small letters, digits and hyphens)" in told


def test_a_missing_value_is_told_at_its_table(tmp_path: Path) -> None:
    text = BACK.replace('use = "on the midline at L4"\n', "")
    assert f"line {line_with(text, '[[points]]', 3)}: points[3].use: is missing (what the source" in errors_of(
        tmp_path, text
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('from = "source"\nquote = "0.5-2.0 mA (to patient tolerance)"', 'from = "source"', "needs a quote"),
        ('from = "source"\nquote = "0.5-2.0', 'from = "unspecified"\nquote = "0.5-2.0', "and no value"),
        ("value = 0.6\nfrom", "from", "needs a value"),
        ("[source]\n", "[sauce]\n", "did you mean source?"),
    ],
)
def test_a_value_has_to_be_accounted_for(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in errors_of(tmp_path, changed("low-back-pain", old, new))


NO_SOURCE = 'from = "project default"\nnote = "so"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BENCH_HEAD}", "file: needs a [stimulation] table or no_stimulation"),
        (f"{BENCH_HEAD}[no_stimulation]\nvalue = 'no'\n{NO_SOURCE}\n{MODE}", "file: needs [[variants]] where"),
        (f"{BENCH_TEXT}{MODE}", "file: each variant needs an id of its own"),
        (
            f"{BENCH_HEAD}[no_stimulation]\nvalue = 'no'\nfrom = 'source'\nquote = 'no'",
            'file: has values from = "source" and no [source] table',
        ),
        (
            f"{BENCH_HEAD}[no_stimulation]\nvalue = 'no'\nfrom = 'clinician'",
            'no_stimulation: from = "clinician" needs a note: why, or who',
        ),
    ],
)
def test_a_file_has_to_hang_together(tmp_path: Path, text: str, said: str) -> None:
    assert said in errors_of(tmp_path, text)


@pytest.mark.parametrize("field", ["width_2hz_ms", "second_phase_ratio_100hz", "first_band", "ramp_down_s"])
def test_a_waveform_that_is_left_open_is_a_gap_and_no_error(tmp_path: Path, field: str) -> None:
    path = tmp_path / "open.toml"
    opened = re.sub(rf"(\[stimulation\.{field}\]\n)value.*\nfrom.*", r'\1from = "unspecified"', BENCH_TEXT)
    path.write_text(opened)
    profile = load_file(path)
    with pytest.raises(Misuse, match="unspecified"):
        _ = ramps(profile) if field == "ramp_down_s" else segments(profile, profile.variant(None))


def test_what_has_no_stimulation_has_no_pattern(profiles: dict[str, Profile]) -> None:
    with pytest.raises(Misuse, match="unspecified"):
        segments(profiles["migraine"], profiles["bench-2hz"].variant(None))
    with pytest.raises(Misuse, match="nothing to stimulate"):
        ramps(profiles["migraine"])


def test_a_dwell_too_short_for_its_pulses_is_told(tmp_path: Path) -> None:
    text = BACK.replace("value = 3\n", "value = 0.5\n", 1)
    assert load_ok(tmp_path, text)
    assert "dwell_us" in errors_of(tmp_path, BACK.replace("value = 3\n", "value = 0.509\n", 1))


def load_ok(tmp_path: Path, text: str) -> bool:
    (tmp_path / "ok.toml").write_text(text)
    return load_file(tmp_path / "ok.toml") is not None


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b'format = 1\nid = "a\n', 2, "is not TOML"),
        (b"format = 1\nformat = 2\n", 2, "Cannot overwrite"),
        (b"format = 1\nid =", 2, "is not TOML"),
        (b"a = [\n1,\n", 3, "is not TOML"),
        (b"format = 1\n\xff = 2\n", 2, "must be UTF-8"),
        (
            b"a = 0.5 mA\n",
            1,
            "one name = value a line; a number has a decimal point and no unit",
        ),
        (b"[a]\n[b]\n[a]\n", 3, "'[a]' is not TOML: a table stands once"),
        (b"format = 1\nid =", 2, "'id =' is not TOML: after = comes a number"),
        (b"= 1", 1, "'= 1' is not TOML: a line is name = value, [table], or begins with #"),
        (b"a = " + b"9" * 5000, None, "digits"),
        (b"a = " + b"[" * 60_000, None, "nested too deeply"),
        (b"#" * (MAX_BYTES + 1), None, "at most"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, content: bytes, line: int | None, said: str) -> None:
    told = errors_of(tmp_path, content)
    assert said in told
    if line is not None:
        assert f"line {line}: " in told


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="No such file"):
        load_file(tmp_path / "nowhere.toml")


# --- the template ---------------------------------------------------------------------------------------

FILLED = {
    "id": '"wrist"', "title": '"Wrist"', "kind": '"clinical"', "section": '"Chapter 1"', "sha256": f'"{"0" * 64}"',
    "code": '"HT-7"', "role": '"primary"', "use": '"wrist"', "quote": '"said so"', "note": '"nobody says"',
}  # fmt: skip


def filled(template: str) -> str:
    table, lines = "", []
    for line in template.splitlines():
        table = line.split("#")[0].strip(" []") if line.startswith("[") else table
        key = line.split(" ")[0]
        value = FILLED.get(key, "")
        if table == "stimulation.pairs" and key == "value":
            lines.append('value = [["HT-7", "PC-6"]]')
        elif "{ low" in line:
            lines.append("value = { low = 1, high = 2 }")
        elif table == "variants.mode" and key == "value":
            lines.append('value = "2 Hz"')
        else:
            lines.append(line.replace('"?"', '"2-hz"' if table == "variants" and key == "id" else value))
    return "\n".join(lines)


def test_a_template_that_is_filled_in_is_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "wrist.toml"
    path.write_text(filled(new_template()))
    profile = load_file(path)
    assert profile.id == "wrist"
    assert profile.gaps == ()
    assert segments(profile, profile.variant(None)) == (LOW,)


def test_a_template_that_is_not_filled_in_says_what_is_wanted_at_each_line(tmp_path: Path) -> None:
    template = new_template()
    told = errors_of(tmp_path, template)
    wanting = {number for number, line in enumerate(template.splitlines(), 1) if '"?"' in line.split("#")[0]}
    assert {int(found) for found in re.findall(r"line (\d+)", told)} == wanting


# --- which line says what -------------------------------------------------------------------------------

EXAMPLE = '''\
# a comment = 1
title = "x = 1"  # [not.a.table]
a.b = 1
"a"."q.r" = """
[no]
x = 1 """

[table]
list = [ 1, # one
  "two",
  { in = 3, deep = [4,
    5] },
]
'lit' = 'a # b'
multi = \'\'\'
]]\'\'\'
[[rows]]
x = 1
[rows.sub]
y = 2
[[rows]]
x = {z = "}"}
[[rows.inner]]
[[rows.inner]]
k = 1979-05-27T07:32:00Z
'''


def test_the_line_of_everything_in_an_example() -> None:
    lines = {path_text(path): line for path, line in lines_of(EXAMPLE).items()}
    tomllib.loads(EXAMPLE)
    assert lines == {
        "title": 2,
        "a": 3,
        "a.b": 3,
        "a.q.r": 4,
        "table": 8,
        "table.list": 9,
        "table.list[0]": 9,
        "table.list[1]": 10,
        "table.list[2]": 11,
        "table.list[2].in": 11,
        "table.list[2].deep": 11,
        "table.list[2].deep[0]": 11,
        "table.list[2].deep[1]": 12,
        "table.lit": 14,
        "table.multi": 15,
        "rows": 17,
        "rows[0]": 17,
        "rows[0].x": 18,
        "rows[0].sub": 19,
        "rows[0].sub.y": 20,
        "rows[1]": 21,
        "rows[1].x": 22,
        "rows[1].x.z": 22,
        "rows[1].inner": 23,
        "rows[1].inner[0]": 23,
        "rows[1].inner[1]": 24,
        "rows[1].inner[1].k": 25,
    }


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Every path of a parsed text."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return {(*path, key) for key, _ in inner}.union(*(paths_in(item, (*path, key)) for key, item in inner))


@pytest.mark.parametrize("path", sorted(packaged_folder().rglob("*.toml")), ids=lambda path: path.stem)
def test_every_value_of_a_shipped_file_has_a_line(path: Path) -> None:
    text = path.read_text()
    lines = lines_of(text)
    assert set(lines) == paths_in(tomllib.loads(text))
    for found, line in lines.items():
        if isinstance(found[-1], str):
            assert found[-1] in text.splitlines()[line - 1]


PIECES = st.sampled_from([
    "[a]", "[[b]]", "[b.c]", "[[b.d]]", "k = 1", 'm = "x]"', "n = [1, [2,\n3]]", 'o = {p = 1, q = ["}"]}',
    "# c", "", "'r s' = '''\n'''", 'x.y = """"q""""', "[e.f]", "z = -inf # [g]", "d = 07:32:00",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_whatever_toml_accepts_is_located_whole(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    try:
        expected = paths_in(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return
    assert set(lines_of(text)) == expected


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("[]{}=\"'#.,\n ab1\\", max_size=60).map(str.encode)))
def test_any_bytes_are_toml_or_an_error(content: bytes) -> None:
    with suppress(InputInvalid):
        assert isinstance(parse(content, "any").values, dict)
