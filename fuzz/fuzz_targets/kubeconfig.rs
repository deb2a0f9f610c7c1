//! Any bytes are a kubeconfig or a clear error: nothing panics, nothing takes long.

#![no_main]

use kubetally::api::kubeconfig::is_valid;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let valid = is_valid(bytes);
    assert_eq!(valid, is_valid(bytes), "read twice, another answer");
});
