//! Any bytes are a kubeconfig or a clear error: nothing panics, nothing takes long.

#![no_main]

use kubetally_fuzz::kubeconfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kubeconfig::run(bytes));
