"""Job queues that others use, measured at the same job as ours: read, claim, send, record, acknowledge.

Every message was durably accepted before its measurement starts. Per message, a worker commits that it is about to send
("sending"), sends one HTTP request to the stand-in provider, commits what the provider said ("sent"), and acknowledges.
`python -m bench.peers` runs all of them.
"""
