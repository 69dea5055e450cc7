"""Scoring on a reward server, with the interface of the in-process `Scorer`.

`connect` returns a `RemoteScorer`. Nothing here contacts a server before the first call, and nothing imports grpc: the
connections are the extension module's. `_pb` holds the messages of proto/assay/v1 for whoever calls a server with grpc.
"""

from assay.client.remote import RemoteScorer, ServerInfo, connect

__all__ = ["RemoteScorer", "ServerInfo", "connect"]
