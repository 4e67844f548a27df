"""What the end-to-end tests stand on: starting the real binary, and reading what it and its upstream have recorded.

No test lives here, and nothing here knows a client library.
"""
