"""Going through lists that stay, change or lie, without a network."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.prism.cvm import Cvm, CvmPage
from cvmproof.prism.paging import MOST_PAGES, Paging
from cvmproof_formats.errors import Category, EndpointError

Serve = Callable[[int, int], CvmPage]


def through(serve: Serve, page_size: int) -> tuple[list[str], int]:
    """Give the ids that come out, and how many pages it took."""
    paging, found, pages = Paging(page_size), [], 0
    while paging.offset is not None:
        page = serve(paging.offset, page_size)
        pages += 1
        found += [cvm.id for cvm in paging.take(page)]
    return found, pages


def page_of(names: list[str], offset: int, limit: int, total: int | None = None) -> CvmPage:
    part = names[offset : offset + limit]
    return CvmPage(
        cvms=tuple(Cvm(id=name) for name in part),
        total=len(names) if total is None else total,
        limit=limit,
        offset=offset,
    )


def named(count: int) -> list[str]:
    return [f"cvm-{number}" for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 11, 19, 20, 21, 100])
@pytest.mark.parametrize("page_size", [1, 2, 10, 100])
def test_a_list_that_stays_comes_out_once_and_in_its_order(count: int, page_size: int) -> None:
    found, _ = through(lambda offset, limit: page_of(named(count), offset, limit), page_size)
    assert found == named(count)


def test_a_list_that_fits_one_page_takes_one_request() -> None:
    assert through(lambda offset, limit: page_of(named(9), offset, limit), 10)[1] == 1


@given(count=st.integers(0, 60), page_size=st.integers(1, 20), cap=st.integers(1, 20), total=st.integers(0, 2**64 - 1))
def test_neither_a_wrong_total_nor_smaller_pages_end_it_early(count: int, page_size: int, cap: int, total: int) -> None:
    names = named(count)
    if cap < page_size:
        total = max(total, count)  # one that is too small and agrees with a short page cannot be told from the end
    found, _ = through(lambda offset, limit: page_of(names, offset, min(limit, cap), total), page_size)
    assert found == names


@given(data=st.data(), count=st.integers(2, 40), page_size=st.integers(2, 10))
def test_what_was_there_all_the_time_is_not_left_out_when_others_go_and_come(
    data: st.DataObject, count: int, page_size: int
) -> None:
    names = named(count)
    stays = set(names)
    changes = iter(data.draw(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=2)))

    def serve(offset: int, limit: int) -> CvmPage:
        page = page_of(list(names), offset, limit)
        added, position = next(changes, (True, -1))
        if position >= 0 and added:
            names.insert(position % (len(names) + 1), f"new-{position}")
        elif position >= 0 and names:
            stays.discard(names.pop(position % len(names)))
        return page

    found, _ = through(serve, page_size)
    assert len(found) == len(set(found))
    assert stays <= set(found)


@given(data=st.data(), page_size=st.integers(1, 10))
def test_any_pages_at_all_come_to_an_end_and_no_id_comes_twice(data: st.DataObject, page_size: int) -> None:
    lists = st.lists(st.sampled_from(named(8)), max_size=12)
    served: list[int] = []

    def serve(offset: int, limit: int) -> CvmPage:
        served.append(offset)
        names = data.draw(lists)
        return CvmPage(
            cvms=tuple(Cvm(id=name) for name in names), total=data.draw(st.integers(0, 99)), limit=1, offset=0
        )

    found, pages = through(serve, page_size)
    assert len(found) == len(set(found))
    assert pages <= 100


def test_a_service_that_always_gives_the_same_page_comes_to_an_end() -> None:
    found, pages = through(lambda _, limit: page_of(named(limit), 0, limit, 10**6), 10)
    assert (found, pages) == (named(10), 9)


def test_a_list_without_end_is_an_endpoint_error() -> None:
    paging, pages = Paging(1), fresh()
    for _ in range(MOST_PAGES - 1):
        paging.take(next(pages))
    with pytest.raises(EndpointError, match="at most 1000 pages") as caught:
        paging.take(next(pages))
    assert caught.value.category is Category.SIZE_LIMIT
    assert next(pages).offset == MOST_PAGES


def fresh() -> Iterator[CvmPage]:
    number = 0
    while True:
        yield CvmPage(cvms=(Cvm(id=f"cvm-{number}"),), total=0, limit=1, offset=number)
        number += 1
