//! Results go to standard output, everything said to people to standard error.

use anyhow::Result;
use serde::Serialize;
use std::io::Write;

/// Writes one line of a result.
pub(crate) fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Writes one JSON value on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value)?)
}

/// Says something to the person; a closed standard error is not worth failing for.
pub(crate) fn say(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// Aligned columns, the first to the left, the others to the right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..count)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut parts = Vec::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            parts.push(if column == 0 {
                format!("{cell}{pad}")
            } else {
                format!("{pad}{cell}")
            });
        }
        text.push_str(parts.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `4,525,440`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 min 05 s`, `4.2 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// `57.4 KiB`.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(4_525_440), "4,525,440");
        assert_eq!(thousands(7), "7");
        assert_eq!(duration(65.2), "1 min 05 s");
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(bytes(2048), "2.0 KiB");
    }

    #[test]
    fn columns_align() {
        let rows = [vec!["ab".into(), "1".into()], vec!["a".into(), "22".into()]];
        assert_eq!(columns(&rows), "ab   1\na   22\n");
    }
}
