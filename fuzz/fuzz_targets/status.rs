//! Any refusal is understood, in a bounded line without control characters.

#![no_main]

use kubetally_fuzz::status;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| status::run(bytes));
