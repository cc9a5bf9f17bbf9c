//! Numbers as Python writes them.

/// Writes an integer's token: digits are kept, of any length; the zero loses its sign.
pub(super) fn write_integer(out: &mut Vec<u8>, token: &str) {
    out.extend_from_slice(if token == "-0" { b"0" } else { token.as_bytes() });
}

/// Writes the number that a float's token stands for, as `float.__repr__` does.
pub(super) fn write_float(out: &mut Vec<u8>, token: &str) {
    // The scanner lets nothing through that has no value here.
    let value: f64 = token.parse().unwrap_or(f64::NAN);
    out.extend_from_slice(repr(value).as_bytes());
}

/// Python's `repr`: the shortest digits that give the same number back, with an exponent below 1e-4 and from 1e16 on.
fn repr(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Rust and Python choose the same digits, Rust never of its own accord with an exponent.
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return "NaN".to_owned() };
    match exponent.parse::<i32>() {
        Ok(-4..16) => format!("{value:?}"),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        Err(_) => scientific,
    }
}
