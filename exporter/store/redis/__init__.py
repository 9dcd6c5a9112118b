"""The store in Redis, which several exporters share.

`address` reads its URL, `connect` opens it, and `store` is what the daemon uses; `ledger`,
`history` and `kept` are its rooms, and `scripts` what they have Redis do in one step.
"""
