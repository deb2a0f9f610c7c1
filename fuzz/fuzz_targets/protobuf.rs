//! Whatever frames and lists come in protobuf, stores hold on and show sound text.

#![no_main]

use kubetally_fuzz::protobuf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| protobuf::run(bytes));
