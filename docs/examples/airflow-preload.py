"""Loads a table into Ringlight before an Airflow task queries it: partial or failed loads fail the task, with the reasons in its log."""

import json
import os
import time
import urllib.request

from airflow.decorators import dag, task
from pendulum import datetime

SCHEDULER = os.environ.get("RINGLIGHT_SCHEDULER", "http://127.0.0.1:19996")
TOKEN = os.environ.get("RINGLIGHT_TOKEN")


def call(method: str, path: str, body: dict | None = None) -> dict:
    headers = {"content-type": "application/json"}
    if TOKEN:
        headers["authorization"] = f"Bearer {TOKEN}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{SCHEDULER}{path}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@dag(schedule="0 5 * * *", start_date=datetime(2026, 1, 1), catchup=False)
def daily_report():
    @task(retries=2)
    def preload(day: str) -> int:
        # The same submission again, as a retry makes it, finds the job that is under way.
        job = call("POST", "/v1/jobs", {"paths": [f"/lake/sales/day={day}/"], "bandwidth": "500MiB/s"})
        while job["state"] in ("queued", "running", "paused"):
            time.sleep(2)
            job = call("GET", f"/v1/jobs/{job['id']}")
        if job["state"] != "complete":
            for entry in call("GET", f"/v1/jobs/{job['id']}/failed?limit=100")["failed"]:
                print(entry["path"], entry["code"], entry["message"])
            raise RuntimeError(f"{job['id']} is {job['state']}: {job['reason']}")
        return job["loaded"]["bytes"] + job["cached"]["bytes"]

    @task
    def query(cached_bytes: int) -> None:
        print(f"{cached_bytes} bytes are warm; the query runs now")

    query(preload("{{ ds }}"))


daily_report()
