"""Numbers of FIX: tags, message types, reasons for a Reject, by the names the standard gives them.

Only what a session needs or answers; what an application's messages hold is the application's.
Sources: FIX 4.4 with errata 20030618, FIXT 1.1, FIX 5.0 SP2 (header, trailer, session messages).
"""

from enum import IntEnum, StrEnum

# ── tags ───────────────────────────────────────────────────────────────────────────────────────

BEGIN_SEQ_NO = 7
BEGIN_STRING = 8
BODY_LENGTH = 9
CHECK_SUM = 10
END_SEQ_NO = 16
MSG_SEQ_NUM = 34
MSG_TYPE = 35
NEW_SEQ_NO = 36
POSS_DUP_FLAG = 43
REF_SEQ_NUM = 45
SENDER_COMP_ID = 49
SENDER_SUB_ID = 50
SENDING_TIME = 52
TARGET_COMP_ID = 56
TARGET_SUB_ID = 57
TEXT = 58
SIGNATURE = 89
SIGNATURE_LENGTH = 93
POSS_RESEND = 97
ENCRYPT_METHOD = 98
HEART_BT_INT = 108
TEST_REQ_ID = 112
ORIG_SENDING_TIME = 122
GAP_FILL_FLAG = 123
RESET_SEQ_NUM_FLAG = 141
REF_TAG_ID = 371
REF_MSG_TYPE = 372
SESSION_REJECT_REASON = 373
BUSINESS_REJECT_REF_ID = 379
BUSINESS_REJECT_REASON = 380
USERNAME = 553
PASSWORD = 554
NEXT_EXPECTED_MSG_SEQ_NUM = 789
DEFAULT_APPL_VER_ID = 1137

HEADER_TAGS = frozenset({
    8, 9, 35, 49, 56, 115, 128, 90, 91, 34, 50, 142, 57, 143, 116, 144, 129, 145, 43, 97, 52, 122,
    212, 213, 347, 369, 627, 628, 629, 630, 1128, 1129, 1156,
})  # fmt: skip
TRAILER_TAGS = frozenset({93, 89, 10})

# A field that says how many bytes the data field right after it has: that one may hold any byte.
DATA_TAGS: dict[int, int] = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622, 1184: 1185, 1277: 1278, 1280: 1281,
    1282: 1283, 1397: 1398, 1401: 1402, 1403: 1404, 1468: 1469, 1525: 1527,
}  # fmt: skip
LENGTH_TAGS = frozenset(DATA_TAGS)

# Repeating groups that may come in: the counting tag, and what may stand in an entry. Groups inside
# an entry are listed with it: their tags may repeat too.
_NESTED_PARTIES = (539, 524, 525, 538, 804, 545, 805)
_GROUP_TABLE: dict[int, tuple[int, ...]] = {
    78: (79, 661, 736, 467, 80, 81, 153, 154, 776, 208, 209, 161, 360, 361, *_NESTED_PARTIES),
    146: (55, 65, 48, 22, 454, 455, 456, 460, 461, 167, 762, 200, 541, 201, 202, 206, 231, 207, 106,
          107, 64, 63),
    215: (216, 217),
    232: (233, 234),
    267: (269,),
    382: (375, 337, 437, 438, 655),
    384: (372, 385, 1130, 1131, 1406, 1410),
    386: (336, 625),
    453: (448, 447, 452, 802, 523, 803, 2376),
    454: (455, 456),
    518: (519, 520, 521),
    539: _NESTED_PARTIES[1:],
    555: (600, 601, 602, 603, 604, 605, 606, 607, 608, 609, 610, 611, 612, 616, 620, 623, 624, 556,
          687, 690, 564, 565, 654, 566, 587, 588, 683, 688, 689, 1017, *_NESTED_PARTIES),
    627: (628, 629, 630),
    711: (311, 312, 309, 305, 457, 458, 459, 462, 463, 310, 763, 313, 542, 241, 242, 243, 244, 245,
          246, 247, 256, 316, 317, 435, 308, 306, 307, 318, 879, 810, 882, 884, 885, 886, 887, 888,
          889),
    753: (707, 708, 1055),
    768: (769, 770, 771),
    864: (865, 866, 867, 868, 1145, 1827),
    957: (958, 959, 960),
    1116: (1117, 1118, 1119, 1120, 1121, 1122),
}  # fmt: skip
GROUPS = {count: frozenset(members) for count, members in _GROUP_TABLE.items()}


class MsgType(StrEnum):
    """The message types that belong to the session, and one that answers an application message."""

    HEARTBEAT = "0"
    TEST_REQUEST = "1"
    RESEND_REQUEST = "2"
    REJECT = "3"
    SEQUENCE_RESET = "4"
    LOGOUT = "5"
    LOGON = "A"
    BUSINESS_MESSAGE_REJECT = "j"


class RejectReason(IntEnum):
    """SessionRejectReason (373): why a message is answered with a Reject."""

    INVALID_TAG_NUMBER = 0
    REQUIRED_TAG_MISSING = 1
    TAG_NOT_DEFINED_FOR_MESSAGE = 2
    UNDEFINED_TAG = 3
    TAG_WITHOUT_VALUE = 4
    VALUE_INCORRECT = 5
    INCORRECT_DATA_FORMAT = 6
    DECRYPTION_PROBLEM = 7
    SIGNATURE_PROBLEM = 8
    COMP_ID_PROBLEM = 9
    SENDING_TIME_ACCURACY = 10
    INVALID_MSG_TYPE = 11
    TAG_MORE_THAN_ONCE = 13
    TAG_OUT_OF_ORDER = 14
    GROUP_OUT_OF_ORDER = 15
    GROUP_COUNT_WRONG = 16
    DELIMITER_IN_VALUE = 17
    OTHER = 99


class BusinessReason(IntEnum):
    """BusinessRejectReason (380)."""

    OTHER = 0
    UNKNOWN_ID = 1
    UNKNOWN_SECURITY = 2
    UNSUPPORTED_MESSAGE_TYPE = 3
    APPLICATION_NOT_AVAILABLE = 4
    REQUIRED_FIELD_MISSING = 5
    NOT_AUTHORIZED = 6
