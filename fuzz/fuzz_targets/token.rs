//! Any token is read without a panic, and what is said of it is bounded.

#![no_main]

use kubetally_fuzz::token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| token::run(bytes));
