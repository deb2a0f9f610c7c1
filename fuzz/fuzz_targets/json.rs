//! Whatever events come, stores hold on and show sound text.

#![no_main]

use kubetally_fuzz::watch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| watch::run(bytes));
