"""What a good lesson becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.model import Claim, Exposure, Mode, Observer, SecretName
from lab.scenario import LessonErrors, Minutes, Participant, load, parse
from lab.scenario.lesson import Audience, Certificate, Expect, Intercept, Plant, SendFile, SendText, Serve

TOURED = (
    SecretName.BODY,
    SecretName.ATTACHMENT,
    SecretName.SENDER,
    SecretName.RECIPIENT,
    SecretName.PASSWORD,
    SecretName.SERVICE,
    SecretName.SIZE,
    SecretName.TIME,
)
PATH = Path("short.feature.md")
TOUR = Path(__file__).parents[2] / "scenarios" / "tour.feature.md"


def test_a_lesson_says_what_it_is(lesson):
    read = parse(lesson, PATH)

    assert (read.name, read.title, read.language, read.path) == ("short", "A short lesson", "en", PATH)
    assert read.minutes == Minutes(demo=5, self_study=15)
    assert read.misconceptions == ("https-hides-from-the-service",)
    assert read.prose == "Alice writes to Bob."


def test_a_scenario_has_its_story_and_its_answer_key(lesson):
    (scenario,) = parse(lesson, PATH).scenarios

    assert (scenario.title, scenario.line) == ("The operator reads along", 10)
    assert scenario.mode is Mode.TLS
    assert scenario.secrets == (SecretName.BODY, SecretName.SIZE)
    assert scenario.prose == "The service uses HTTPS."
    assert scenario.claims == (
        Claim(SecretName.BODY, Observer.NETWORK, Exposure.HIDDEN, 21),
        Claim(SecretName.BODY, Observer.SERVER, Exposure.EXPOSED, 21),
        Claim(SecretName.BODY, Observer.DATABASE, Exposure.EXPOSED, 21),
        Claim(SecretName.SIZE, Observer.NETWORK, Exposure.INFERRED, 22),
        Claim(SecretName.SIZE, Observer.SERVER, Exposure.INFERRED, 22),
        Claim(SecretName.SIZE, Observer.DATABASE, Exposure.INFERRED, 22),
    )


def test_each_step_keeps_its_line_and_says_what_to_do(lesson):
    (scenario,) = parse(lesson, PATH).scenarios

    assert [(step.line, step.keyword, step.action) for step in scenario.steps] == [
        (14, "Given", Serve(Mode.TLS)),
        (15, "And", Plant((SecretName.BODY, SecretName.SIZE))),
        (16, "When", SendText(Participant.ALICE, (Participant.BOB,), "Meet me at 5pm")),
        (17, "Then", Expect(scenario.claims)),
    ]
    assert scenario.steps[2].text == 'alice sends bob "Meet me at 5pm"'


def test_an_explanation_answers_one_wrong_prediction(lesson):
    (scenario,) = parse(lesson, PATH).scenarios
    (explanation,) = scenario.explanations

    assert (explanation.secret, explanation.observer) == (SecretName.BODY, Observer.SERVER)
    assert explanation.exposure is Exposure.HIDDEN
    assert explanation.text == "TLS ends at the service."
    assert explanation.line == 24


def test_a_heading_ends_an_explanation(lesson):
    (scenario,) = parse(lesson + "\n### To think about\n\nWho runs it?\n", PATH).scenarios

    assert scenario.explanations[0].text == "TLS ends at the service."
    assert scenario.prose == "The service uses HTTPS.\n\n### To think about\n\nWho runs it?"


def test_a_file_goes_to_several_people(change):
    step = 'alice sends bob "Meet me at 5pm"'
    text = change(step, f'{step}\n* And bob sends alice, carol and dave the file "plan B.txt" containing "Platform 3"')

    (scenario,) = parse(text, PATH).scenarios

    recipients = (Participant.ALICE, Participant.CAROL, Participant.DAVE)
    assert scenario.steps[3].action == SendFile(Participant.BOB, recipients, "plan B.txt", "Platform 3")


@pytest.mark.parametrize("written", ["body and size", "body,size", "body, and size", "body  and  size"])
def test_lists_are_written_as_people_write_them(change, written):
    (scenario,) = parse(change("body, size", written), PATH).scenarios

    assert scenario.secrets == (SecretName.BODY, SecretName.SIZE)


def test_any_bullet_and_any_keyword_of_the_right_part_will_do(change):
    text = change('* When alice sends bob "Meet me at 5pm"', '- When alice sends bob "Hi"\n+ But bob sends alice "No"')

    (scenario,) = parse(text, PATH).scenarios

    assert [step.keyword for step in scenario.steps] == ["Given", "And", "When", "But", "Then"]


def test_line_ends_of_windows_change_nothing(lesson):
    assert parse(lesson.replace("\n", "\r\n"), PATH) == parse(lesson, PATH)


def test_data_about_the_lesson_can_be_left_out(lesson):
    head, _, rest = lesson.partition("```toml")
    read = parse(head + rest.partition("```\n")[2], PATH)

    assert read.minutes is None
    assert (read.course, read.audience, read.before, read.misconceptions, read.hints) == (None, (), (), (), ())


def test_data_about_the_lesson_is_read(change):
    data = """course = 3
