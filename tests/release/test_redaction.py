"""What is taken out of a line, and what stays."""

import msgspec

from shared.release import audit, chain, facts, redaction
from shared.release.redaction import WORD

AT = "2026-03-03T09:00:00.000+00:00"
NAME = "release/a"


def test_the_texts_of_people_are_taken_out_and_nothing_else() -> None:
    held = {
        "code": "sha256:ab",
        "author": "Ana",
        "email": "",
        "approvers": ["ana@example.org", "bo@example.org"],
        "reason": {"by": "ana", "times": 2},
        "number": 3,
    }
    assert redaction.without_texts(held) == {
        "code": "sha256:ab",
        "author": WORD,
        "email": "",
        "approvers": [WORD, WORD],
        "reason": {"by": WORD, "times": 2},
        "number": 3,
    }
    assert redaction.without_texts({"notice": {"by": "ana"}, "became": "refused"}) == {
        "notice": {},
        "became": "refused",
    }
    assert redaction.without_texts(["no fields"]) == ["no fields"]


def test_every_mention_of_a_person_is_taken_out_in_whatever_case_and_place() -> None:
    held = {"subject": "by Ana@Example.org, for ana@example.org", "to": ["ana@example.org.evil"], "n": None}
    assert redaction.without_person(held, "ana@example.org") == {
        "subject": f"by {WORD}, for {WORD}",
        "to": ["ana@example.org.evil"],
        "n": None,
    }
    # A dot in an address is a dot.
    assert redaction.without_person("anaXexample.org", "ana.example.org") == "anaXexample.org"


def test_whoever_is_called_nearly_so_stays_and_so_does_what_is_no_text() -> None:
    others = "joana@example.org, x.ana@example.org, ana@example.org.uk, ana@example.organic"
    held = {"by": others, "became": "push", "commit": "push", "reason": "push, pushed", "kind": "push"}
    assert redaction.without_person(held, "ana@example.org") == held
    assert redaction.without_person(held, "push") == held | {"reason": f"{WORD}, pushed"}
    notice = {"notice": {"kind": "Pushed", "source": "push", "by": "push", "addresses": ["push"]}}
    assert redaction.without_person(notice, "push") == {"notice": notice["notice"] | {"by": WORD}}
    assert redaction.mentions("by <Ana@Example.org>.", "ana@example.org")
    assert not redaction.mentions(others, "ana@example.org")


def test_addresses_are_taken_out_of_what_was_told_and_what_it_was_about_stays() -> None:
    told = {"what": "decided 1 ana@example.org", "target": "to <bo@example.org>, cy@example.org", "said": ""}
    assert redaction.without_addresses(told) == {
        "what": f"decided 1 {WORD}",
        "target": f"to <{WORD}>, {WORD}",
        "said": "",
    }


def test_a_line_may_be_redacted_again_and_still_leads_to_where_the_first_one_led() -> None:
    content = chain.encode([facts.Held("ana", "slow"), facts.Lifted("bo", "fast")], AT, chain.first_head(NAME))
    first, second = audit.lines_of(content)
    head = chain.next_head(chain.first_head(NAME), first)
    for reason in ("[redacted]", "[gone]"):
        read = audit.read_line(first)
        assert read is not None
        first = redaction.taken_out(first, read, head, msgspec.json.encode({"by": "ana", "reason": reason}))
    stream = chain.decode(NAME, first + second)
    assert stream.facts == (facts.Held("ana", "[gone]"), facts.Lifted("bo", "fast"))
    assert stream.head == chain.decode(NAME, content).head
