"""What a lesson is refused for. Nothing that an author wrote is dropped without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.model import LabError
from lab.scenario import LessonErrors, parse


class TestMessages:
    def test_a_problem_names_file_and_line(self, change):
        with pytest.raises(LabError) as caught:
            parse(change("in tls mode", "in tsl mode"), Path("lessons/short.feature.md"))

        assert str(caught.value) == 'lessons/short.feature.md:14: unknown mode "tsl"; did you mean "tls"?'

    def test_all_problems_come_at_once_sorted_by_line(self, lesson):
        text = lesson.replace("tls", "tsl").replace("alice", "alise").replace("demo", "demmo")
        with pytest.raises(LessonErrors) as caught:
            parse(text, Path("short.feature.md"))

        assert [problem.line for problem in caught.value.problems] == [4, 4, 14, 16]
        assert str(caught.value).count("\n") == 3

    def test_one_slip_is_reported_once(self, change, refused):
        assert refused(change("* Then the", "* Thn the")) == [
            '17: this bullet starts with none of the keywords Given, When, Then, And, But; did you mean "Then"? '
            "(A list in prose would look like a misspelt step: number it, 1. 2. 3., or write sentences.)",
            "19: the step above takes no table; only the claims do",
        ]


class TestFileName:
    @pytest.mark.parametrize("name", ["short.md", "short.feature", ".feature.md", "a.b.de.feature.md"])
    def test_other_names_are_refused(self, lesson, refused, name):
        assert refused(lesson, name) == [
            "1: the file of a lesson is called NAME.feature.md, or NAME.de.feature.md for its German version"
        ]

    def test_a_language_without_phrases_is_refused(self, lesson, refused):
        assert refused(lesson, "short.fr.feature.md") == ["1: no step phrases for language 'fr' yet; known: de, en"]


class TestFirstLine:
    @pytest.mark.parametrize(
        ("start", "message"),
        [
            ("", "line 1 must be the heading"),
            ("\ufeff# Feature: A short lesson", "byte order mark"),
            ("\n# Feature: A short lesson", "the first line is blank"),
            ("---\nminutes: 5\n---\n# Feature: A short lesson", "no front matter"),
            ("# Featur: A short lesson", "line 1 must be the heading of the lesson: # Feature: and its title"),
            ("# feature: A short lesson", "line 1 must be"),
            ("## Feature: A short lesson", "line 1 must be"),
            ("#  Feature: A short lesson", "line 1 must be"),
            ("A short lesson", "line 1 must be"),
            ("# Feature:", "the lesson has no title"),
        ],
    )
    def test_it_is_the_heading_of_the_lesson(self, change, refused, start, message):
        text = change("# Feature: A short lesson", start)
        (problem,) = refused(text if start else text.removeprefix("\n"))

        assert problem.startswith("1: ")
        assert message in problem

    def test_an_empty_lesson_is_refused(self, refused):
        assert refused("") == [
            "1: the first line is blank; line 1 must be the heading of the lesson: # Feature: and its title"
        ]

    def test_there_is_one(self, lesson, refused):
        assert refused(lesson + "\n# Feature: Another\n") == ['28: a lesson has one "Feature" heading, in line 1']


class TestData:
    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("minutes =", "minuts =", '4: unknown key "minuts"; did you mean "minutes"?'),
            ("self_study", "selfstudy", '4: unknown key "selfstudy"; did you mean "self_study"?'),
            ("demo = 5, ", "", "4: the minutes of the demo are missing"),
            ("demo = 5", "demo = 0", "4: demo is a whole number of minutes, 1 or more"),
            ("demo = 5", "demo = true", "4: demo is a whole number of minutes, 1 or more"),
            ("self_study = 15", "self_study = 1.5", "4: self_study is a whole number of minutes, 1 or more"),
            ("{ demo = 5, self_study = 15 }", "5", "4: minutes has the form"),
            ('["https-hides-from-the-service"]', '"https"', "5: misconceptions is a list of texts: ["),
            (
                "https-hides-from-the-service",
                "https-hides-from-service",
                '5: unknown word "https-hides-from-service" in misconceptions; '
                'did you mean "https-hides-from-the-service"?',
            ),
            ('["https-hides', '["https-hides-from-the-service", "https-hides', "5: each text in misconceptions stands"),
            ("misconceptions = [", "misconceptions = ", "5: this is no valid TOML"),
            ('"]\n', '"\n', "5: this is no valid TOML: Unclosed array"),
        ],
    )
    def test_it_is_checked(self, change, refused, old, new, problem):
        (found,) = refused(change(old, new))

        assert found.startswith(problem)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("course = 0", "course is the place of this lesson in the course: a whole number, 1 or more"),
            ("course = true", "course is the place"),
            ('course = "first"', "course is the place"),
            ('audience = ["pupil"]', 'unknown word "pupil" in audience; did you mean "pupils"?'),
            ('audience = "pupils"', 'audience is a list of texts: ["pupils"]'),
            ("audience = [1]", "audience is a list of texts"),
            ('before = ["tour.feature.md"]', '"tour.feature.md" is no name of a lesson: write tour for'),
            ('before = ["tour", "tour"]', "each text in before stands there once"),
            ('hints = ["Who has the key?", " "]', "one of the hints is empty"),
            ('hints = "Who has the key?"', "hints is a list of texts"),
            ('hint = ["Who has the key?"]', 'unknown key "hint"; did you mean "hints"?'),
        ],
    )
    def test_each_key_is_checked(self, change, refused, line, problem):
        (found,) = refused(change("misconceptions = [", f"{line}\nmisconceptions = ["))

        assert found.startswith(f"5: {problem}")

    @pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000])
    def test_absurd_values_are_refused_too(self, change, refused, value):
        (found,) = refused(change("{ demo = 5, self_study = 15 }", value))

        assert "no valid TOML" in found

    def test_it_stands_right_below_the_title(self, change, refused):
        assert refused(change("\n```toml", "\nFirst some prose.\n\n```toml")) == [
            "5: the data about the lesson is one toml block right below line 1; this one is elsewhere"
        ]

    def test_there_is_one_block(self, change, refused):
        (problem,) = refused(change("Alice writes to Bob.", "```toml\nminutes = { demo = 1 }\n```"))

        assert problem.startswith("8: the data about the lesson is one toml block")


class TestHeadings:
    @pytest.mark.parametrize(
        "heading",
        [
            "## Scenari: Two",
            "## scenario: Two",
            "## Scenario Two",
            "##Scenario: Two",
            "##  Scenario: Two",
            "## Szenario: Two",
        ],
    )
    def test_a_misspelt_scenario_is_not_prose(self, lesson, refused, heading):
        assert refused(f"{lesson}\n{heading}\n") == [
            "28: this heading is almost that of a scenario; did you mean: ## Scenario: Two ?"
        ]

    @pytest.mark.parametrize("keyword", ["Background", "Examples", "Rule", "Scenario Outline", "Scenario Template"])
    def test_some_of_gherkin_is_not_supported(self, change, refused, keyword):
        problem = f'12: "{keyword}" is not supported in lessons; write each scenario out in full'

        assert problem in refused(change("The service uses HTTPS.", f"## {keyword}: Two"))

    def test_nor_is_it_when_misspelt(self, change, refused):
        (problem,) = refused(change("The service uses HTTPS.", "## Backgrund: Two"))

        assert problem.startswith('12: this heading is almost "Background", which is not supported in lessons')

    def test_a_scenario_has_two_number_signs(self, change, refused):
        assert refused(change("## Scenario", "### Scenario")) == [
            "10: the heading of a scenario has two number signs: ## Scenario: The operator reads along"
        ]

    def test_a_scenario_has_a_title(self, change, refused):
        assert refused(change("## Scenario: The operator reads along", "## Scenario:")) == [
            "10: this scenario has no title"
        ]

    def test_scenarios_have_different_titles(self, lesson, refused):
        again = lesson[lesson.index("## Scenario") :]

        assert refused(f"{lesson}\n{again}") == ["28: the scenario in line 10 has the same title"]

    def test_a_lesson_has_a_scenario(self, refused):
        assert refused("# Feature: Empty\n\nNothing.\n") == [
            "1: the lesson has no scenario; a scenario starts with a heading: ## Scenario: and its title"
        ]


class TestTagsAndFences:
    @pytest.mark.parametrize("place", ["Alice writes to Bob.", "The service uses HTTPS.", "TLS ends at the service."])
    def test_a_tag_in_prose_would_be_gherkin(self, change, refused, place):
        (problem,) = refused(change(place, "Ask `@alice` about it."))

        assert "`@alice` is a tag in Gherkin, and lessons have no tags; write it without backticks" in problem

    def test_so_would_a_tag_in_a_step(self, change, refused):
        assert refused(change('"Meet me at 5pm"', '"`@bob`"')) == [
            "16: `@bob` is a tag in Gherkin, and lessons have no tags; write it without backticks"
        ]

    @pytest.mark.parametrize("fence", ["```", "~~~", "````"])
    def test_a_fence_between_steps_would_belong_to_the_step_above(self, change, refused, fence):
        assert refused(change("* When", f"\n{fence}\nlook\n{fence}\n\n* When")) == [
            "17: a fenced block below a step becomes a part of that step in Gherkin; move it above the first step"
        ]

    def test_a_fence_that_is_never_closed_would_hide_the_rest(self, change, refused):
        assert refused(change("The service uses HTTPS.", "```")) == [
            "12: this fenced block is never closed; close it with a line of the same signs"
        ]

    def test_a_comment_would_hide_a_step_from_the_reader_only(self, change, refused):
        assert refused(change("* When", "\n<!-- for later:\n\n* When")) == [
            "17: a comment hides text from the reader but not from the lab; delete it"
        ]


class TestBullets:
    @pytest.mark.parametrize(
        ("bullet", "keyword"),
        [
            ("* Thn x", "Then"),
            ("* given x", "Given"),
            ("* **Given** x", "Given"),
            ("- WHEN x", "When"),
            ("* Adn x", "And"),
        ],
    )
    def test_a_misspelt_keyword_is_not_prose(self, change, refused, bullet, keyword):
        (problem,) = refused(change("TLS ends at the service.", bullet))

        assert problem.startswith("26: this bullet starts with none of the keywords Given, When, Then, And, But")
        assert f'did you mean "{keyword}"?' in problem

    def test_a_list_in_prose_is_refused_with_a_way_out(self, change, refused):
        (problem,) = refused(change("Alice writes to Bob.", "- milk"))

        assert problem.startswith("8: this bullet starts with none of the keywords")
        assert "number it, 1. 2. 3." in problem

    def test_a_step_above_the_first_scenario_is_refused(self, change, refused):
        assert refused(change("Alice writes to Bob.", "* Given a message service in tls mode")) == [
            "8: this step stands above the first scenario; start one with: ## Scenario: and its title"
        ]

    @pytest.mark.parametrize("bullet", ["* Given", "* Given\tx"])
    def test_a_keyword_alone_is_no_step(self, change, refused, bullet):
        assert refused(change("TLS ends at the service.", bullet)) == [
            '26: behind its keyword "Given", a step has a space and then its words'
        ]

    @pytest.mark.parametrize("start", ["When ", "**When** ", "1. When ", "> * When ", "*When* ", "• when "])
    def test_a_step_without_its_bullet_is_not_prose(self, change, refused, start):
        assert refused(change("TLS ends at the service.", f'{start}bob sends alice "Hi"')) == [
            "26: this looks like a step, but a step starts with a bullet and a plain keyword: * Given …"
        ]

    def test_a_step_does_not_go_on_in_the_next_line(self, change, refused):
        problem = refused(change("in tls mode", "in tls mode\n  or another"))[0]

        assert problem.startswith("15: this line goes on with the step or table above it and would be lost")


class TestTables:
    @pytest.mark.parametrize("indent", ["", " ", "      ", "\t", "\t\t", " \t"])
    def test_a_wrongly_indented_table_is_not_prose(self, lesson, refused, indent):
        problems = refused(lesson.replace("  |", f"{indent}|").replace(f"{indent}| {indent}|", "|   |"))

        assert (
            "19: a table stands below its step and is indented with two to five spaces, no tab; this row is not"
            in problems
        )

    def test_a_row_with_a_cell_of_dashes_is_not_dropped(self, change, refused):
        assert refused(change("| size | inferred | inferred | inferred |", "| size | - | inferred | inferred |")) == [
            "22: only the second row of a table has cells of dashes; elsewhere they hide the whole row from the parser"
        ]

    def test_a_second_table_is_not_merged_into_the_first(self, change, refused):
        head = "  |      | network  | server   | database |\n  | ---- | -------- | -------- | -------- |\n"
        assert refused(change("  | size", f"\n{head}  | size")) == [
            "23: a step has one table, without a blank line or text in it; this is a second one"
        ]

    def test_a_table_without_dashes_shows_nowhere_as_a_table(self, change, refused):
        assert refused(change("  | ---- | -------- | -------- | -------- |\n", "")) == [
            "19: below the first row of a table stands a row of dashes with 4 cells: | --- | --- |"
        ]

    def test_rows_have_the_same_number_of_cells(self, change, refused):
        assert refused(change("| size | inferred |", "| size |")) == [
            "22: this row has more or fewer cells than the first row of its table"
        ]

    def test_a_row_ends_with_a_bar(self, change, refused):
        assert refused(change("| exposed  |\n", "| exposed  | so\n")) == [
            '21: a row of a table ends with "|"; what stands behind the last one would be lost'
        ]

    def test_a_table_stands_below_the_claims_only(self, change, refused):
        assert refused(change("The service uses HTTPS.", "  | a |")) == [
            "12: this table belongs to no step; a table cannot stand in prose"
        ]
        assert refused(change("* When", "\n  | a |\n  | - |\n\n* When"))[-1] == (
            "17: the step above takes no table; only the claims do"
        )


class TestSteps:
    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            (
                "alice sends bob",
                "alice send bob",
                '16: unknown step "alice send bob "Meet me at 5pm""; did you mean: {participant} sends {participants}',
            ),
            ("the secrets body", "the secret body", "15: unknown step"),
            (
                "the observers can read",
                "everybody goes home",
                '17: unknown step "everybody goes home"; scenarios/README.md lists the steps',
            ),
            ('"Meet me at 5pm"', "“Meet me at 5pm”", "16: unknown step"),
            ("in tls mode", "in padlock mode", '14: unknown mode "padlock"; known: plaintext, tls, e2ee'),
            ("body, size", "bdy, size", '15: unknown secret "bdy"; did you mean "body"?'),
            ("body, size", "body, size,", '15: unknown secret ""; known: body'),
            ("body, size", "body, size, body", "15: each secret stands in a list once"),
            ("alice sends", "Alice sends", '16: unknown participant "Alice"; did you mean "alice"?'),
            ("sends bob", "sends bob and mallory", '16: unknown participant "mallory"; known: alice, bob'),
            ("sends bob", "sends bob and alice", "16: alice stands in this step twice"),
            ("sends bob", "sends bob and bob", "16: each participant stands in a list once"),
            ('"Meet me at 5pm"', '" "', "16: there is no text between the quotation marks"),
        ],
    )
    def test_the_vocabulary_is_closed(self, change, refused, old, new, problem):
        assert refused(change(old, new))[0].startswith(problem)

    def test_typographic_quotation_marks_are_named(self, change, refused):
        (problem,) = refused(change('"Meet me at 5pm"', "“Meet me at 5pm”"))[:1]

        assert problem.endswith('did you mean: alice sends bob "Meet me at 5pm" (with straight quotation marks)?')

    @pytest.mark.parametrize("name", ["../plan.txt", "a/b", "C:\\plan.txt", "..", ""])
    def test_a_file_name_is_a_plain_name(self, change, refused, name):
        step = f'alice sends bob "Hi"\n* And alice sends bob the file "{name}" containing "x"'
        assert refused(change('alice sends bob "Meet me at 5pm"', step)) == [
            "17: a file name has letters, digits, spaces, dots and hyphens, and no folder: plan.txt"
        ]


class TestStory:
    SEND = '* When alice sends bob "Meet me at 5pm"\n'

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("* Given a message service in tls mode\n* And", "* Given", "10: this scenario has no message service"),
            ("* And the secrets body, size\n", "", "10: this scenario has no list of secrets"),
            (SEND, "", "10: nobody sends anything in this scenario"),
            (
                "in tls mode\n",
                "in tls mode\n* And a message service in e2ee mode\n",
                "15: this scenario has a message service already",
            ),
            (
                "in tls mode\n",
                "in tls mode\n* And a message service in e2ee mode with rsa\n",
                "15: this scenario has a message service already",
            ),
            (
                "body, size\n",
                "body, size\n* And the secrets time\n",
                "16: this scenario has a list of secrets already, in line 15",
            ),
            (
                "in tls mode\n",
                'in tls mode\n* When bob sends alice "Hi"\n',
                "16: this step prepares the stage and would come too late",
            ),
            ("* When", "* And", "16: this step tells the story: it stands below When"),
            ("* Given", "* And", "14: this step prepares the stage: it stands below Given"),
            ("* Then", "* When", "17: this step makes the claims: it stands below Then"),
        ],
    )
    def test_it_has_a_stage_a_story_and_claims_in_this_order(self, change, refused, old, new, problem):
        assert any(found.startswith(problem) for found in refused(change(old, new)))

    def test_nothing_is_sent_after_the_claims(self, change, refused):
        assert refused(change("### If", '* And bob sends alice "Too late"\n\n### If')) == [
            "24: this step tells the story and would come too late, after a step that makes the claims"
        ]

    def test_a_scenario_without_claims_is_refused(self, lesson, refused):
        assert refused(lesson[: lesson.index("* Then")]) == ["10: this scenario has no table of claims"]

    def test_a_scenario_without_steps_is_refused(self, lesson, refused):
        assert refused(lesson + "\n## Scenario: Empty\n") == [
            "28: this scenario has no message service",
            "28: this scenario has no list of secrets",
            "28: this scenario has no table of claims",
            "28: nobody sends anything in this scenario",
        ]

    def test_an_attachment_needs_a_file(self, lesson, refused):
        text = lesson.replace("body, size", "attachment, size").replace("| body |", "| attachment |")
        assert refused(text.replace("body at", "attachment at")) == [
            '15: nobody sends a file in this scenario, so it has no secret "attachment"'
        ]

    def test_a_body_needs_a_text(self, change, refused):
        assert refused(change('bob "Meet me at 5pm"', 'bob the file "plan.txt" containing "5pm"')) == [
            '15: nobody sends a text in this scenario, so it has no secret "body"'
        ]


class TestClaims:
    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            (
                "| network  | server   | ",
                "| device   | server   | ",
                '19: no step of this scenario brings in the observer "device"',
            ),
            (
                "| network  | server   | ",
                "| netwrk   | server   | ",
                '19: unknown observer "netwrk"; did you mean "network"?',
            ),
            ("| network  | server   | ", "| server   | server   | ", '19: the observer "server" has two columns'),
            ("| network  | server   | ", "| server   | server   | ", '19: the observer "network" has no column'),
            ("|      | network", "| x    | network", "19: the first cell of the table stays empty"),
            ("| size | inf", "| sice | inf", '22: unknown secret "sice"; did you mean "size"?'),
            ("| size | inf", "| body | inf", '22: the secret "body" has two rows'),
            ("| size | inf", "| time | inf", '22: the secret "time" is not among those that the scenario names above'),
            ("| size | inf", "| time | inf", '17: the secret "size" has no row'),
            ("| body | hidden ", "| body | hiden ", '21: unknown exposure "hiden"; did you mean "hidden"?'),
            ("| body | hidden ", "| body | ", '21: unknown exposure ""; known: exposed, inferred, hidden'),
            ("| body | hidden ", "| body | secure ", '21: unknown exposure "secure"; known: exposed, inferred, hidden'),
            ("| body | hidden ", "| body | inconclusive ", "21: inconclusive cannot be claimed"),
            ("| body | hidden ", "| body | inferred ", '21: the secret "body" is a value that is sent'),
            ("| size | inferred ", "| size | exposed ", '22: the secret "size" is never sent as such'),
        ],
    )
    def test_the_table_is_complete_and_possible(self, change, refused, old, new, problem):
        assert any(found.startswith(problem) for found in refused(change(old, new)))

    def test_the_table_is_not_left_out(self, lesson, refused):
        assert refused(lesson[: lesson.index("  |  ")]) == [
            "17: the claims are missing: put a table below this step, indented with two spaces"
        ]

    def test_an_observer_cannot_be_left_out(self, lesson, refused):
        head, bar, tail = lesson.partition("  |      |")
        table, below, rest = (bar + tail).partition("\n\n")
        narrow = "\n".join(row.rpartition("|")[0].rpartition("|")[0] + "|" for row in table.split("\n"))

        assert refused(head + narrow + below + rest) == [
            '19: the observer "database" has no column; a table has one for each observer'
        ]


class TestExplanations:
    HEADING = "### If you predicted body at server hidden"

    @pytest.mark.parametrize(
        ("heading", "problem"),
        [
            (
                "### If you predict body at server hidden",
                "24: the heading of an explanation has the form: ### If you predicted {secret} at",
            ),
            ("### If you predicted body on server hidden", "24: the heading of an explanation has the form"),
            ("## If you predicted body at server hidden", "24: the heading of an explanation has the form"),
            ("###If you predicted body at server hidden", "24: this heading needs a space behind its number signs"),
            ("### If you predicted bdy at server hidden", '24: unknown secret "bdy"; did you mean "body"?'),
            ("### If you predicted body at servr hidden", '24: unknown observer "servr"; did you mean "server"?'),
            ("### If you predicted body at server hiden", '24: unknown exposure "hiden"; did you mean "hidden"?'),
            ("### If you predicted time at server hidden", "24: the scenario claims nothing about time at server"),
            ("### If you predicted body at device hidden", "24: the scenario claims nothing about body at device"),
            ("### If you predicted body at server exposed", "24: the scenario claims that body at server is exposed"),
            ("### If you predicted body at server inferred", "24: nobody can predict that: body is exposed or hidden"),
        ],
    )
    def test_it_answers_a_prediction_that_can_be_made_and_is_wrong(self, change, refused, heading, problem):
        (found,) = refused(change(self.HEADING, heading))

        assert found.startswith(problem)

    def test_it_is_not_empty(self, change, refused):
        assert refused(change("TLS ends at the service.", "")) == [
            "24: this explanation is empty; write it below its heading"
        ]

    def test_there_is_one_for_each_prediction(self, lesson, refused):
        assert refused(f"{lesson}\n{self.HEADING}\n\nAgain.\n") == ["28: line 24 explains the same prediction already"]

    def test_it_belongs_to_a_scenario(self, change, refused):
        assert refused(change("Alice writes to Bob.", self.HEADING)) == [
            "8: an explanation belongs to a scenario; this one stands above the first"
        ]
