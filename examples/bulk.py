"""Sends many notifications in one request; each has its own idempotency key and its own result.

Run it while `make up` runs: `CARILLON_KEY=car_… .venv/bin/python examples/bulk.py 50`
"""

import os
import sys
import uuid
from collections import Counter

import httpx


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    url, key = os.environ.get("CARILLON_URL", "http://127.0.0.1:8080"), os.environ["CARILLON_KEY"]
    run = uuid.uuid4()
    notifications = [
        {
            "idempotency_key": f"example-{run}-{number}",
            "to": {"phone": f"+1555012{number:04d}"},
            "template": "order.shipped",
            "data": {"name": "Asha", "order": f"B-{number}"},
            "channels": ["whatsapp"],
            "trigger": "order.shipped",
        }
        for number in range(1000, 1000 + count)
    ]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as carillon:
        answer = carillon.post("/v1/notifications/bulk", json={"items": notifications})
        answer.raise_for_status()
        results = answer.json()["results"]
    print(Counter(result["status"] for result in results))
    for result in results:
        if result["status"] == "rejected":
            print(f"  {result['index']}: {result['problem']['title']}: {result['problem'].get('detail')}")


if __name__ == "__main__":
    main()
