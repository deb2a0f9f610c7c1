//! Whatever a client sends to the listener, each answer is sound and the connection ends.

#![no_main]

use kubetally_fuzz::requests;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| requests::run(bytes));
