"""Answering a finding from the command line: what it says, what it changes, its exit codes."""

from tests.acceptance.adapter_cli import Adapter, opens

BOYD = "w.boyd@mail.example"
WHY = "Papers seen, 4 May."


def finding(adapter: Adapter, code: str, *options: str) -> dict[str, str]:
    found: dict[str, str] = next(one for one in adapter.json("findings", *options) if one["code"] == code)
    return found


def test_a_finding_is_answered_looked_up_and_the_answer_taken_back(story_adapter: Adapter) -> None:
    asked = finding(story_adapter, "role-unknown")["id"]
    done = story_adapter.run("decide", asked, "approve", "--reason", WHY)
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        f"Decided: {asked}. Changed: 1 chart opened, 1 Welcome email queued.",
    )
    assert opens(story_adapter.account(BOYD)) == {"ramirez-diego": "active approved"}
    assert asked not in story_adapter.run("findings").out
    listed = story_adapter.run("findings", "--all").out
    assert asked in listed and "Answered: approve" in listed and WHY in listed
    story_adapter.sync()
    assert opens(story_adapter.account(BOYD)) == {"ramirez-diego": "active approved"}
    back = story_adapter.json("decide", asked, "withdraw", "--reason", "A mistake.")
    assert back["findings"] == [asked] and back["changes"]["hold-grant"] == 1
    assert "An earlier answer was withdrawn" in story_adapter.run("findings").out
    assert opens(story_adapter.account(BOYD)) == {"ramirez-diego": "held role-unknown"}
    actions = [entry["action"] for entry in story_adapter.json("audit")]
    assert {"decide-finding", "end-decision"} <= set(actions)


def test_an_answer_that_cannot_be_given_says_why_and_what_to_do(story_adapter: Adapter) -> None:
    asked = finding(story_adapter, "authority-unknown")
    refused = story_adapter.run("decide", asked["id"], "approve", "--reason", WHY)
    assert refused.code == 1
    assert "takes only dismiss, not approve. No human's answer opens a chart against it." in refused.err
    assert asked["remedy"] in refused.err
    unknown = story_adapter.run("decide", "abc", "approve", "--reason", WHY)
    assert (unknown.code, unknown.err.strip()) == (1, "There is no finding abc. `adapter findings` lists them.")
    assert story_adapter.run("decide", asked["id"], "approve").code == 2
    assert story_adapter.run("decide", asked["id"], "perhaps", "--reason", WHY).code == 2
    assert story_adapter.run("decide", asked["id"], "dismiss", "--reason", WHY, "--until", "soon").code == 2
