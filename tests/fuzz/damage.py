"""Ways in which a file comes to hold other bytes than were written."""

from __future__ import annotations

from hypothesis import strategies as st

_BYTES = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from([b"\0" * 64, b"\n", b"\n\n", b"\xff\xfe", b"[" * 3000, b'{"a":' * 3000, b"1" * 7000, b'"', b"}"]),
)
Harm = tuple[str, float, float, bytes]

HARM: st.SearchStrategy[Harm] = st.tuples(
    st.sampled_from(["flip", "cut", "remove", "insert", "overwrite", "zeros"]),
    st.floats(0, 1),
    st.floats(0, 0.3),
    _BYTES,
)


def harmed(raw: bytes, harm: Harm) -> bytes:
    """`raw` after one harm: its kind, where (a share of the length), how much, and with what bytes."""
    kind, where, share, noise = harm
    at = round(where * len(raw))
    end = min(len(raw), at + 1 + round(share * len(raw)))
    match kind:
        case "flip":
            return raw[:at] + bytes(byte ^ (noise[0] or 1) for byte in raw[at : at + 1]) + raw[at + 1 :]
        case "cut":
            return raw[:at]
        case "remove":
            return raw[:at] + raw[end:]
        case "insert":
            return raw[:at] + noise + raw[at:]
        case "zeros":
            return raw[:at] + b"\0" * (end - at) + raw[end:]
    return raw[:at] + noise + raw[at + len(noise) :]


def first_difference(before: bytes, after: bytes) -> int | None:
    """The first byte that is another, or not there; None where all are the same."""
    for at, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return at
    return None if len(before) == len(after) else min(len(before), len(after))
