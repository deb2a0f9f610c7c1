//! HTML that is put together of literals, in which every value is escaped.

use std::fmt::{self, Display, Write};

/// A piece of a page. Tags come from the source alone: a template cannot be made of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

/// One cell of a table.
#[derive(Debug)]
pub enum Cell {
    /// The name that a row is about.
    Name(String),
    /// The same, put together already.
    Head(Html),
    /// What is said of it.
    Text(String),
    /// A number, set to the right.
    Number(String),
    /// What is put together already.
    Piece(Html),
}

/// Writes what is given with the characters of HTML replaced.
struct Escaped<'a>(&'a mut String);

impl Html {
    /// Adds a template in which each `{}` stands for the next value.
    pub fn put(&mut self, template: &'static str, values: &[&dyn Display]) -> &mut Self {
        let mut pieces = template.split("{}");
        self.0.push_str(pieces.next().unwrap_or_default());
        debug_assert_eq!(pieces.clone().count(), values.len(), "{template}");
        for (piece, value) in pieces.zip(values) {
            // Writing to a String cannot fail.
            write!(Escaped(&mut self.0), "{value}").unwrap_or_default();
            self.0.push_str(piece);
        }
        self
    }

    /// Adds a piece.
    pub fn add(&mut self, piece: &Self) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// Adds a table that scrolls by itself where it is too wide: what it is about, its columns and
    /// its rows. A column whose head begins with `#` is one of numbers.
    pub fn table(
        &mut self,
        caption: &str,
        columns: &[&str],
        rows: impl IntoIterator<Item = Vec<Cell>>,
    ) -> &mut Self {
        self.put(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">",
            &[&caption],
        );
        self.put("<table><caption>{}</caption><thead><tr>", &[&caption]);
        for column in columns {
            match column.strip_prefix('#') {
                Some(name) => self.put("<th scope=\"col\" class=\"number\">{}</th>", &[&name]),
                None => self.put("<th scope=\"col\">{}</th>", &[column]),
            };
        }
        self.put("</tr></thead><tbody>", &[]);
        for row in rows {
            self.put("<tr>", &[]);
            for cell in row {
                self.cell(&cell);
            }
            self.put("</tr>", &[]);
        }
        self.put("</tbody></table></div>", &[])
    }

    fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Name(name) => self.put("<th scope=\"row\">{}</th>", &[name]),
            Cell::Head(head) => self.put("<th scope=\"row\">", &[]).add(head).put("</th>", &[]),
            Cell::Text(text) => self.put("<td>{}</td>", &[text]),
            Cell::Number(number) => self.put("<td class=\"number\">{}</td>", &[number]),
            Cell::Piece(piece) => self.put("<td>", &[]).add(piece).put("</td>", &[]),
        };
    }

    /// Adds a bar that is filled to this share. A style attribute would need a weaker policy.
    pub fn bar(&mut self, share: f64) -> &mut Self {
        let width = format!("{:.1}", share.clamp(0.0, 1.0) * 100.0);
        self.put(
            "<svg class=\"share\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect width=\"{}\" height=\"1\"/></svg>",
            &[&width],
        )
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No part of HTML but white space may be one of these.
                c if c.is_control() && !c.is_ascii_whitespace() => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_text_and_nothing_else() {
        let mut html = Html::default();
        html.put("<a title=\"{}\">{}</a>", &[&"\" onclick='x'", &"<script>&\u{0}</script>"]);
        assert_eq!(
            html.as_str(),
            "<a title=\"&quot; onclick=&#39;x&#39;\">&lt;script&gt;&amp;\u{fffd}&lt;/script&gt;</a>"
        );
    }

    #[test]
    fn a_table_has_heads_for_its_columns_and_rows() {
        let mut html = Html::default();
        let row = vec![Cell::Name("shop".into()), Cell::Number("1,234".into())];
        html.table("Pods", &["Namespace", "#Pods"], [row]);
        html.bar(0.5);
        for part in [
            "<caption>Pods</caption>",
            "<th scope=\"col\">Namespace</th><th scope=\"col\" class=\"number\">Pods</th>",
            "<tr><th scope=\"row\">shop</th><td class=\"number\">1,234</td>",
            "<rect width=\"50.0\" height=\"1\"/>",
        ] {
            assert!(html.as_str().contains(part), "no {part} in {}", html.as_str());
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_a_tag(value in ".*") {
            let mut html = Html::default();
            html.put("{}", &[&value]);
            prop_assert!(!html.as_str().contains(['<', '>', '"', '\'']), "{}", html.as_str());
        }
    }
}
