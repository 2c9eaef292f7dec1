"""Loads the shards of a training job's next epoch while it trains on this one. Needs nothing but Python."""

import json
import os
import random
import urllib.request

SCHEDULER = os.environ.get("RINGLIGHT_SCHEDULER", "http://127.0.0.1:19996")
TOKEN = os.environ.get("RINGLIGHT_TOKEN")
SHARDS = [f"/s3/train/shard-{number:05d}.tar" for number in range(1000)]
EPOCHS = 3


def preload(shards: list[str]) -> str:
    """Submits a load of these objects, in this order, and returns its id."""
    body = json.dumps({"manifest": "\n".join(shards), "skipCached": True, "priority": 5}).encode()
    headers = {"content-type": "application/json"}
    if TOKEN:
        headers["authorization"] = f"Bearer {TOKEN}"
    request = urllib.request.Request(f"{SCHEDULER}/v1/jobs", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["id"]


def train(shard: str) -> None:
    """Your training step: reads the shard by S3, FUSE or the SDK, and finds it cached."""


orders = [random.Random(epoch).sample(SHARDS, len(SHARDS)) for epoch in range(EPOCHS)]
print("loading the first epoch:", preload(orders[0]))
for epoch, order in enumerate(orders):
    for position, shard in enumerate(order):
        if position == len(order) // 2 and epoch + 1 < EPOCHS:
            print("loading the next epoch:", preload(orders[epoch + 1]))
        train(shard)
