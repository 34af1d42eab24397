"""Texts that onnxruntime turns into vectors in a second: the same graph, tokenizer, texts and threads as the engine in
`tau`, so that the two engines alone are compared. Prints one JSON object."""

import json
import sys
import time

import numpy
import onnxruntime
import tokenizers

graph, tokenizer, expected, threads = sys.argv[1:5]
with open(expected) as file:
    given = json.load(file)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
cut = tokenizers.Tokenizer.from_file(tokenizer)
cut.no_padding()
cut.enable_truncation(256)


def embed(texts):
    encodings = [encoding.ids for encoding in cut.encode_batch_fast(texts)]
    longest = max(len(ids) for ids in encodings)
    ids = numpy.zeros((len(texts), longest), numpy.int64)
    mask = numpy.zeros((len(texts), longest), numpy.int32)
    for row, tokens in enumerate(encodings):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    inputs = {"ids": ids, "mask": mask, "positions": numpy.arange(longest, dtype=numpy.int64)}
    (states,) = session.run(["states"], inputs)
    mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)


def per_second(size):
    best = 0
    texts = given["texts"]
    for _ in range(3):
        start = time.perf_counter()
        for place in range(0, len(texts), size):
            embed(texts[place : place + size])
        best = max(best, len(texts) / (time.perf_counter() - start))
    return best


vectors = numpy.concatenate([embed(given["texts"][place : place + 32]) for place in range(0, len(given["texts"]), 32)])
cosines = (vectors * numpy.array(given["vectors"])).sum(1)
print(
    json.dumps(
        {
            "version": onnxruntime.__version__,
            "least_cosine": float(cosines.min()),
            "batch_1": per_second(1),
            "batch_32": per_second(32),
        }
    )
)
