"""Every cell of the session's state table, by what a counterpart, the clock or the driver can do.

A session is brought into the state of the column, the thing of the row happens to it, and what it says,
tells and counts is compared with what the word in the cell promises. A dash means that it cannot
happen: there the session stops, because then we have misunderstood it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from fairlead.fix.codec import body
from fairlead.fix.happened import (
    Ended,
    Happened,
    LoggedOn,
    LogonAsked,
    Received,
    Refused,
    ResendAsked,
    WasReset,
)
from fairlead.fix.reactions import What, react
from fairlead.fix.session import Forbidden, Session
from fairlead.fix.settings import Record, Role, SessionKey, SessionSettings
from fairlead.fix.states import REACTIONS, Happening, Reaction, State
from tests.fix.spoken import KEY, NOW, OURS, SECOND_NS, SETTINGS, THEIRS, said, say, stamp, types

IN, OUT = 5, 9  # the numbers that are expected and used next before anything happens
LATER = NOW + 1_000 * SECOND_NS
RECORD = Record(OUT, IN)
S, H, R = State, Happening, Reaction


@dataclass
class Scene:
    """A session in a state, and what it may be compared with afterwards."""

    session: Session
    now_ns: int = NOW
    happened: list[Happened] = field(default_factory=list)
    said: list[dict[int, str]] = field(default_factory=list)
    before: tuple[State, int, int] = (S.CLOSED, 0, 0)

    @property
    def names(self) -> tuple[str, str]:
        """Return who the counterpart is, and whom it speaks to."""
        is_initiator = self.session._it.settings.role is Role.INITIATOR
        return (OURS, THEIRS) if is_initiator else (THEIRS, OURS)

    def facts(self) -> tuple[State, int, int]:
        """Return the state and both numbers."""
        return self.session.state, self.session.next_in, self.session.next_out

    def say(self, msg_type: str, number: int, *fields: tuple[int, object], **more: object) -> bytes:
        """Return a message of the counterpart."""
        sender, target = self.names
        more = {"sender": sender, "target": target, "now_ns": self.now_ns, **more}
        return say(msg_type, number, *fields, **more)  # type: ignore[arg-type]

    def logon(self, number: int, *fields: tuple[int, object]) -> bytes:
        """Return a Logon of the counterpart."""
        return self.say("A", number, (98, 0), (108, 30), *fields)


# ── the columns ────────────────────────────────────────────────────────────────────────────────


def _awaiting() -> Scene:
    return Scene(Session(SETTINGS, NOW))


def _deciding() -> Scene:
    scene = _awaiting()
    (asked,) = scene.session.receive(scene.logon(IN), NOW)
    assert isinstance(asked, LogonAsked)
    return scene


def _logon_sent() -> Scene:
    settings = SessionSettings(THEIRS, Role.INITIATOR)
    scene = Scene(Session.initiate(settings, SessionKey("FIX.4.4", OURS), Record(OUT, IN), NOW))
    assert types(said(scene.session)) == "A"
    return scene


def _active() -> Scene:
    scene = _deciding()
    scene.session.accept(KEY, RECORD, NOW)
    assert types(said(scene.session)) == "A"
    return scene


def _gap() -> Scene:
    """Two messages are missing; two that came too early are kept."""
    scene = _active()
    expected = scene.session.next_in
    for number in (expected + 2, expected + 3):
        scene.session.receive(scene.say("D", number, (11, f"early {number}")), NOW)
    assert types(said(scene.session)) == "2"
    return scene


def _logging_out() -> Scene:
    scene = _active()
    scene.session.log_out("enough", NOW)
    assert types(said(scene.session)) == "5"
    return scene


def _closed() -> Scene:
    scene = _active()
    scene.session.lost(NOW)
    return scene


COLUMNS: dict[State, Callable[[], Scene]] = {
    S.AWAITING: _awaiting,
    S.DECIDING: _deciding,
    S.LOGON_SENT: _logon_sent,
    S.ACTIVE: _active,
    S.GAP: _gap,
    S.LOGGING_OUT: _logging_out,
    S.CLOSED: _closed,
}

# ── the rows ───────────────────────────────────────────────────────────────────────────────────

ECHOED, REFUSED, RESEND_FROM, JUMP_TO, NEW_ID, TEXT = "echo", 7, 3, 20, "new", "the words"


def _bytes(make: Callable[[Scene, int], bytes]) -> Callable[[Scene], list[Happened]]:
    def happen(scene: Scene) -> list[Happened]:
        data = make(scene, scene.session.next_in)
        return scene.session.receive(data, scene.now_ns)

    return happen


def _late(scene: Scene) -> list[Happened]:
    assert scene.session._it.deadline_ns is not None
    scene.now_ns = scene.session._it.deadline_ns
    # Only that deadline: the counterpart was heard and we have spoken just now.
    scene.session._it.heard_ns = scene.session._it.said_ns = scene.now_ns
    return scene.session.tick(scene.now_ns)


def _silent(scene: Scene) -> list[Happened]:
    scene.now_ns += 36 * SECOND_NS
    _only_silence(scene)
    return scene.session.tick(scene.now_ns)


def _dead(scene: Scene) -> list[Happened]:
    _silent(scene)
    assert types(said(scene.session)) == "1"
    scene.before = scene.facts()
    scene.now_ns += 36 * SECOND_NS
    _only_silence(scene)
    return scene.session.tick(scene.now_ns)


def _only_silence(scene: Scene) -> None:
    scene.session._it.said_ns = scene.now_ns
    if scene.session.state is S.GAP:
        scene.session._it.deadline_ns = scene.now_ns + SECOND_NS


def _idle(scene: Scene) -> list[Happened]:
    scene.now_ns += 30 * SECOND_NS
    if scene.session.state is S.GAP:
        scene.session._it.deadline_ns = scene.now_ns + SECOND_NS
    return scene.session.tick(scene.now_ns)


def _accept(record: Record) -> Callable[[Scene], list[Happened]]:
    return lambda scene: scene.session.accept(KEY, record, scene.now_ns)


def _send(scene: Scene) -> list[Happened]:
    scene.session.send("8", body([(11, NEW_ID)]), scene.now_ns)
    return []


ROWS: dict[Happening, Callable[[Scene], list[Happened]]] = {
    H.GARBLED: _bytes(lambda scene, n: scene.say("0", n)[:-4] + b"999\x01"),
    H.OVERSIZE: _bytes(lambda scene, n: b"8=FIX.4.4\x019=65537\x0135=0\x01"),
    H.WRONG_VERSION: _bytes(lambda scene, n: scene.say("0", n, begin_string="FIX.4.2")),
    H.NO_NUMBER: _bytes(lambda scene, n: scene.say("0", n).replace(b"34=", b"43=", 1)),
    H.MISADDRESSED: _bytes(lambda scene, n: scene.say("D", n, (11, NEW_ID), target="OTHER")),
    H.TIME_OFF: _bytes(lambda scene, n: scene.say("D", n, (11, NEW_ID), now_ns=LATER)),
    H.LOW: _bytes(lambda scene, n: scene.say("D", n - 1, (11, NEW_ID))),
    H.LOW_DUPLICATE: _bytes(
        lambda scene, n: scene.say("D", n - 1, (11, NEW_ID), is_duplicate=True)
    ),
    H.HIGH: _bytes(lambda scene, n: scene.say("D", n + 4, (11, NEW_ID))),
    H.HIGH_RESEND_REQUEST: _bytes(
        lambda scene, n: scene.say("2", n + 4, (7, RESEND_FROM), (16, 0))
    ),
    H.HIGH_LOGON: _bytes(lambda scene, n: scene.logon(n + 4)),
    H.HIGH_LOGOUT: _bytes(lambda scene, n: scene.say("5", n + 4, (58, TEXT))),
    H.MALFORMED: _bytes(lambda scene, n: scene.say("D", n, (11, NEW_ID), (58, ""))),
    H.LOGON: _bytes(lambda scene, n: scene.logon(n)),
    H.RESET_LOGON: _bytes(lambda scene, n: scene.logon(1, (141, "Y"))),
    H.HEARTBEAT: _bytes(lambda scene, n: scene.say("0", n)),
    H.TEST_REQUEST: _bytes(lambda scene, n: scene.say("1", n, (112, ECHOED))),
    H.RESEND_REQUEST: _bytes(lambda scene, n: scene.say("2", n, (7, RESEND_FROM), (16, 0))),
    H.REJECT: _bytes(lambda scene, n: scene.say("3", n, (45, REFUSED))),
    H.GAP_FILL: _bytes(lambda scene, n: scene.say("4", n, (123, "Y"), (36, JUMP_TO))),
    H.SEQUENCE_RESET: _bytes(lambda scene, n: scene.say("4", 1, (36, JUMP_TO))),
    H.SEQUENCE_RESET_BACK: _bytes(lambda scene, n: scene.say("4", n, (36, n - 1))),
    H.LOGOUT: _bytes(lambda scene, n: scene.say("5", n, (58, TEXT))),
    H.APPLICATION: _bytes(lambda scene, n: scene.say("D", n, (11, NEW_ID))),
    H.LATE: _late,
    H.SILENT: _silent,
    H.DEAD: _dead,
    H.IDLE: _idle,
    H.ACCEPT: _accept(RECORD),
    H.ACCEPT_HIGH: _accept(Record(OUT, IN - 2)),
    H.ACCEPT_WRONG: _accept(Record(OUT, IN + 1)),
    H.REFUSE: lambda scene: scene.session.refuse(TEXT, scene.now_ns),
    H.REFUSE_KNOWN: lambda scene: scene.session.refuse_known(KEY, RECORD, TEXT, scene.now_ns),
    H.SEND: _send,
    H.LOG_OUT: lambda scene: scene.session.log_out(TEXT, scene.now_ns),
    H.LOST: lambda scene: scene.session.lost(scene.now_ns),
}

# ── what the words promise ─────────────────────────────────────────────────────────────────────


def _moved(scene: Scene, state: State, counted: int, said: int) -> None:
    """The session is in `state`, has counted so many messages and said so many."""
    _, next_in, next_out = scene.before
    assert scene.facts() == (state, next_in + counted, next_out + said)


def _stayed(scene: Scene, counted: int, said: int) -> None:
    _moved(scene, scene.before[0], counted, said)


def _nothing(scene: Scene, happening: Happening) -> None:
    assert scene.said == []
    assert [type(each).__name__ for each in scene.happened] == (
        ["Garbled"] if happening is H.GARBLED and scene.before[0] is not S.CLOSED else []
    )
    assert scene.facts() == scene.before


def _held(scene: Scene, happening: Happening) -> None:
    assert (scene.said, scene.happened) == ([], [])
    assert scene.facts() == scene.before
    assert scene.session._it.frames.waiting_bytes > 0


def _closes(scene: Scene, happening: Happening) -> None:
    assert scene.said == []
    assert isinstance(scene.happened[-1], Ended)
    assert scene.happened[-1].text
    _moved(scene, S.CLOSED, 0, 0)


def _says_bye(scene: Scene, happening: Happening) -> None:
    (logout,) = scene.said
    assert logout[35] == "5"
    ended = scene.happened[-1]
    assert isinstance(ended, Ended)
    assert ended.text
    assert logout[58] == ended.text
    assert scene.session.state is S.CLOSED
    assert int(logout[34]) == (OUT if scene.before[0] is S.DECIDING else scene.before[2])


def _rebuffs(scene: Scene, happening: Happening) -> None:
    reject, logout = scene.said
    reason = {H.MISADDRESSED: "9", H.TIME_OFF: "10"}[happening]
    tag = {H.MISADDRESSED: "56", H.TIME_OFF: "52"}[happening]
    assert (reject[35], reject[45], reject[372]) == ("3", str(scene.before[1]), "D")
    assert (reject[373], reject[371]) == (reason, tag)
    assert (logout[35], logout[58]) == ("5", reject[58])
    assert scene.happened == []
    _moved(scene, S.LOGGING_OUT, 1, 2)


def _asks(scene: Scene, happening: Happening) -> None:
    (asked,) = scene.happened
    assert isinstance(asked, LogonAsked)
    assert (asked.key, asked.wrong) == (KEY, "")
    assert asked.is_reset == (happening is H.RESET_LOGON)
    assert scene.said == []
    _moved(scene, S.DECIDING, 0, 0)


def _answers(scene: Scene, happening: Happening) -> None:
    logon = scene.said[0]
    assert (logon[35], logon[34], logon[98], logon[108]) == ("A", str(OUT), "0", "30")
    assert isinstance(scene.happened[0], LoggedOn)
    if REACTIONS[S.DECIDING, happening] is R.ANSWER:
        assert types(scene.said) == "A"
        assert scene.facts() == (S.ACTIVE, IN + 1, OUT + 1)
    else:
        _asked_for(scene.said[1], IN - 2, IN - 1)
        assert scene.facts() == (S.GAP, IN - 2, OUT + 2)


def _asked_for(request: dict[int, str], first: int, last: int) -> None:
    assert (request[35], request[7], request[16]) == ("2", str(first), str(last))


def _comes_up(scene: Scene, happening: Happening) -> None:
    assert isinstance(scene.happened[0], LoggedOn)
    if happening is H.RESET_LOGON:  # not asked for: our Logon was the first of the new count
        assert scene.facts() == (S.ACTIVE, 2, 2)
    elif happening is H.LOGON:
        assert scene.said == []
        _moved(scene, S.ACTIVE, 1, 0)
    else:
        _asked_for(scene.said[0], IN, IN + 3)
        _moved(scene, S.GAP, 0, 1)


def _resets(scene: Scene, happening: Happening) -> None:
    (logon,) = scene.said
    assert (logon[35], logon[34], logon[141]) == ("A", "1", "Y")
    assert scene.happened == [WasReset()]
    assert scene.facts() == (S.ACTIVE, 2, 2)


def _counts(scene: Scene, happening: Happening) -> None:
    assert (scene.said, scene.happened) == ([], [])
    _stayed(scene, 1, 0)


def _echoes(scene: Scene, happening: Happening) -> None:
    (heartbeat,) = scene.said
    assert (heartbeat[35], heartbeat[112]) == ("0", ECHOED)
    _stayed(scene, 1, 1)


def _resends(scene: Scene, happening: Happening) -> None:
    is_high = happening is H.HIGH_RESEND_REQUEST
    assert scene.happened == [ResendAsked(RESEND_FROM, scene.before[2] - 1)]
    if is_high and scene.before[0] is S.ACTIVE:
        _asked_for(scene.said[0], scene.before[1], scene.before[1] + 3)
        _moved(scene, S.GAP, 0, 1)
    else:
        assert scene.said == []
        _stayed(scene, 0 if is_high else 1, 0)


def _tells(scene: Scene, happening: Happening) -> None:
    (refused,) = scene.happened
    assert isinstance(refused, Refused)
    assert refused.number == REFUSED
    assert scene.said == []
    _stayed(scene, 1, 0)


def _jumps(scene: Scene, happening: Happening) -> None:
    """What was missing or early is void, so a gap is closed by it."""
    assert (scene.said, scene.happened) == ([], [])
    state = S.ACTIVE if scene.before[0] is S.GAP else scene.before[0]
    assert scene.facts() == (state, JUMP_TO, scene.before[2])


def _rejects(scene: Scene, happening: Happening) -> None:
    (reject,) = scene.said
    reason, tag, counted = {
        H.MALFORMED: ("4", "58", 1),
        H.LOGON: ("99", "35", 1),
        H.SEQUENCE_RESET_BACK: ("5", "36", 0),
    }[happening]
    assert (reject[35], reject[45], reject[373], reject[371]) == (
        "3", str(scene.before[1]), reason, tag,
    )  # fmt: skip
    assert reject[58]
    assert scene.happened == []
    _stayed(scene, counted, 1)


def _delivers(scene: Scene, happening: Happening) -> None:
    (received,) = scene.happened
    assert isinstance(received, Received)
    assert (received.message.text(11), received.number) == (NEW_ID, scene.before[1])
    assert scene.said == []
    _stayed(scene, 1, 0)
    assert scene.session.flush().changes is None  # durable only when it is dealt with
    scene.session.dealt(received)
    changes = scene.session.flush().changes
    assert changes is not None
    assert changes.next_in == scene.session.next_in


def _queues(scene: Scene, happening: Happening) -> None:
    """It is not delivered, and the gap is asked for unless it was before."""
    assert scene.happened == []
    if scene.before[0] is S.GAP:
        assert scene.said == []
        _stayed(scene, 0, 0)
    else:
        _asked_for(scene.said[0], scene.before[1], scene.before[1] + 3)
        _moved(scene, S.GAP, 0, 1)


def _says_farewell(scene: Scene, happening: Happening) -> None:
    (logout,) = scene.said
    assert logout[35] == "5"
    assert scene.happened == [Ended(TEXT, True, True)]
    _moved(scene, S.CLOSED, 1 if happening is H.LOGOUT else 0, 1)


def _ends(scene: Scene, happening: Happening) -> None:
    assert scene.said == []
    assert scene.happened == [Ended(TEXT, scene.before[0] is not S.LOGON_SENT, True)]
    _moved(scene, S.CLOSED, 1 if happening is H.LOGOUT else 0, 0)


def _tests(scene: Scene, happening: Happening) -> None:
    (test,) = scene.said
    assert test[35] == "1"
    assert test[112]
    _stayed(scene, 0, 1)


def _beats(scene: Scene, happening: Happening) -> None:
    (heartbeat,) = scene.said
    assert (heartbeat[35], 112 in heartbeat) == ("0", False)
    _stayed(scene, 0, 1)


def _sends(scene: Scene, happening: Happening) -> None:
    (report,) = scene.said
    assert (report[35], report[11], report[52]) == ("8", NEW_ID, stamp(scene.now_ns))
    assert int(report[34]) == scene.before[2]
    _stayed(scene, 0, 1)


def _logs_out(scene: Scene, happening: Happening) -> None:
    (logout,) = scene.said
    assert (logout[35], logout[58]) == ("5", TEXT)
    assert scene.happened == []
    _moved(scene, S.LOGGING_OUT, 0, 1)


PROMISES: dict[Reaction, Callable[[Scene, Happening], None]] = {
    R.IGNORE: _nothing,
    R.HOLD: _held,
    R.CLOSE: _closes,
    R.BYE: _says_bye,
    R.REBUFF: _rebuffs,
    R.ASK: _asks,
    R.ANSWER: _answers,
    R.ANSWER_GAP: _answers,
    R.UP: _comes_up,
    R.UP_GAP: _comes_up,
    R.RESET: _resets,
    R.COUNT: _counts,
    R.ECHO: _echoes,
    R.RESEND: _resends,
    R.RESEND_GAP: _resends,
    R.TELL: _tells,
    R.JUMP: _jumps,
    R.REJECT: _rejects,
    R.DELIVER: _delivers,
    R.QUEUE: _queues,
    R.QUEUE_GAP: _queues,
    R.FAREWELL: _says_farewell,
    R.END: _ends,
    R.TEST: _tests,
    R.BEAT: _beats,
    R.SEND: _sends,
    R.LOGOUT: _logs_out,
}


def test_the_table_has_a_cell_for_everything() -> None:
    assert set(REACTIONS) == {(state, happening) for state in State for happening in Happening}
    assert set(REACTIONS.values()) == set(Reaction)
    assert set(PROMISES) == set(Reaction) - {R.ERROR, R.NEVER}


@pytest.mark.parametrize(("state", "happening"), REACTIONS, ids=[f"{s}-{h}" for s, h in REACTIONS])
def test_cell(state: State, happening: Happening) -> None:
    reaction = REACTIONS[state, happening]
    scene = COLUMNS[state]()
    assert scene.session.state is state
    scene.session._it.told()
    scene.before = scene.facts()
    if reaction is R.NEVER:
        with pytest.raises(AssertionError, match="cannot happen"):
            react(scene.session._it, reaction, What(NOW, None, None))
        return
    if reaction is R.ERROR:
        with pytest.raises(Forbidden, match=state):
            ROWS[happening](scene)
        assert scene.facts() == scene.before
        assert said(scene.session) == []
        return
    scene.happened = ROWS[happening](scene)
    scene.said = said(scene.session)
    PROMISES[reaction](scene, happening)
