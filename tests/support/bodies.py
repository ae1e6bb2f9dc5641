"""Request bodies that are wrong in every way hypothesis can think of, from random bytes to nearly right."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

NAMES = (
    *("source", "destination", "callFlow", "callflow", "webhook", "url", "token", "steps", "numbers", "language", "title"),
    *("id", "action", "options", "conditions", "variable", "operator", "value", "onKeypressGoto", "maxNumKeys", "maxDuration"),
    *("payload", "media", "length", "repeat", "machineTimeout", "ringTimeout", "mask", "keys", "record", "default"),
)
WORDS = (
    *(
        "say",
        "play",
        "pause",
        "transfer",
        "record",
        "hangup",
        "sendKeys",
        "tag",
        "fetchCallFlow",
        "true",
        "0",
        "",
        "{}",
        "[1]",
        "\x00",
    ),
    *("31205550100", "sip:a@b", "client:a", "http://[", "https://a.test/", "http://a.test:99999/", "nan", "1e999", "=="),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
        | inner.map(lambda value: msgspec.json.encode(value).decode())
    ),
    max_leaves=25,
)
steps = st.fixed_dictionaries(
    {"action": st.sampled_from(WORDS) | values}, optional={"options": values, "id": values, "conditions": values}
)
flows = st.fixed_dictionaries({"steps": st.lists(steps, max_size=4)}, optional={"maxDuration": values, "default": values})
calls = st.fixed_dictionaries(
    {"source": st.just("31205550100"), "destination": st.just("sip:a@b"), "callFlow": flows}, optional={"webhook": values}
)
webhooks = st.fixed_dictionaries({"url": st.sampled_from(WORDS)}, optional={"token": values})
numbers = st.fixed_dictionaries({"numbers": st.lists(st.sampled_from(WORDS) | values, max_size=4)})

bodies = st.binary(max_size=60) | (values | flows | calls | webhooks | numbers).map(msgspec.json.encode)
