/// SHA-256 of the names, numbers and types of spec.proto.
pub const SPEC_SCHEMA_SHA256: &str =
    "ad02c9b00ad66826922d65946f316f087256884f2fcfa885b31da50381fb4bce";
