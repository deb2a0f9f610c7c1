//! Any bytes are a kubeconfig or a clear error: nothing panics, nothing takes long.

use kubetally::api::kubeconfig::is_valid;

/// Runs it.
pub fn run(bytes: &[u8]) {
    let valid = is_valid(bytes);
    assert_eq!(valid, is_valid(bytes), "read twice, another answer");
}
