//! Lines are the same wherever the stream is cut, and are bounded.

#![no_main]

use kubetally_fuzz::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| frames::run(bytes));
