//! From a row to source and target text, as the published code writes them.

use super::super::Example;
use super::Recipe;
use super::record::Record;
use super::spec::{Form, Spec};
use crate::Result;

/// The target of a query that has no answer.
const NO_ANSWER: &str = "<unk>";

/// A row as an example. ReCoRD's has all its answers still: see [`per_answer`].
pub(super) fn example(spec: &Spec, record: &Record, recipe: &Recipe) -> Result<Example> {
    if spec.form == Form::Record {
        return cloze(spec, record, recipe.prefix);
    }
    let marked;
    let mut fields = Vec::with_capacity(spec.fields.len());
    for (name, _) in spec.fields {
        fields.push(record.text(name)?);
    }
    if spec.form == Form::Wsc {
        marked = marked_spans(record)?;
        fields[0] = &marked;
    }
    let target = match spec.form {
        Form::Score => rounded(record.score()?, recipe.exact),
        _ => record.class(spec)?.to_string(),
    };
    let group = match spec.form {
        Form::MultiRc => Some(question(record)?),
        _ => None,
    };
    Ok(Example {
        source: source(spec, &fields, recipe.prefix),
        target,
        group,
        ..Example::default()
    })
}

/// Fields joined by blanks, each behind its lead; the task's name in front if it is to be.
pub(super) fn source(spec: &Spec, fields: &[&str], prefix: bool) -> String {
    let mut parts: Vec<String> = vec![];
    if prefix {
        parts.push(spec.prefix.into());
    }
    for ((name, lead), field) in spec.fields.iter().zip(fields) {
        parts.push((*lead).into());
        parts.push(match (spec.form, *name) {
            (Form::MultiRc, _) => without_markup(field),
            (Form::Record, "passage") => without_highlights(field),
            _ => (*field).into(),
        });
    }
    parts.join(" ")
}

/// The score as text: by default the nearest fifth, as in T5's recipe; `exact`: to one decimal, as
/// in the published code, whose comment speaks of fifths. Both in the precision of the hub's
/// column, so that TSV and Parquet agree; halves go to the even neighbour.
pub(super) fn rounded(score: f64, exact: bool) -> String {
    let score = score as f32;
    let rounded = match exact {
        true => (f64::from(score) * 10.0).round_ties_even() / 10.0,
        false => f64::from((score * 5.0).round_ties_even()) / 5.0,
    };
    format!("{rounded:.1}")
}

/// The question that a MultiRC row belongs to.
fn question(record: &Record) -> Result<usize> {
    let idx = record.value("idx")?;
    let question = idx.get("question").and_then(|number| number.as_u64());
    let question = question.and_then(|number| usize::try_from(number).ok());
    question.ok_or_else(|| record.wrong("idx", "a struct with the number `question`", idx))
}

fn without_markup(text: &str) -> String {
    text.replace("<br>", " ")
        .replace("<b>", "")
        .replace("</b>", "")
}

/// ReCoRD's summary lines become sentences of the passage.
fn without_highlights(passage: &str) -> String {
    let mut text = String::with_capacity(passage.len());
    for (index, line) in passage.split("\n@highlight\n").enumerate() {
        if index > 0 {
            let ended = text.ends_with(['.', '?', '!', '"', '\'']);
            text.push_str(if ended { " " } else { ". " });
        }
        text.push_str(line);
    }
    text
}

/// A query with the entities that may stand in its gap.
fn cloze(spec: &Spec, record: &Record, prefix: bool) -> Result<Example> {
    let entities = record.texts("entities")?;
    let answers = record.texts("answers")?;
    let joined = entities.join(", ");
    let fields = [record.text("query")?, &joined, record.text("passage")?];
    Ok(Example {
        source: source(spec, &fields, prefix),
        target: answers.first().map_or(NO_ANSWER, String::as_str).into(),
        answers,
        candidates: entities,
        ..Example::default()
    })
}

/// A row per answer, as the published code has it in training and in scoring: a query counts as
/// often as it has answers.
pub(super) fn per_answer(rows: Vec<Example>) -> Vec<Example> {
    let copies = |row: Example| match row.answers.len() {
        0 | 1 => vec![row],
        _ => {
            let copy = |answer: &String| Example {
                target: answer.clone(),
                ..row.clone()
            };
            row.answers.iter().map(copy).collect()
        }
    };
    rows.into_iter().flat_map(copies).collect()
}

