"""The transformer in torch: fine-tuning, and its parts of ONNX. The only module that needs torch.

MiniLM-L6 (Wang et al. 2020, arXiv:2002.10957) as the sentence-transformers project distilled it
(``all-MiniLM-L6-v2``, Apache-2.0): BERT with six layers of 384 units, mean pooling, linear heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Targets

F32 = NDArray[np.float32]

WIDTH, LAYERS, HEADS, FEED = 384, 6, 12, 1536

TOKENS_PER_BATCH = 2048
"""Padded tokens in one step; texts of similar length share it."""

RATE = 7e-5
HEAD_RATE = 1e-3
WARM = 0.06
DECAY = 0.01
DROPOUT = 0.1
"""Of the pooled vector only: inside it costs a tenth of the time, and one pass leaves little to forget."""

_BUCKET = 64
"""Batches whose rows are sorted by length together; beyond that the order is random."""


class Examples(NamedTuple):
    """Token numbers per text, and targets [texts, labels]."""

    tokens: Sequence[NDArray[np.int32]]
    targets: Targets


class Layer(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """One encoder layer with the normalisation after each half, as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.out_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.feed = nn.Linear(WIDTH, FEED)
        self.back = nn.Linear(FEED, WIDTH)
        self.back_norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """*hidden* [batch, tokens, width]; *mask* [batch, 1, 1, tokens] is added to attention."""
        batch, length, _ = hidden.shape
        query, key, value = (
            self.qkv(hidden).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        )
        weights = torch.softmax(query @ key.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + mask, dim=-1)
        seen = (weights @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        hidden = self.out_norm(hidden + self.out(seen))
        return self.back_norm(hidden + self.back(functional.gelu(self.feed(hidden))))


class Transformer(nn.Module):  # type: ignore[misc]  # as above
    """Token numbers [batch, tokens] (0 pads) → logits [batch, labels]."""

    def __init__(self, words: int, positions: int, labels: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, WIDTH)
        self.positions = nn.Embedding(positions, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        self.head = nn.Linear(WIDTH, labels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        real = tokens != 0
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.norm(self.words(tokens) + self.positions(places))
        mask = (1.0 - real.to(hidden.dtype))[:, None, None, :] * -10000.0
        for layer in self.layers:
            hidden = layer(hidden, mask)
        kept = real.to(hidden.dtype).unsqueeze(-1)
        pooled = (hidden * kept).sum(1) / kept.sum(1)
        result: torch.Tensor = self.head(functional.dropout(pooled, DROPOUT, self.training))
        return result


def pretrained(stored: Mapping[str, F32], rows: NDArray[np.int64], labels: int) -> Transformer:
    """The model with the weights of *stored* (Hugging Face's names for BERT) for the vocabulary entries
    *rows*, and a head of zeros."""
    model = Transformer(len(rows), len(stored["embeddings.position_embeddings.weight"]), labels)
    named: dict[str, Any] = {
        "words.weight": stored["embeddings.word_embeddings.weight"][rows],
        # Every token has type 0: its vector is part of each position's.
        "positions.weight": stored["embeddings.position_embeddings.weight"]
        + stored["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": stored["embeddings.LayerNorm.weight"],
        "norm.bias": stored["embeddings.LayerNorm.bias"],
        "head.weight": np.zeros((labels, WIDTH), dtype=np.float32),
        "head.bias": np.zeros(labels, dtype=np.float32),
    }
    for number in range(LAYERS):
        base = f"encoder.layer.{number}."
        for kind in ("weight", "bias"):
            parts = [stored[f"{base}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            named[f"layers.{number}.qkv.{kind}"] = np.concatenate(parts)
            for ours, theirs in (
                ("out", "attention.output.dense"),
                ("out_norm", "attention.output.LayerNorm"),
                ("feed", "intermediate.dense"),
                ("back", "output.dense"),
                ("back_norm", "output.LayerNorm"),
            ):
                named[f"layers.{number}.{ours}.{kind}"] = stored[f"{base}{theirs}.{kind}"]
    model.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in named.items()})
    return model


def fit(model: Transformer, examples: Examples, *, seed: int, progress: Progress) -> None:
    """Minimise the masked, weighted cross-entropy of *examples* in one pass over them (repeats are the
    caller's), in bfloat16 where the processor has it; one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    batches = _batches([len(entry) for entry in examples.tokens], np.random.default_rng(seed))
    head = [model.head.weight, model.head.bias]
    body = [p for name, p in model.named_parameters() if not name.startswith("head.")]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": RATE}, {"params": head, "lr": HEAD_RATE}], weight_decay=DECAY, fused=True
    )
    values, weights = torch.from_numpy(examples.targets.values), torch.from_numpy(examples.targets.weights)
    scale = float(np.mean(examples.targets.weights.sum(axis=1)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, len(batches)))
    model.train()
    for chunk in progress.over(batches, "transformer"):
        tokens = padded([examples.tokens[index] for index in chunk])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(torch.from_numpy(tokens))
        losses = functional.binary_cross_entropy_with_logits(logits.float(), values[chunk], reduction="none")
        loss = (losses * weights[chunk]).sum() / (len(chunk) * scale)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def _rate(step: int, steps: int) -> float:
    """Linear rise over the first steps, then linear fall to a twentieth."""
    warm = max(1, int(WARM * steps))
    return (step + 1) / warm if step < warm else 0.05 + 0.95 * (steps - step) / max(1, steps - warm)


def _batches(lengths: Sequence[int], generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Row numbers per step: about :data:`TOKENS_PER_BATCH` padded tokens, similar lengths together."""
    order = generator.permutation(len(lengths))
    size = _BUCKET * TOKENS_PER_BATCH // 32
    batches = []
    for start in range(0, len(order), size):
        part = sorted(order[start : start + size].tolist(), key=lengths.__getitem__)
        batch: list[int] = []
        for row in part:
            if batch and (len(batch) + 1) * lengths[row] > TOKENS_PER_BATCH:
                batches.append(np.array(batch))
                batch = []
            batch.append(row)
        batches.append(np.array(batch))
    return [batches[index] for index in generator.permutation(len(batches))]


def padded(tokens: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """One array [texts, longest], padded with 0."""
    result = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    for row, entry in enumerate(tokens):
        result[row, : len(entry)] = entry
    return result


@torch.no_grad()  # type: ignore[untyped-decorator]  # as above
def predict(model: Transformer, tokens: Sequence[NDArray[np.int32]]) -> F32:
    """Logits [texts, labels] in float32."""
    model.eval()
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    result = np.zeros((len(tokens), model.head.out_features), dtype=np.float32)
    for start in range(0, len(order), 32):
        chunk = order[start : start + 32]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(torch.from_numpy(padded([tokens[index] for index in chunk])))
        result[chunk] = found.float().numpy()
    return result


def export(model: Transformer, path: Path) -> None:
    """The model as ONNX in float32: input ``tokens`` int64 [batch, tokens], output ``logits``."""
    model.eval()
    torch.onnx.export(
        model,
        (torch.ones((2, 8), dtype=torch.int64),),
        str(path),
        input_names=["tokens"],
        output_names=["logits"],
        dynamic_axes={"tokens": {0: "batch", 1: "length"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
