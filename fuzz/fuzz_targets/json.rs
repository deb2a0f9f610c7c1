//! Whatever lines come, stores hold on and show sound text.

#![no_main]

use kubetally::wire::Encoding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| kubetally_fuzz::watch(Encoding::Json, stream));