/// The text with ` * ` around the first span and ` # ` around the second. Where a span does not
/// stand at its place the text stays as it is, as in the published code.
fn marked_spans(record: &Record) -> Result<String> {
    let text = record.text("text")?;
    let (first, second) = (record.count("span1_index")?, record.count("span2_index")?);
    let span = |column: &str, index: usize| Ok(fixed_span(text, record.text(column)?, index));
    let (one, two) = (span("span1_text", first)?, span("span2_text", second)?);
    let text = marked(text, &one, first, '*');
    // The first span's marks are two words more.
    let second = if first < second { second + 2 } else { second };
    Ok(marked(&text, &two, second, '#'))
}

/// A span as the hub's `wsc.fixed` has it: with the case that it has in the text, without a full
/// stop or line end of its own.
fn fixed_span(text: &str, span: &str, index: usize) -> String {
    if text.contains(span) {
        return span.into();
    }
    let word = text.split_whitespace().nth(index).unwrap_or_default();
    let mut rest = span.chars();
    let first = rest.next().map(|first| match word.chars().next() {
        Some(c) if c.is_lowercase() => first.to_lowercase().to_string(),
        _ => first.to_uppercase().to_string(),
    });
    let fixed = first.unwrap_or_default() + rest.as_str();
    fixed.trim_end_matches('.').replace('\n', " ")
}

/// `text` with `mark` around `span`, which begins the word with this number; words end at a single
/// blank.
fn marked(text: &str, span: &str, index: usize, mark: char) -> String {
    let mut start = 0;
    for _ in 0..index {
        let rest = &text[start..];
        match rest.find(char::is_whitespace) {
            Some(end) if end > 0 => {
                start += end + rest[end..].chars().next().map_or(0, char::len_utf8);
            }
            _ => return text.into(),
        }
    }
    match text[start..].strip_prefix(span) {
        Some(rest) => format!("{}{mark} {span} {mark}{rest}", &text[..start]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_to_fifths_or_to_tenths() {
        let grid = [0.0, 0.1, 0.29, 0.3, 0.5, 2.6, 3.69, 3.75, 5.0].map(|s| rounded(s, false));
        assert_eq!(
            grid,
            [
                "0.0", "0.0", "0.2", "0.4", "0.4", "2.6", "3.6", "3.8", "5.0"
            ]
        );
        // 1.15 and 0.85 are a little below and above in 32 bits; 3.25 is itself.
        let exact = [0.0, 1.15, 0.85, 3.25, 3.69].map(|s| rounded(s, true));
        assert_eq!(exact, ["0.0", "1.1", "0.9", "3.2", "3.7"]);
        assert_eq!(rounded(f64::from(0.1f32), false), rounded(0.1, false));
    }

    #[test]
    fn spans_are_marked_by_word() {
        let text = "Kim gave Lou the cup, for it was full.";
        assert_eq!(
            marked(text, "Lou", 2, '*'),
            "Kim gave * Lou * the cup, for it was full."
        );
        assert_eq!(
            marked(text, "the cup", 3, '#'),
            "Kim gave Lou # the cup #, for it was full."
        );
        // Elsewhere, past the end, behind two blanks: as it is.
        for (text, index) in [(text, 3), (text, 99), ("Kim  gave Lou", 2)] {
            assert_eq!(marked(text, "Lou", index, '*'), text);
        }
    }

    #[test]
    fn spans_take_the_case_of_their_text() {
        let text = "At noon the old dog slept.";
        assert_eq!(fixed_span(text, "The old dog", 2), "the old dog");
        assert_eq!(fixed_span(text, "at", 0), "At");
        assert_eq!(fixed_span(text, "slept.", 5), "slept.");
        assert_eq!(fixed_span("a dog slept", "slept.", 2), "slept");
        assert_eq!(fixed_span(text, "old\ndog", 3), "old dog");
        assert_eq!(fixed_span(text, "", 99), "");
    }

    #[test]
    fn highlights_become_sentences() {
        let passage = "It rained\n@highlight\nIt poured.\n@highlight\n\"Wet!\"\n@highlight\nend";
        assert_eq!(
            without_highlights(passage),
            "It rained. It poured. \"Wet!\" end"
        );
        assert_eq!(without_markup("<b>Sent 1:</b> a<br>b"), "Sent 1: a b");
    }
}
