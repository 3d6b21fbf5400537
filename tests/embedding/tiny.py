"""What `tests/embedding.rs` expects of a tiny model, worked out by other programs.

Tokens are those of Hugging Face's `tokenizers`, directions are numpy's, in double precision. The weights are made by the
same arithmetic as in `tests/support/tiny.rs`. Run it in this folder, and copy what it prints:

    python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy tokenizers && /tmp/v/bin/python tiny.py

With the folder of all-MiniLM-L6-v2 behind it, it does the same for that model.
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

TEXTS = [
    "How do I select page 7 of the photo?",
    "how do i choose page 7 of the photograph",
    "Café  naïve, NAÏVE-cafe: 中文 don't [SEP]",
    "unheard-of pagers",
]


def tiny(folder):
    """The tensors by name, in the order in which they are made."""
    config = json.loads((folder / "config.json").read_text())
    own, wide = config["hidden_size"], config["intermediate_size"]
    shapes = [
        ("embeddings.word_embeddings.weight", (config["vocab_size"], own)),
        ("embeddings.position_embeddings.weight", (config["max_position_embeddings"], own)),
        ("embeddings.token_type_embeddings.weight", (config["type_vocab_size"], own)),
        ("embeddings.LayerNorm.weight", (own,)),
        ("embeddings.LayerNorm.bias", (own,)),
    ]
    for layer in range(config["num_hidden_layers"]):
        for part, rows, columns in [
            ("attention.self.query", own, own),
            ("attention.self.key", own, own),
            ("attention.self.value", own, own),
            ("attention.output.dense", own, own),
            ("intermediate.dense", wide, own),
            ("output.dense", own, wide),
        ]:
            shapes += [(f"encoder.layer.{layer}.{part}.weight", (rows, columns)), (f"encoder.layer.{layer}.{part}.bias", (rows,))]
        for part in ["attention.output.LayerNorm", "output.LayerNorm"]:
            shapes += [(f"encoder.layer.{layer}.{part}.weight", (own,)), (f"encoder.layer.{layer}.{part}.bias", (own,))]
    state, tensors = 1, {}
    for name, shape in shapes:
        values = []
        for _ in range(math.prod(shape)):
            state = (state * 1664525 + 1013904223) % 2**32
            values.append(np.float32((state >> 8) / 2**24 - 0.5))
        tensors[name] = np.array(values, dtype=np.float64).reshape(shape)
    return config, tensors


def real(folder):
    config = json.loads((folder / "config.json").read_text())
    raw = (folder / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    head, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    tensors = {
        name: np.frombuffer(data[slice(*said["data_offsets"])], dtype="<f4").reshape(said["shape"]).astype(np.float64)
        for name, said in head.items()
        if name != "__metadata__" and said["dtype"] == "F32"
    }
    return config, tensors


def embed(config, tensors, ids):
    def norm(x, name):
        middle, spread = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        x = (x - middle) / np.sqrt(spread + config["layer_norm_eps"])
        return x * tensors[name + ".weight"] + tensors[name + ".bias"]

    def linear(x, name):
        return x @ tensors[name + ".weight"].T + tensors[name + ".bias"]

    count, own, heads = len(ids), config["hidden_size"], config["num_attention_heads"]
    split = lambda x: x.reshape(count, heads, own // heads).transpose(1, 0, 2)
    x = tensors["embeddings.word_embeddings.weight"][ids] + tensors["embeddings.position_embeddings.weight"][:count]
    x = norm(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        part = lambda name: f"encoder.layer.{layer}.{name}"
        query, key, value = (split(linear(x, part("attention.self." + name))) for name in ("query", "key", "value"))
        shares = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(own // heads))
        shares /= shares.sum(-1, keepdims=True)
        heard = (shares @ value).transpose(1, 0, 2).reshape(count, own)
        x = norm(x + linear(heard, part("attention.output.dense")), part("attention.output.LayerNorm"))
        wide = linear(x, part("intermediate.dense"))
        wide *= 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(x + linear(wide, part("output.dense")), part("output.LayerNorm"))
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main():
    is_real = len(sys.argv) > 1
    folder = Path(sys.argv[1]) if is_real else Path(__file__).parent
    config, tensors = real(folder) if is_real else tiny(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(config["max_position_embeddings"])
    for text in TEXTS:
        # Names of special tokens are text to the gateway: nobody may end a question early.
        ids = tokenizer.encode(text.replace("[SEP]", "[ SEP ]")).ids
        direction = embed(config, tensors, ids)
        print(f"{json.dumps(text, ensure_ascii=False)}\n  {ids}\n  {[round(float(x), 6) for x in direction[:8]]}")
    first = embed(config, tensors, tokenizer.encode(TEXTS[0]).ids)
    print("likeness of the first two", round(float(first @ embed(config, tensors, tokenizer.encode(TEXTS[1]).ids)), 6))


main()
