"""Sends one notification and waits until somebody read it.

Run it while `make up` runs: `CARILLON_KEY=car_… .venv/bin/python examples/send.py +15550101234`
"""

import os
import sys
import time
import uuid

import httpx


def main() -> None:
    phone = sys.argv[1] if len(sys.argv) > 1 else "+15550101234"
    url, key = os.environ.get("CARILLON_URL", "http://127.0.0.1:8080"), os.environ["CARILLON_KEY"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20) as carillon:
        answer = carillon.post(
            "/v1/notifications",
            # The same key and body give the same notification, however often the request is repeated.
            headers={"Idempotency-Key": f"example-{uuid.uuid4()}"},
            json={
                "to": {"phone": phone},
                "template": "order.shipped",
                "data": {"name": "Asha", "order": "A-1001"},
                "channels": ["whatsapp"],
                "resource": {"type": "order", "id": "A-1001"},
                "trigger": "order.shipped",
            },
        )
        answer.raise_for_status()
        notification_id = answer.json()["id"]
        print(f"accepted as {notification_id}")
        shown = None
        for _ in range(100):
            status = carillon.get(f"/v1/notifications/{notification_id}").raise_for_status().json()["status"]
            if status != shown:
                print(f"  {status}")
                shown = status
            if status in {"read", "failed", "unknown", "rejected", "bounced", "expired", "cancelled"}:
                return
            time.sleep(0.1)


if __name__ == "__main__":
    main()
