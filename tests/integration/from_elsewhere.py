"""`python -m tests.integration.from_elsewhere ADDRESS`: ask for a reload from that address.

Run in a network namespace whose only address beside the loopback's is this one, so that the server
sees a peer that is not of this host. Prints the statuses and the number of reloads as JSON.
"""

import json
import sys

import httpx

from tests.integration.serving import Serving

TOKEN = "a-token-of-the-test"  # noqa: S105 - made up

if __name__ == "__main__":
    address = sys.argv[1]
    statuses: list[int] = []
    with Serving(address) as open_to_all, Serving(address, token=TOKEN) as guarded:
        post = httpx.Client(trust_env=False).post
        headers = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}
        answer = post(open_to_all.url("/-/reload"), headers=headers)
        statuses.append(answer.status_code)
        statuses.append(post(guarded.url("/-/reload")).status_code)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        statuses.append(post(guarded.url("/-/reload"), headers=bearer).status_code)
    reloads = [open_to_all.behind.reloads, guarded.behind.reloads]
    print(json.dumps({"statuses": statuses, "reloads": reloads, "text": answer.text}))  # noqa: T201
