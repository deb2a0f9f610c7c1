//! Whatever the audit webhook sends, it is counted or refused, the same wherever it is cut.

#![no_main]

use kubetally_fuzz::audit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| audit::run(bytes));
