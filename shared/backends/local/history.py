"""Who comes before whom in a git history."""

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dulwich.repo import Repo


def is_ancestor(repo: "Repo", old: str, new: str) -> bool:
    """Say whether `old` is `new` or comes before it.

    Commits are looked at newest first, so that a recent `old` is found after a few;
    their dates decide the order of looking only, since clocks of authors may be wrong.
    """
    from dulwich.objects import Commit

    wanted, start = old.encode(), new.encode()
    seen = {start}
    waiting: list[tuple[int, bytes]] = [(0, start)]
    while waiting:
        _, name = heapq.heappop(waiting)
        if name == wanted:
            return True
        commit = repo[name]
        assert isinstance(commit, Commit)
        for parent in commit.parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(waiting, (-commit.commit_time, parent))
    return False
