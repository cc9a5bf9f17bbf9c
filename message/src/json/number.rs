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

/// Python's `repr`: the shortest digits that give the same number back, with an exponent below 1e-4 and from
/// 1e16 on.
fn repr(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Of the shortest digits `zmij` takes the same as Python. The standard library breaks some ties
    // otherwise.
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(value);
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{:0>2}", digits.trim_start_matches('+'));
    }
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text), |magnitude| ("-", magnitude));
    // From 1e-5 up to 1e-4 it writes zeros where Python has an exponent.
    match magnitude.strip_prefix("0.0000").and_then(|digits| digits.split_at_checked(1)) {
        Some((first, "")) => format!("{sign}{first}e-05"),
        Some((first, rest)) => format!("{sign}{first}.{rest}e-05"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_by_pythons_repr() {
        for (token, expected) in [
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e22", "1.5e+22"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("-0.000012", "-1.2e-05"),
            ("1e-7", "1e-07"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("1e400", "Infinity"),
            ("-1e400", "-Infinity"),
            ("1e-400", "0.0"),
            ("-1701500797603711.25", "-1701500797603711.2"),
            ("5.6843418860808015e-14", "5.684341886080802e-14"),
        ] {
            let mut out = Vec::new();
            write_float(&mut out, token);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{token}");
        }
    }

    #[test]
    fn integers_keep_their_digits_and_zero_has_no_sign() {
        for (token, expected) in
            [("-0", "0"), ("0", "0"), ("-12345678901234567890123", "-12345678901234567890123")]
        {
            let mut out = Vec::new();
            write_integer(&mut out, token);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
