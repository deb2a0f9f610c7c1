//! Tokens, certificates and rights that change under way.
