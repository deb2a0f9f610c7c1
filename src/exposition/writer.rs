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
    } else {
        write!(out, "{value}").unwrap_or_default();
    }
}
