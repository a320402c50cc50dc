//! A table of text cells, printed aligned or as Markdown.

use std::fmt::{self, Write as _};

/// Rows of cells under headings; the first column is the row's label.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Aligned columns for a terminal.
    Plain,
    /// A Markdown table for a page.
    Markdown,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(headings: Vec<String>) -> Self {
        Self { headings, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If the row has not as many cells as there are headings.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.headings.len(), "a row must fill every column");
        self.rows.push(row);
    }

    /// Writes the table: labels left, numbers right.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, style: Style, out: &mut impl fmt::Write) -> fmt::Result {
        let mut widths = vec![0; self.headings.len()];
        for row in std::iter::once(&self.headings).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let (open, between, close) = match style {
            Style::Plain => ("", "  ", ""),
            Style::Markdown => ("| ", " | ", " |"),
        };
        let write_row = |row: &[String], out: &mut dyn fmt::Write| -> fmt::Result {
            out.write_str(open)?;
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    write!(out, "{cell:<width$}")?;
                } else {
                    write!(out, "{between}{cell:>width$}")?;
                }
            }
            out.write_str(close)?;
            out.write_char('\n')
        };
        write_row(&self.headings, out)?;
        match style {
            Style::Plain => {
                let total = widths.iter().sum::<usize>() + between.len() * (widths.len() - 1);
                writeln!(out, "{}", "-".repeat(total))?;
            }
            Style::Markdown => {
                let mut rule = String::from("| ---");
                for _ in 1..widths.len() {
                    write!(rule, " | --:")?;
                }
                writeln!(out, "{rule} |")?;
            }
        }
        for row in &self.rows {
            write_row(row, out)?;
        }
        Ok(())
    }
}

/// A number with about three significant digits: one decimal below ten, none above.
#[must_use]
pub fn number(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// A count per iteration: whole where it is whole.
#[must_use]
pub fn count(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// Several cells in one, `-` where there is none; a single dash when there is nothing at all.
#[must_use]
pub fn joined(cells: &[Option<String>]) -> String {
    if cells.iter().all(Option::is_none) {
        return String::from("–");
    }
    let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or("–")).collect();
    cells.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_align_by_characters() {
        let mut table = Table::new(vec![String::new(), "f (µs)".into()]);
        table.push(vec!["naïve".into(), number(1234.4)]);
        table.push(vec!["x".into(), number(3.25)]);
        let mut plain = String::new();
        table.write(Style::Plain, &mut plain).expect("a string");
        assert_eq!(plain, "       f (µs)\n-------------\nnaïve    1234\nx         3.2\n");
        let mut markdown = String::new();
        table.write(Style::Markdown, &mut markdown).expect("a string");
        assert_eq!(markdown, "|       | f (µs) |\n| --- | --: |\n| naïve |   1234 |\n| x     |    3.2 |\n");
    }

    #[test]
    fn cells_say_what_is_missing() {
        assert_eq!(joined(&[None, None]), "–");
        assert_eq!(joined(&[Some(count(3.0)), None, Some(count(0.25))]), "3/–/0.2");
    }
}
