"""Scoring on a reward server, with the interface of the in-process `Scorer`.

`connect` returns a `RemoteScorer`. Nothing here contacts a server before the first call, and only this package
imports grpc.
"""

from assay.client.remote import RemoteScorer, ServerInfo, connect

__all__ = ["RemoteScorer", "ServerInfo", "connect"]
