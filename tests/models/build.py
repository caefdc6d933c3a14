"""Writes a tiny model of which every answer is known: `python tests/models/build.py FILE.gguf`.

A Llama with no knowledge: its embeddings are one-hot, its attention and its MLP are zero, and its
output matrix is a table that names the next token for each last token. So real llama.cpp answers
greedily what `CHAINS` says, whatever stands before the last token. Every byte is one token, and
there are the sentinels of Qwen2.5-Coder, so the prompt's token count is its number of bytes plus
its number of sentinels. Format: GGUF version 3 (docs/gguf.md of the ggml project).
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

SENTINELS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
CHAINS = {
    "<|fim_middle|>": ("return", " a", " +", " b"),
    "<|im_start|>": ("Hello", " from", " the", " tiny", " model."),
    "otherwise": ("pass",),
}
"""What follows a sentinel, or any byte; then the model ends its answer."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}: {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)
CONTEXT = 8192
HEAD, HIDDEN = 32, 32
SURE = 32.0
"""The logit of the token that comes next; all others have 0."""
ALIGNMENT = 32
U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TENSOR_F32, TENSOR_F16 = 0, 1
NORMAL, CONTROL = 1, 3
MOSTLY_F16 = 1


def printable_bytes() -> list[str]:
    """Each byte as the character by which a GPT-2 tokenizer writes it."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def vocabulary() -> list[str]:
    """Sentinels, then bytes, then the words of the answers."""
    words = [word.replace(" ", "Ġ") for chain in CHAINS.values() for word in chain]
    return [*SENTINELS, *printable_bytes(), *words]


def successors(tokens: list[str]) -> list[int]:
    """For each token the one that follows it."""
    number = {token: index for index, token in enumerate(tokens)}
    after = [number[CHAINS["otherwise"][0]]] * len(tokens)
    for start, chain in CHAINS.items():
        path = [number[word.replace(" ", "Ġ")] for word in chain]
        if start in number:
            after[number[start]] = path[0]
        for this, following in zip(path, [*path[1:], 0], strict=True):
            after[this] = following
    return after


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(key: str, kind: int, items: list[bytes]) -> bytes:
    return entry(key, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def number(key: str, value: int) -> bytes:
    return entry(key, U32, struct.pack("<I", value))


def shape(size: int) -> list[bytes]:
    """The architecture: one layer, one head."""
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": size,
        "block_count": 1,
        "feed_forward_length": HIDDEN,
        "attention.head_count": 1,
        "attention.head_count_kv": 1,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "rope.dimension_count": HEAD,
        "vocab_size": size,
    }
    return [
        entry("general.architecture", STRING, text("llama")),
        entry("general.name", STRING, text("tiny")),
        number("general.file_type", MOSTLY_F16),
        *(number(f"llama.{key}", value) for key, value in numbers.items()),
        entry("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-6)),
    ]


def tokenizer(tokens: list[str]) -> list[bytes]:
    """A GPT-2 tokenizer without merges that any text could use: every byte stays a token."""
    kinds = [struct.pack("<i", CONTROL if index < len(SENTINELS) else NORMAL) for index in range(len(tokens))]
    special = {
        "eos": 0,
        "eot": 2,
        "padding": 6,
        "fim_pre": 3,
        "fim_suf": 5,
        "fim_mid": 4,
        "fim_pad": 6,
        "fim_rep": 7,
        "fim_sep": 8,
    }
    return [
        entry("tokenizer.ggml.model", STRING, text("gpt2")),
        entry("tokenizer.ggml.pre", STRING, text("gpt-2")),
        array("tokenizer.ggml.tokens", STRING, [text(token) for token in tokens]),
        array("tokenizer.ggml.token_type", I32, kinds),
        array("tokenizer.ggml.merges", STRING, [text("\u0100 \u0100")]),
        entry("tokenizer.ggml.add_bos_token", BOOL, b"\0"),
        entry("tokenizer.chat_template", STRING, text(TEMPLATE)),
        *(number(f"tokenizer.ggml.{name}_token_id", index) for name, index in special.items()),
    ]


def diagonal(size: int) -> bytes:
    """The embeddings: each token is a direction of its own."""
    one = struct.pack("<e", 1.0)
    return one + (bytes(2 * size) + one) * (size - 1)


def table(after: list[int]) -> bytes:
    """The output matrix: row = next token, column = last token."""
    size = len(after)
    sure = struct.pack("<e", SURE / size**0.5)
    data = bytearray(2 * size * size)
    for last, following in enumerate(after):
        place = 2 * (following * size + last)
        data[place : place + 2] = sure
    return bytes(data)


def tensors(after: list[int]) -> list[tuple[str, int, tuple[int, ...], bytes]]:
    """Name, type, shape (innermost first) and data."""
    size = len(after)
    ones = struct.pack("<f", 1.0) * size

    def zeros(name: str, inner: int, outer: int) -> tuple[str, int, tuple[int, ...], bytes]:
        return f"blk.0.{name}.weight", TENSOR_F16, (inner, outer), bytes(2 * inner * outer)

    return [
        ("token_embd.weight", TENSOR_F16, (size, size), diagonal(size)),
        ("blk.0.attn_norm.weight", TENSOR_F32, (size,), ones),
        *(zeros(name, size, HEAD) for name in ("attn_q", "attn_k", "attn_v")),
        zeros("attn_output", HEAD, size),
        ("blk.0.ffn_norm.weight", TENSOR_F32, (size,), ones),
        *(zeros(name, size, HIDDEN) for name in ("ffn_gate", "ffn_up")),
        zeros("ffn_down", HIDDEN, size),
        ("output_norm.weight", TENSOR_F32, (size,), ones),
        ("output.weight", TENSOR_F16, (size, size), table(after)),
    ]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def build() -> bytes:
    """The whole file; the same bytes every time."""
    tokens = vocabulary()
    facts = [*shape(len(tokens)), *tokenizer(tokens)]
    described, content, offset = [], [], 0
    for name, kind, sizes, data in tensors(successors(tokens)):
        described.append(
            text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset),
        )
        content.append(padded(data))
        offset += len(content[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(described), len(facts)) + b"".join(facts) + b"".join(described)
    return padded(head) + b"".join(content)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(build())
