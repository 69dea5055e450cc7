//! The gRPC reward service: wire in, core call, wire out.
