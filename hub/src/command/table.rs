//! Tables: columns of text without lines, so that they can be cut and searched; a headline in bold on a terminal.

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use message::printable;

const HEADLINE: Style = Style::new().bold();

/// Rows under a headline. Where `width` is too small for them, cells are broken.
pub(super) fn table<const N: usize>(headline: [&str; N], rows: &[[String; N]], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headline);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.trim_fmt();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut shown = format!("{HEADLINE}{first}{HEADLINE:#}");
    for line in rest.lines() {
        shown.push('\n');
        shown.push_str(line.trim_end());
    }
    shown
}

/// Names and values, one a line.
pub(super) fn list(rows: &[(&str, String)]) -> String {
    let wide = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<_> = rows
        .iter()
        .map(|(name, value)| format!("{HEADLINE}{name:<wide$}{HEADLINE:#}  {}", printable(value)))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_stand_one_under_another() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        let shown = table(["NAME", "LAG"], &[row(["irc", "1"]), row(["notifications", "12"])], None);
        assert_eq!(plain(&shown), "NAME           LAG\nirc            1\nnotifications  12");
    }

    #[test]
    fn a_cell_that_is_too_long_for_the_terminal_is_broken() {
        let shown = table(["A", "B"], &[["x".to_owned(), "word ".repeat(10)]], Some(20));
        assert!(plain(&shown).lines().all(|line| line.len() <= 20), "{shown}");
    }

    #[test]
    fn a_cell_has_one_line_whatever_is_in_it() {
        let shown = table(["A"], &[["a\nb".to_owned()]], None);
        assert_eq!(plain(&shown), "A\na\\nb");
        assert_eq!(plain(&list(&[("a", "x\ty".into()), ("bcd", "z".into())])), "a    x\\ty\nbcd  z");
    }
}
