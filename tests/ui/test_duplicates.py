"""The screen Duplicates and the review, as curators meet them."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.db.decisions import Resolution
from app.demo.catalogue import catalogue
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.services import collections, duplicates, tokens
from app.services.inserting import insert
from tests.support.twins import twins
from tests.ui.conftest import HOSTILE, Console, crowded, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]
SHOP = "z-twins"
GROUPS = 5


@pytest.fixture(scope="module")
def shop(console: Console) -> Iterator[str]:
    """A collection with pairs, a group of four and a chain, scanned."""
    made = collections.create(console.context, SHOP, "products", keep_images=True)
    stored = twins(HOSTILE)
    assert len(insert(console.context, made, stored, Fields()).records) == len(stored)
    duplicates.scan(console.context, made, 5.0)
    yield SHOP
    collections.drop(console.context, SHOP)


@pytest.fixture
def undone(console: Console, shop: str) -> Iterator[str]:
    """What a test decides is undone after it."""
    yield shop
    collection = collections.get(console.context, shop)
    for one in duplicates.history(console.context, collection, 100):
        if one.undone_at is None:
            duplicates.undo(console.context, collection, one.decision, "a test")


def stored(console: Console) -> set[str]:
    collection = collections.get(console.context, SHOP)
    wanted = [str(one["_id"]) for one in twins(HOSTILE) if isinstance(one, dict)]
    return set(duplicates.members(console.context, collection, wanted, Fields()))


def shots(page: Any) -> Any:
    return page.locator("#review .shot")


def kept(page: Any) -> list[str]:
    return list(page.locator("#review .shot.kept").evaluate_all("some => some.map((one) => one.dataset.id)"))


def painted(page: Any) -> None:
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('#review .turn > img')];"
        " return all.length > 1 && all.every((one) => one.naturalWidth); }"
    )
    expect(page.locator("#review .compare tbody tr").first).not_to_contain_text("…")


def test_groups_are_listed_and_ordered(opened: Opened, shop: str, screenshot: Screenshot) -> None:
    page = opened(f"duplicates?c={shop}")
    expect(page.locator("#groups .group")).to_have_count(GROUPS)
    expect(page.locator("#count")).to_contain_text(f"{GROUPS} groups, 13 pictures, within 5")
    assert page.locator("#groups strong").first.inner_text() == "4 pictures"
    expect(page.locator("#groups .group").first).to_contain_text(re.compile(r"newest \d{4}-\d\d-\d\d"))
    expect(page.locator("#groups .group", has_text="chain")).to_have_count(1)
    screenshot(page, "duplicates-light")
    page.locator("#radius").focus()
    press(page, "ArrowDown")  # it is the slider's, not the list's
    expect(page.locator("#count")).to_contain_text("within 4.9")
    press(page, "ArrowUp")
    expect(page.locator("#count")).to_contain_text("within 5")
    page.get_by_label("Order").select_option("nearness")
    expect(page.locator("#groups strong").first).to_have_text("2 pictures")
    assert "order=nearness" in page.url
    page.get_by_role("button", name="Rules").click()
    page.get_by_label("Another rule").select_option("lowest")
    page.get_by_label("Field", exact=True).fill("price")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Earlier: The lowest “price”").click()
    page.get_by_role("button", name="Earlier: The lowest “price”").click()
    page.get_by_role("button", name="Earlier: The lowest “price”").click()
    expect(page.locator(".rule-list li").first).to_contain_text("The lowest “price”")
    expect(page.locator("#groups .why", has_text="the lowest “price”").first).to_be_visible()
    screenshot(page, "duplicates-rules-light")
    page.go_back()
    expect(page.locator(".rule-list li").nth(1)).to_contain_text("The lowest “price”")
    assert page.evaluate("window.hacked") is None


def test_a_chain_shows_its_weakest_link(opened: Opened, shop: str, screenshot: Screenshot) -> None:
    page = opened(f"duplicates?c={shop}&review=dress-002&rules=[]")
    painted(page)
    expect(page.locator("#review .evidence")).to_contain_text("chain")
    expect(page.locator("#review .evidence")).to_contain_text(re.compile(r"weakest link \d.\d at \d\.\d"))
    expect(page.locator("#review .shot.indirect .note")).to_have_text("like 1 only through 3")
    assert len(kept(page)) == 2  # what does not look like the keeper stays
    screenshot(page, "review-chain-light")
    press(page, "d")
    expect(page.locator("#review .pane-note:visible").first).to_contain_text("% differs")
    screenshot(page, "review-difference-light")
    press(page, "d")
    press(page, "z")
    turns = page.locator("#review .turn").evaluate_all("all => new Set(all.map((one) => one.style.transform)).size")
    assert turns == 1
    press(page, "0")
    press(page, "+")
    box = shots(page).first.locator(".pane").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
    page.mouse.up()
    moved = page.locator("#review .turn").evaluate_all("all => [...new Set(all.map((one) => one.style.transform))]")
    assert len(moved) == 1
    assert "translate(0%" not in moved[0]
    page.keyboard.down("b")
    expect(page.locator("#review .above")).to_have_count(1)
    page.keyboard.up("b")
    expect(page.locator("#review .above")).to_have_count(0)
    press(page, "Escape")
    expect(page.locator("#review")).to_be_hidden()
    page.go_back()
    expect(page.locator("#review")).to_be_visible()


def test_one_hand_decides(opened: Opened, console: Console, undone: str, screenshot: Screenshot) -> None:
    page = opened(f"duplicates?c={undone}&rules=[]")
    page.locator("#groups .group a").first.click()
    painted(page)
    expect(shots(page)).to_have_count(4)
    screenshot(page, "review-four-light")
    members = shots(page).evaluate_all("all => all.map((one) => one.dataset.id)")
    press(page, "2")
    assert kept(page) == [members[1]]
    press(page, "Space")  # the last copy stays
    expect(page.locator("#toasts")).to_contain_text("The last copy stays")
    assert kept(page) == [members[1]]
    press(page, "l")
    press(page, "Space")
    assert kept(page) == members[1:3]
    press(page, "a")
    expect(page.locator("#review .resolve")).to_contain_text("Keep all")
    press(page, "1")
    press(page, "Enter")
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS - 1}")
    assert stored(console).isdisjoint(members[1:])
    press(page, "u")
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS}")
    assert set(members) <= stored(console)
    press(page, "s")
    expect(page.locator("#review h2")).to_contain_text(f"Group 2 of {GROUPS}")
    press(page, "n")
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS - 1}")
    press(page, "Escape")
    expect(page.locator("#groups .group")).to_have_count(GROUPS - 1)
    page.get_by_role("link", name="Dismissed").click()
    expect(page.locator("#groups .group")).to_have_count(1)
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("#groups .decision")).to_have_count(2)
    screenshot(page, "duplicates-resolved-light")
    page.get_by_role("link", name="Dismissed").click()
    page.locator("#groups .group a").click()
    painted(page)
    press(page, "n")
    expect(page.locator("#review")).to_contain_text("Nothing is left to review in this list.")
    page.get_by_role("button", name="To the list").click()
    expect(page.get_by_role("heading", name="Nothing was dismissed")).to_be_visible()
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("#groups .undone")).to_have_count(2)
    page.go_back()
    page.go_forward()
    expect(page.locator("#groups .undone")).to_have_count(2)
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.locator("#groups .group")).to_have_count(GROUPS)


def test_attributes_are_taken_over_as_they_were_shown(opened: Opened, console: Console, undone: str) -> None:
    page = opened(f'duplicates?c={undone}&review=pair-0&merge=1&rules=[{{"prefix":"pair-0"}}]')
    painted(page)
    press(page, "2")
    preview = page.locator("#review .compare ins")
    expect(preview).to_have_text(["10"])
    press(page, "Enter")
    expect(page.locator("#toasts")).to_contain_text("in the trash")
    made = duplicates.history(console.context, collections.get(console.context, undone), 1)[0]
    assert (made.removed, made.merged["after"] if made.merged else None) == (["pair-0"], {"price": 10})


def test_of_two_curators_the_second_is_told(opened: Opened, undone: str) -> None:
    first = opened(f"duplicates?c={undone}&review=pair-1")
    second = opened(f"duplicates?c={undone}&review=pair-1")
    painted(first)
    painted(second)
    press(first, "1")
    press(second, "2")
    press(first, "Enter")
    expect(first.locator("#review h2")).to_contain_text(f"of {GROUPS - 1}")
    press(second, "Enter")
    told = second.get_by_role("alert")
    expect(told).to_contain_text("Somebody else was first")
    expect(told).to_contain_text("kept pair-1 and removed pair-1-copy")
    second.get_by_role("button", name="Look again").click()
    expect(second.locator("#review")).to_contain_text("Somebody else has decided about it.")
    second.get_by_role("button", name="To the next group").click()
    painted(second)
    first.goto(second.url)
    painted(first)
    press(first, "n")
    expect(first.locator("#review h2")).to_contain_text(f"of {GROUPS - 2}")
    press(second, "Enter")
    expect(told).to_contain_text("said that they are no duplicates")


def test_nothing_that_was_chosen_is_lost(opened: Opened, console: Console, undone: str) -> None:
    made = tokens.create(console.context, [Scope.READ, Scope.WRITE], [undone])
    page = opened(f"duplicates?c={undone}&review=four-a", made.token)
    painted(page)
    press(page, "3")
    members = shots(page).evaluate_all("all => all.map((one) => one.dataset.id)")
    with crowded(console.context):
        press(page, "Enter")
        expect(page.get_by_role("alert")).to_contain_text("Error 503")
        expect(page.get_by_role("alert")).to_contain_text("Trying again in 1 s")
        assert kept(page) == [members[2]]
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS - 1}")  # by itself, when the time is over
    press(page, "u")
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS}")
    painted(page)
    press(page, "4")
    tokens.revoke(console.context, made.id)
    page.wait_for_timeout(150)  # the server knows tokens for .1 s
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="Sign in again")
    dialog.get_by_label("API token").fill(console.token)
    assert kept(page) == [members[3]]
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS - 1}")
    assert members[3] in stored(console)
    assert members[2] not in stored(console)


def test_who_may_only_read_compares_and_decides_nothing(opened: Opened, console: Console, shop: str) -> None:
    made = tokens.create(console.context, [Scope.READ], [shop])
    before = duplicates.history(console.context, collections.get(console.context, shop), 100)
    page = opened(f"duplicates?c={shop}&review=pair-2", made.token)
    painted(page)
    expect(page.locator("#review .keep, #review .resolve, #bulk-button")).to_have_count(0)
    for key in ("n", "Enter", "1", "a"):
        press(page, key)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("difference")
    expect(dialog).not_to_contain_text("not duplicates")
    assert duplicates.history(console.context, collections.get(console.context, shop), 100) == before
    expect(page.locator("#review h2")).to_contain_text(f"of {GROUPS}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(opened: Opened, screenshot: Screenshot, shop: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(f"duplicates?c={shop}", color_scheme=scheme)
    page.locator("#groups .group a").first.wait_for()
    page.get_by_role("button", name="Rules").click()
    found = axe.Axe().run(page).response["violations"]
    screenshot(page, f"duplicates-{scheme}")
    for tab in ("Trash", "Resolved"):
        page.get_by_role("link", name=tab).click()
        page.locator("#end .empty, #groups .decision").first.wait_for()
        found += axe.Axe().run(page).response["violations"]
    page.goto(f"{page.url.split('?', maxsplit=1)[0]}?c={shop}&review=dress-002&merge=1&rules=[]")
    painted(page)
    press(page, "1")
    expect(page.locator("#review .compare ins").first).to_be_visible()
    found += axe.Axe().run(page).response["violations"]
    screenshot(page, f"review-{scheme}")
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize(("name", "width", "height"), [("narrow", 390, 844), ("zoomed", 640, 400)])
def test_it_fits_narrow_screens_and_200_percent(
    opened: Opened, screenshot: Screenshot, shop: str, name: str, width: int, height: int
) -> None:
    page = opened(f"duplicates?c={shop}", viewport={"width": width, "height": height})
    page.locator("#groups .group a").first.wait_for()
    screenshot(page, f"duplicates-{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#groups .group a").nth(1).click()
    painted(page)
    screenshot(page, f"review-{name}")
    assert page.locator("#review").evaluate("one => one.scrollWidth") <= width
    expect(page.locator("#review .resolve")).to_be_in_viewport()
    expect(page.locator("#review .keep").first).to_be_in_viewport()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#review h2")).to_contain_text(f"Group 3 of {GROUPS}")


def test_without_javascript_groups_are_read(opened: Opened, shop: str) -> None:
    page = opened(f"duplicates?c={shop}", java_script_enabled=False)
    page.wait_for_url("**plain=1*")
    expect(page.locator(".group")).to_have_count(GROUPS)
    page.get_by_role("link", name="Nearest first").click()
    expect(page.locator(".group").first).to_contain_text("2 pictures")
    for tab, said in (("Resolved", "Nothing was decided yet|Decision"), ("Trash", "The trash is empty|Record")):
        page.get_by_role("link", name=tab).click()
        expect(page.locator("main")).to_contain_text(re.compile(said))


@pytest.fixture
def decided(console: Console) -> Iterator[str]:
    """Decisions of each kind: of many records, of some that are gone for good, a dismissed one, and an undone one."""
    made = collections.create(console.context, "z-decided", "photo", "phash", keep_images=True)
    pictures = [base64.b64encode(one.data).decode() for one in catalogue(4)]
    long = "a-record-with-a-long-id-and-no-space-in-it"
    groups = [
        [f"many-{n}" for n in range(8)],
        [f"{long}-{n}" for n in range(2)],
        [f"{HOSTILE}{n}" for n in range(2)],
        [f"back-{n}" for n in range(3)],
    ]
    insert(
        console.context,
        made,
        [{"_id": one, "_base64": picture} for group, picture in zip(groups, pictures, strict=True) for one in group],
        Fields(),
    )
    for group in (groups[0], groups[1], groups[3]):
        decision = duplicates.resolve(console.context, made, Resolution(group[:1], group[1:]), "a test")
    duplicates.undo(console.context, made, decision, "a test")
    duplicates.purge(console.context, made, groups[1][1:])
    duplicates.dismiss(console.context, made, groups[2], "a test", "another colour")
    yield made.name
    collections.drop(console.context, made.name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_decided_shows_its_pictures(opened: Opened, decided: str, screenshot: Screenshot, scheme: str) -> None:
    page = opened(f"duplicates?c={decided}&tab=resolved", color_scheme=scheme)
    rows = page.locator("#groups .decision")
    expect(rows).to_have_count(4)
    page.wait_for_function("() => [...document.querySelectorAll('.decision img')].every((one) => one.naturalWidth)")
    dismissed, undone, gone, many = (rows.nth(n) for n in range(4))
    expect(dismissed).to_contain_text(f"{HOSTILE}0, {HOSTILE}1 are no duplicates")
    expect(dismissed.locator("img")).to_have_count(2)
    expect(undone.locator("img")).to_have_count(3)
    expect(undone.locator(".removed, .icon")).to_have_count(0)  # all are there again
    expect(gone.locator("img")).to_have_count(1)
    expect(gone.get_by_text("no picture any more")).to_have_count(1)
    expect(many.locator(".removed img")).to_have_count(5)
    expect(many).to_contain_text("and 2 more")
    screenshot(page, f"duplicates-decided-{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for row in rows.all():
        words, pictures = (row.locator(one).bounding_box() for one in (":scope > div", ".strip"))
        assert words["width"] > 300  # below each other, not beside
        assert pictures["y"] >= words["y"] + words["height"]
    page.set_viewport_size({"width": 390, "height": 1600})
    screenshot(page, f"duplicates-decided-narrow-{scheme}")
    many.get_by_role("button", name="Undo").click()
    expect(many.locator(".removed, .icon")).to_have_count(0)
    expect(many.locator("img")).to_have_count(6)
    page.wait_for_function("() => [...document.querySelectorAll('.decision img')].every((one) => one.naturalWidth)")
    assert page.evaluate("window.hacked") is None


def test_bulk_shows_what_it_would_do_then_a_job_does_it(
    opened: Opened, console: Console, undone: str, workers: None, screenshot: Screenshot
) -> None:
    before = stored(console)
    page = opened(f'duplicates?c={undone}&rules=[{{"prefix":"pair"}},"most_attributes"]')
    expect(page.locator("#bulk-button")).to_be_visible()
    press(page, "b")
    dialog = page.get_by_role("dialog", name="Apply the suggestion")
    dialog.get_by_label("All groups within").fill("1")
    dialog.get_by_role("button", name="Try it out").click()
    expect(dialog).to_contain_text("6 of 10 pictures would go to the trash, from 4 groups.")
    expect(dialog.locator(".sample > li")).to_have_count(4)
    assert stored(console) == before
    screenshot(page, "duplicates-bulk-light")
    dialog.get_by_label("Take over attributes").check()
    expect(dialog.get_by_role("button", name="Remove")).to_be_hidden()  # it would be another decision
    dialog.get_by_role("button", name="Try it out").click()
    dialog.get_by_role("button", name="Remove 6").click()
    page.wait_for_url(re.compile(r"/console/jobs\?.*job=\d+"))
    expect(page.locator("#details .state")).to_have_text("done")
    assert len(before - stored(console)) == 6
    page.goto(f"{console.url}/console/duplicates?c={undone}&tab=resolved")
    expect(page.locator("#groups .decision").nth(3)).to_be_visible()


def test_the_trash_gives_back_and_forgets(opened: Opened, console: Console, shop: str, screenshot: Screenshot) -> None:
    collection = collections.get(console.context, shop)
    insert(console.context, collection, [{"_id": HOSTILE + "2", "_base64": twins(HOSTILE)[3]["_base64"]}], Fields())  # type: ignore[index,call-overload]
    duplicates.remove(console.context, collection, ["alone", HOSTILE + "2"], "a test")
    page = opened(f"duplicates?c={shop}&tab=trash")
    expect(page.locator("#count")).to_have_text("2 in the trash")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.decision img')].filter((one) => one.naturalWidth).length == 2"
    )
    screenshot(page, "trash-light")
    written = page.locator("#groups time").all_inner_texts()
    assert [one for one in written if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", one)] == []
    assert len(written) == 2
    page.locator("#groups .decision", has_text="alone").get_by_role("button", name="Restore").click()
    expect(page.locator("#count")).to_have_text("1 in the trash")
    assert "alone" in stored(console)
    page.get_by_label(f"Choose {HOSTILE}2").check()
    page.get_by_role("button", name="Delete 1 for good…").click()
    dialog = page.get_by_role("dialog", name="Delete for good")
    expect(dialog).to_contain_text(f"{HOSTILE}2")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    assert duplicates.trashed(console.context, collection, 10) == ([], 0)
    assert page.evaluate("window.hacked") is None


def test_an_empty_list_teaches(opened: Opened, console: Console, workers: None, screenshot: Screenshot) -> None:
    made = collections.create(console.context, "z-unscanned", "products")
    chained = [
        one for one in twins(HOSTILE) if isinstance(one, dict) and str(one["_id"]) in {"dress-002", "dress-002-cropped"}
    ]
    insert(console.context, made, chained, Fields())
    page = opened("duplicates?c=z-unscanned")
    expect(page.get_by_role("heading", name="Not looked for yet")).to_be_visible()
    screenshot(page, "duplicates-unscanned-light")
    page.get_by_label("Radius", exact=True).last.fill("2.5")
    page.get_by_role("button", name="Look for duplicates").click()
    expect(page.get_by_role("heading", name="No duplicates")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text(
        re.compile(r"1 pair lies just beyond, within 3.8; the nearest at 3.\d")
    )
    screenshot(page, "duplicates-none-light")
    page.get_by_role("button", name="Look for duplicates").click()
    expect(page.locator("#groups .group")).to_have_count(1)
    page.locator("#radius").fill("1")
    expect(page.locator("#messages")).to_contain_text(
        re.compile(r"1 pair lies just beyond, within 3(\.5)?; 1 within 3")
    )
    page.get_by_role("button", name=re.compile("Look within 3")).click()
    expect(page.locator("#groups .group")).to_have_count(1)
    collections.drop(console.context, "z-unscanned")


def test_the_first_screen_is_light(opened: Opened, shop: str) -> None:
    page = opened("sign-in")
    sizes: dict[str, int] = {}

    def note(request: Any) -> None:
        told = request.sizes()
        if f"/pictures/v1/{shop}/" not in request.url:
            sizes[request.url] = told["responseBodySize"] + told["responseHeadersSize"]

    page.on("requestfinished", note)
    page.goto(page.url.replace("sign-in", f"duplicates?c={shop}&review=pair-0"))
    painted(page)
    assert len(sizes) >= 12
    assert sum(sizes.values()) <= 150 * 1024, sizes


def test_a_large_group_is_gone_through_by_arrows(opened: Opened, console: Console) -> None:
    made = collections.create(console.context, "z-many", "photo", "phash")
    picture = base64.b64encode(catalogue(1)[0].data).decode()
    members = [f"same-{n}" for n in range(8)]
    insert(console.context, made, [{"_id": one, "_base64": picture} for one in members], Fields())
    duplicates.scan(console.context, made, 1.0)
    page = opened("duplicates?c=z-many&rules=[]")
    expect(page.locator("#groups .group:not(.skeleton)")).to_contain_text("and 2 more")
    press(page, "r")
    painted(page)
    expect(shots(page)).to_have_count(6)
    expect(shots(page).nth(5).locator(".note")).to_have_text("same file")
    press(page, "ArrowUp")
    press(page, "ArrowDown")
    press(page, "ArrowDown")
    expect(shots(page)).to_have_count(2)
    expect(shots(page).first.locator(".note")).to_have_text("same file")
    press(page, "Space")
    expect(page.locator("#review .resolve")).to_contain_text("Keep 2, remove 6")
    press(page, "8")
    assert kept(page) == [members[7]]
    press(page, "Enter")
    expect(page.locator("#review")).to_contain_text("Nothing is left to review in this list.")
    assert list(duplicates.members(console.context, made, members, Fields())) == [members[7]]
    press(page, "u")
    expect(shots(page)).to_have_count(6)
    collections.drop(console.context, "z-many")
    console.context.lookup.forget("z-many")
    press(page, "Enter")
    expect(page.get_by_role("alert")).to_contain_text("Error 404")
