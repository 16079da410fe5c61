"""Reads the timeline of the newest notifications: what happened to each, when, and why.

Run it while `make up` runs: `CARILLON_KEY=car_… .venv/bin/python examples/timeline.py`
"""

import os

import httpx


def main() -> None:
    url, key = os.environ.get("CARILLON_URL", "http://127.0.0.1:8080"), os.environ["CARILLON_KEY"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20) as carillon:
        newest = carillon.get("/v1/notifications", params={"limit": 3}).raise_for_status().json()["data"]
        for notification in newest:
            print(f"{notification['id']}  {notification['template']}  {notification['status']}")
            timeline = carillon.get(f"/v1/notifications/{notification['id']}/timeline").raise_for_status().json()
            for entry in timeline["entries"]:
                print(f"  {entry['at']}  {entry['kind']:<20} {entry['summary']}")


if __name__ == "__main__":
    main()
