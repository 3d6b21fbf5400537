"""What the checks of both SDKs share."""

import base64
import contextlib
import struct
import time
import zlib
from dataclasses import dataclass

UPSTREAMS = {"o": "openai", "a": "anthropic"}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
# Long enough that its slow answer takes some ten seconds, a quarter for each token.
LONG = (
    "Tell me about the tides, one by one, and leave nothing out: "
    "the spring tide, the neap tide, the king tide, the rip."
)
SLOW_ANSWER_TAKES = 9.0
SECRET = "ada.lovelace@analytical.example"
CARD = "4111 1111 1111 1111"
PRIVATE = f"write to {SECRET} about card {CARD}, please"


@dataclass
class Gateway:
    open: str
    locked: str
    key: str
    # May name the model `o-429` and no other.
    narrow_key: str


def named_checks(sdk, module, *arguments):
    """Every `both_…` of a module for each upstream, every `once_…` once, with their names."""
    for name, check in list(module.items()):
        words = name.split("_", 1)[-1].replace("_", " ")
        if name.startswith("both_"):
            for upstream, speaks in UPSTREAMS.items():
                yield f"{sdk} → {speaks}: {words}", lambda check=check, up=upstream: check(*arguments, up)
        elif name.startswith("once_"):
            yield f"{sdk}: {words}", lambda check=check: check(*arguments)


@contextlib.contextmanager
def raises(kind, *words):
    """The block raises exactly this kind of error, and its text has these words."""
    try:
        yield
    except kind as error:
        for word in words:
            assert word in str(error), f"`{word}` is not in: {error}"
    else:
        raise AssertionError(f"{kind.__name__} was expected, and nothing was raised")


@contextlib.contextmanager
def quicker_than(seconds):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"it took {took:.1f} s; {seconds} s is when the whole answer is there"


def equal(left, right):
    assert left == right, f"{left!r} is not {right!r}"


def png():
    """A red pixel, in base64."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
    return base64.b64encode(image).decode()
