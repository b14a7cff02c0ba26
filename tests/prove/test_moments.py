"""The moments at which `make crash` kills, as drawn by a seed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from tools.prove.moments import FULL, ON_THE_WAY, PARTS, Moment, drawn

SEEDS = some.integers(0, 10_000)
COUNTS = some.integers(1, 5 * FULL)
STRETCHES = list(ON_THE_WAY)


def shown(plan: list[list[Moment]]) -> list[list[tuple[object, ...]]]:
    return [[(one.release, one.stretch, one.point.name, one.part, one.delay) for one in each] for each in plan]


def all_of(plan: list[list[Moment]]) -> list[Moment]:
    return [moment for moments in plan for moment in moments]


@given(SEEDS, COUNTS)
def test_the_same_seed_draws_the_same_moments_and_as_many_as_were_asked_for(seed: int, count: int) -> None:
    plan = drawn(seed, count)
    assert shown(plan) == shown(drawn(seed, count))
    assert len(all_of(plan)) == count


def test_another_seed_draws_other_moments() -> None:
    assert shown(drawn(7, 100)) != shown(drawn(8, 100))


@given(SEEDS, COUNTS)
def test_a_release_is_killed_once_in_a_stretch_and_in_the_order_of_the_way(seed: int, count: int) -> None:
    for number, moments in enumerate(drawn(seed, count)):
        places = [STRETCHES.index(one.stretch) for one in moments]
        assert places == sorted(set(places))
        assert {one.release for one in moments} <= {number}


@given(SEEDS, COUNTS)
def test_only_a_part_that_fits_the_point_is_killed_there(seed: int, count: int) -> None:
    for one in all_of(drawn(seed, count)):
        assert one.point in ON_THE_WAY[one.stretch]
        assert one.part in one.point.parts
        assert 0.0 <= one.delay <= one.point.delay


@given(SEEDS)
def test_a_hundred_moments_meet_every_stretch_and_every_part(seed: int) -> None:
    moments = all_of(drawn(seed, 100))
    assert {one.stretch for one in moments} == set(ON_THE_WAY)
    assert min(Counter(one.part for one in moments)[part] for part in PARTS) >= 3


@given(SEEDS)
def test_no_point_comes_again_before_the_others_of_its_stretch_had_their_turn(seed: int) -> None:
    drawn_at: dict[str, list[str]] = {}
    for one in all_of(drawn(seed, 100)):
        drawn_at.setdefault(one.stretch, []).append(one.point.name)
    for stretch, names in drawn_at.items():
        deck = Counter(point.name for point in ON_THE_WAY[stretch])
        first = Counter(names[: sum(deck.values())])
        assert all(first[name] <= deck[name] for name in first)
