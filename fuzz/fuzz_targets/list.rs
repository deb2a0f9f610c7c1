//! What is read as a list is one, with the items that serde_json finds in it.

#![no_main]

use kubetally_fuzz::list;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| list::run(bytes));
