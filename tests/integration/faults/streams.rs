//! Bytes of a watch: pieces, garbage, ends.
