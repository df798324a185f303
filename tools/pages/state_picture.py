"""The picture of the order's stages, drawn from the table of `core/order.py` as an SVG.

Living stages stand in a column, ends in a row; where the line of a stage crosses the line of an end
there is a dot if the one may be followed by the other. What is drawn is what the table says.
"""

from collections.abc import Iterator

from fairlead.core.model import FINAL_STAGES, Stage
from fairlead.core.order import MOVES, Verdict

_ALIVE = [stage for stage in Stage if stage not in FINAL_STAGES]
_ENDS = [stage for stage in Stage if stage in FINAL_STAGES]

_BOX_WIDTH, _BOX_HEIGHT = 120, 34
_LEFT, _TOP, _ROW, _COLUMN = 150, 40, 66, 140
_END_TOP = _TOP + _ROW * len(_ALIVE) + 24
_WIDTH, _HEIGHT = _LEFT + _BOX_WIDTH + _COLUMN * len(_ENDS) + 30, _END_TOP + 110

_HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"
  font-family="sans-serif" font-size="13">
<!-- Made by `make docs-generate` from core/order.py. -->
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#546e7a"/></marker></defs>
<rect width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="#ffffff"/>
<g stroke="#546e7a" fill="none">"""


def state_picture() -> str:
    """Return the picture."""
    lines = [_HEAD, *_ways_on(), *_ways_out(), *_late_fills(), "</g>"]
    lines += [_box(_LEFT, _row_at(stage), stage, "#e3f2fd") for stage in _ALIVE]
    lines += [_box(_end_left(stage), _END_TOP, stage, "#eceff1") for stage in _ENDS]
    lines += [
        _words(_LEFT - 42, _row_at(Stage.RECEIVED) + 5, "placed here", "end"),
        _words(_LEFT - 42, _row_at(Stage.WORKING) - 3, "first seen at", "end"),
        _words(_LEFT - 42, _row_at(Stage.WORKING) + 13, "the exchange", "end"),
        _words(
            _end_middle(Stage.CANCELED) - 40,
            _END_TOP + _BOX_HEIGHT + 48,
            "the last fill, told after the end",
        ),
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _ways_on() -> Iterator[str]:
    """Draw the beginnings, and the moves between living stages: down, or past a stage on the left."""
    for stage in (Stage.RECEIVED, Stage.WORKING):
        yield _arrow(f"M{_LEFT - 36} {_row_at(stage)} H{_LEFT - 2}")
    for (before, after), verdict in MOVES.items():
        if verdict is not Verdict.MOVE or after not in _ALIVE:
            continue
        top, bottom = _row_at(before), _row_at(after)
        middle = _LEFT + _BOX_WIDTH // 2
        if _ALIVE.index(after) == _ALIVE.index(before) + 1:
            path = f"M{middle} {top + _BOX_HEIGHT // 2} V{bottom - _BOX_HEIGHT // 2 - 2}"
        else:
            out = _LEFT - 22
            path = f"M{_LEFT} {top + 8} H{out} V{bottom - 10} H{_LEFT - 2}"
        yield _arrow(path)


def _ways_out() -> Iterator[str]:
    """Draw the crossings of living stages and ends."""
    for end in _ENDS:
        reached = [stage for stage in _ALIVE if MOVES[stage, end] is Verdict.MOVE]
        yield _arrow(f"M{_end_middle(end)} {_row_at(reached[0])} V{_END_TOP - 2}")
    for stage in _ALIVE:
        ends = [end for end in _ENDS if MOVES[stage, end] is Verdict.MOVE]
        right = max(map(_end_middle, ends))
        yield f'<path d="M{_LEFT + _BOX_WIDTH} {_row_at(stage)} H{right}"/>'
        for end in ends:
            yield f'<circle cx="{_end_middle(end)}" cy="{_row_at(stage)}" r="5" fill="#546e7a"/>'


def _late_fills() -> Iterator[str]:
    """Draw what a fill does to an order that has ended: below the ends, into FILLED."""
    top = _END_TOP + _BOX_HEIGHT
    under = top + 26
    filled = _end_middle(Stage.FILLED)
    for end in _ENDS:
        if MOVES[end, Stage.FILLED] is Verdict.MOVE:
            yield f'<path d="M{_end_middle(end)} {top} V{under} H{filled}"/>'
    yield _arrow(f"M{filled} {under} V{top + 2}")


def _row_at(stage: Stage) -> int:
    return _TOP + _ROW * _ALIVE.index(stage)


def _end_left(stage: Stage) -> int:
    return _LEFT + _BOX_WIDTH + 20 + _COLUMN * _ENDS.index(stage)


def _end_middle(stage: Stage) -> int:
    return _end_left(stage) + _BOX_WIDTH // 2


def _arrow(path: str) -> str:
    return f'<path d="{path}" marker-end="url(#head)"/>'


def _box(left: int, middle_or_top: int, stage: Stage, fill: str) -> str:
    top = middle_or_top if stage in FINAL_STAGES else middle_or_top - _BOX_HEIGHT // 2
    shape = (
        f'<rect x="{left}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="5"'
        f' fill="{fill}" stroke="#546e7a"/>'
    )
    middle = left + _BOX_WIDTH // 2
    return f"{shape}{_words(middle, top + _BOX_HEIGHT // 2 + 5, stage, 'middle')}"


def _words(x: int, y: int, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#263238">{text}</text>'
