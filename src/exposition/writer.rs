//! Numbers and label values as text.

use std::io::Write;

use super::{Format, Value};

/// Writes a label's value, escaped as both formats want it.
pub fn label_value(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'"' => out.extend_from_slice(br#"\""#),
            b'\n' => out.extend_from_slice(br"\n"),
            _ => out.push(byte),
        }
    }
}

/// Writes a sample's value.
pub fn number(out: &mut Vec<u8>, value: Value) {
    // Writing to a Vec cannot fail.
    match value {
        Value::Integer(value) => write!(out, "{value}").unwrap_or_default(),
        Value::Float(value) => float(out, value),
    }
}

/// Writes a bucket's upper bound; OpenMetrics wants a float there.
pub fn bound(out: &mut Vec<u8>, bound: f64, format: Format) {
    float(out, bound);
    if format == Format::OpenMetrics && bound.fract() == 0.0 {
        out.extend_from_slice(b".0");
    }
}

fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if f64::from(value as u32).to_bits() == value.to_bits() {
        // Most are, and are written several times as fast so.
        whole(out, value as u32);
    } else {
        write!(out, "{value}").unwrap_or_default();
    }
}

fn whole(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; 10];
    let mut first = digits.len() - 1;
    loop {
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
        first -= 1;
    }
    out.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_they_read(
            value in prop_oneof![any::<f64>(), any::<u32>().prop_map(f64::from), Just(-0.0)],
        ) {
            let mut out = Vec::new();
            number(&mut out, Value::Float(value));
            let text = String::from_utf8(out).expect("UTF-8");
            if value.is_finite() {
                prop_assert_eq!(&text, &value.to_string());
            }
            let back: f64 = text.parse().expect("a number");
            prop_assert!(back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan());
        }
    }
}
