//! Any file, environment and flags are settings or a clear error; what is in force, printed as a
//! file, says the same again.

#![no_main]

use kubetally_fuzz::configuration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| configuration::run(bytes));
