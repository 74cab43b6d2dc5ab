"""``adapter explain`` from outside: why a parent did or did not get the Welcome email, and the step that fixes it."""

import pytest

from tests.acceptance.adapter_cli import GRACE, Adapter, all_have


@pytest.mark.parametrize(
    ("who", "reason", "says", "remedy"),
    [
        (GRACE, "welcome-queued", "Grace Okafor", ""),
        ("RelatedPerson/okafor-ada-mother", "welcome-queued", "Grace Okafor", ""),
        ("leila.haddad@mail.example", "authority-unknown", "Leila Haddad", "Set Authority to Joint or Exclusive"),
        ("omar.haddad@mail.example", "authority-none", "Omar Haddad", "set Authority to Joint or Exclusive"),
        ("RelatedPerson/moreau-theo-mother", "email-missing", "Alice Moreau", "Enter the e-mail address"),
        ("RelatedPerson/whitfield-erin-self", "role-self", "Self", "from Self to Other Relative"),
        ("imani.osei@mail.example", "role-self", "Imani Osei", "from Self to Other Relative"),
        ("asha.iyer@mail.example", "shared-email", "Lakshmi Raman", "their own e-mail address"),
        ("Patient/okafor-ada", "eligible", GRACE, ""),
        ("Patient/sorensen-nils", "dependent-is-adult", "Nils Sorensen", "Other Relative"),
        ("nobody@nowhere.example", "address-unknown", "no Family Contact", "Family Contacts"),
        ("Patient/nobody", "chart-unknown", "not known", "adapter sync --person Patient/nobody"),
        ("RelatedPerson/nobody", "contact-unknown", "not known", "adapter sync --person RelatedPerson/nobody"),
    ],
)
def test_explain_answers_in_one_sentence_with_the_step_that_fixes_it(
    story_adapter: Adapter, who: str, reason: str, says: str, remedy: str
) -> None:
    answer = story_adapter.json("explain", who)
    all_have([answer], {"who": str, "verdict": str, "reason": str, "remedy": str, "steps": list})
    if "nobody" not in who:
        all_have(answer["steps"], {"rule": str, "outcome": str, "because": str, "source": str})
    assert (answer["who"], answer["reason"]) == (who, reason)
    assert says in answer["verdict"] and remedy in answer["remedy"]
    assert answer["verdict"].endswith(".") and "\n" not in answer["verdict"]


def test_explain_walks_back_to_the_row_that_caused_it(story_adapter: Adapter) -> None:
    steps = story_adapter.json("explain", "dana.price@mail.example")["steps"]
    assert any(step["outcome"] == "authority-conflict" for step in steps)
    assert any(step["source"] == "RelatedPerson/castellano-nina-mother" for step in steps)


def test_explain_walks_the_whole_chain_from_the_expression_to_the_mail(story_adapter: Adapter) -> None:
    boyd = "w.boyd@mail.example"
    (asked,) = [one["id"] for one in story_adapter.json("findings") if one["code"] == "role-unknown"]
    story_adapter.json("decide", asked, "approve", "--reason", "Papers seen.")
    assert story_adapter.json("explain", boyd)["reason"] == "welcome-queued"
    story_adapter.json("deliver")
    answer = story_adapter.json("explain", boyd)
    steps = {step["rule"]: step for step in answer["steps"]}
    assert [step["because"] for step in answer["steps"][:3]] == [
        "RelatedPerson.relationship gave the Role/Reason Emergency Contact.",
        "RelatedPerson.extension('urn:fhir-portal-adapter:contact-authority').value gave the Authority joint.",
        f"RelatedPerson.telecom gave the e-mail address {boyd}.",
    ]
    assert "answered role-unknown with approve" in steps["decision"]["because"]
    assert steps["decision"]["source"] == f"finding/{asked}"
    assert (steps["grant"]["outcome"], steps["portal"]["outcome"], steps["welcome"]["outcome"]) == (
        "active",
        "sent",
        "sent",
    )
    assert (steps["link"]["outcome"], steps["registered"]["outcome"]) == ("pass", "not-yet")
    assert all(step["source"] for step in answer["steps"])
