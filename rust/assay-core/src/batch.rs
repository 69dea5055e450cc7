//! Packing, balancing and sampling batches.