audience = ["pupils", "engineers"]
before = ["tour", "stand-in"]
hints = ["Who has the key?", "TLS ends at the service."]
"""
    read = parse(change("misconceptions = [", f"{data}misconceptions = ["), PATH)

    assert read.course == 3
    assert read.audience == (Audience.PUPILS, Audience.ENGINEERS)
    assert read.before == ("tour", "stand-in")
    assert read.hints == ("Who has the key?", "TLS ends at the service.")


def test_self_study_can_be_left_out(change):
    assert parse(change(", self_study = 15", ""), PATH).minutes == Minutes(demo=5)


def test_a_code_block_can_stand_above_the_steps(change):
    block = "```\n* Given is only text here\n| so | is | this |\n## Scenario: and this\n```"
    (scenario,) = parse(change("The service uses HTTPS.", block), PATH).scenarios

    assert scenario.prose == block


def test_prose_can_use_most_of_markdown(change):
    prose = "---\n\n*Alice* and **Bob**, `alice`:\n\n1. first\n2. second\n\n> When it rains: read on.\n\n### Note: why?"
    (scenario,) = parse(change("The service uses HTTPS.", prose), PATH).scenarios

    assert scenario.prose == prose


def test_the_suffix_of_the_file_name_is_the_language(lesson):
    read = parse(lesson, Path("lessons/short.en.feature.md"))

    assert (read.name, read.language) == ("short", "en")


def test_the_tour_shows_the_same_story_in_each_mode():
    tour = load(TOUR)

    assert tour.title == "Who can read your messages?"
    assert [scenario.mode for scenario in tour.scenarios] == list(Mode)
    for scenario in tour.scenarios:
        assert scenario.secrets == TOURED
        assert scenario.explanations
        assert scenario.prose
    story = [[step.text for step in one.steps[1:] if not isinstance(step.action, Intercept)] for one in tour.scenarios]
    assert story == [story[0]] * len(Mode)
    assert [one.interceptor for one in tour.scenarios] == [None, Certificate.TRUSTED, Certificate.TRUSTED]


def test_the_tour_claims_that_end_to_end_encryption_hides_content_but_not_who_talks_to_whom():
    scenario = load(TOUR).scenarios[-1]
    claims = {(claim.secret, claim.observer): claim.exposure for claim in scenario.claims}

    assert claims[SecretName.BODY, Observer.SERVER] is Exposure.HIDDEN
    assert claims[SecretName.ATTACHMENT, Observer.DATABASE] is Exposure.HIDDEN
    assert claims[SecretName.RECIPIENT, Observer.DATABASE] is Exposure.EXPOSED
    assert claims[SecretName.SIZE, Observer.NETWORK] is Exposure.INFERRED


def test_a_missing_file_is_a_problem_of_that_file(tmp_path):
    path = tmp_path / "gone.feature.md"
    with pytest.raises(LessonErrors, match="cannot be read: No such file") as caught:
        load(path)
    assert caught.value.problems[0].path == path


def test_bytes_that_are_no_utf_8_are_named_by_line(tmp_path, lesson):
    path = tmp_path / "latin.feature.md"
    path.write_bytes(lesson.replace("Alice writes", "Zoë writes").encode("latin-1"))
    with pytest.raises(LessonErrors, match=":8: this line is not UTF-8"):
        load(path)
