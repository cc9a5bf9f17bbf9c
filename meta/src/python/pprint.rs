//! Python's `pprint.pformat` with its defaults (indent 1, width 80, keys sorted), as in CPython 3.11.

use super::text;
use super::value::Value;

const WIDTH: usize = 80;

/// The value over as many lines as it takes.
#[must_use]
pub fn pformat(mut value: Value) -> String {
    value.sort();
    let mut out = String::new();
    format(&value, &mut out, 0, 0);
    out
}

/// Writes a value that begins in column `indent`, and behind which `allowance` characters follow on its last line.
fn format(value: &Value, out: &mut String, indent: usize, allowance: usize) {
    let repr = value.repr();
    if fits(&repr, indent + allowance) {
        out.push_str(&repr);
        return;
    }
    match value {
        Value::Atom(_) => out.push_str(&repr),
        Value::Text(points) => format_text(points, out, indent, allowance),
        Value::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                separate(out, n, indent + 1);
                let is_last = n + 1 == items.len();
                format(item, out, indent + 1, if is_last { allowance + 1 } else { 1 });
            }
            out.push(']');
        }
        Value::Dict(members) => {
            out.push('{');
            for (n, (key, value)) in members.iter().enumerate() {
                separate(out, n, indent + 1);
                let key = text::repr(key);
                out.push_str(&key);
                out.push_str(": ");
                let is_last = n + 1 == members.len();
                let column = indent + 1 + key.chars().count() + 2;
                format(value, out, column, if is_last { allowance + 1 } else { 1 });
            }
            out.push('}');
        }
    }
}

fn fits(repr: &str, taken: usize) -> bool {
    repr.chars().count() + taken <= WIDTH
}

fn separate(out: &mut String, n: usize, indent: usize) {
    if n > 0 {
        out.push(',');
        break_line(out, indent);
    }
}

fn break_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A text as several literals below each other: a new one for each line, and where the next word does not fit.
fn format_text(points: &[u32], out: &mut String, indent: usize, allowance: usize) {
    let lines = text::lines(points);
    let mut literals = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let is_last_line = n + 1 == lines.len();
        let repr = text::repr(line);
        if fits(&repr, indent + if is_last_line { allowance } else { 0 }) {
            literals.push(repr);
            continue;
        }
        let words = text::words(line);
        let (mut start, mut end) = (0, 0);
        for (n, word) in words.iter().enumerate() {
            let taken = if is_last_line && n + 1 == words.len() { allowance } else { 0 };
            let with_word = text::repr(line.get(start..end + word.len()).unwrap_or_default());
            if !fits(&with_word, indent + taken) {
                literals.extend(line.get(start..end).filter(|literal| !literal.is_empty()).map(text::repr));
                start = end;
            }
            end += word.len();
        }
        literals.extend(line.get(start..end).map(text::repr));
    }
    if literals.is_empty() {
        out.push_str("''");
    }
    for (n, literal) in literals.iter().enumerate() {
        if n > 0 {
            break_line(out, indent);
        }
        out.push_str(literal);
    }
}
