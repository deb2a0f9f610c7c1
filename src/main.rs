//! kubetally
fn main() {}
