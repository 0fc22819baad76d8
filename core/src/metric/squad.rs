//! Exact match and word F1 of SQuAD and ReCoRD.

use super::percent;
use std::collections::HashMap;

/// Lower case, ASCII punctuation removed (not replaced by a blank), the words a, an, the removed,
/// single blanks.
pub fn normalize(text: &str) -> String {
    let text: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    // Articles go where they stand between word boundaries, which need not be blanks.
    let mut without = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        without.push_str(if matches!(word.as_str(), "a" | "an" | "the") {
            " "
        } else {
            &word
        });
        word.clear();
        without.push(c);
    }
    without.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Exact match and word F1 in percent; each prediction takes its best score over its answers.
pub fn squad<A: AsRef<[String]>>(predictions: &[String], answers: &[A]) -> (f64, f64) {
    let (mut exact, mut f1, mut rows) = (0.0, 0.0, 0.0);
    for (prediction, answers) in predictions.iter().zip(answers) {
        let prediction = normalize(prediction);
        let (mut best_exact, mut best_f1) = (0.0f64, 0.0f64);
        for answer in answers.as_ref() {
            let answer = normalize(answer);
            best_exact = best_exact.max(f64::from(u8::from(prediction == answer)));
            best_f1 = best_f1.max(word_f1(&prediction, &answer));
        }
        exact += best_exact;
        f1 += best_f1;
        rows += 1.0;
    }
    (percent(exact, rows), percent(f1, rows))
}

/// F1 of two bags of words; 0 where no word is shared, also where both are empty.
fn word_f1(prediction: &str, answer: &str) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in answer.split(' ') {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0.0;
    for word in prediction.split(' ').filter(|word| !word.is_empty()) {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1.0;
        }
    }
    if shared == 0.0 {
        return 0.0;
    }
    let precision = shared / prediction.split(' ').count() as f64;
    let recall = shared / answer.split(' ').count() as f64;
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalisation() {
        assert_eq!(
            normalize("The  Eiffel-Tower,\tan icon!"),
            "eiffeltower icon"
        );
        assert_eq!(normalize("a"), "");
        assert_eq!(normalize("Theory of a–the"), "theory of –");
    }

    #[test]
    fn by_hand() {
        let text = |values: &[&str]| values.iter().map(|v| v.to_string()).collect::<Vec<_>>();
        // Shared 1 of 2 predicted and 1 of 3 expected: 2·(1/2·1/3) ÷ (5/6) = 0.4; second: all.
        let predictions = text(&["red house", "Blue"]);
        let answers = [text(&["the red old barn"]), text(&["green", "blue."])];
        let (exact, f1) = squad(&predictions, &answers);
        assert_eq!(exact, 50.0);
        assert!((f1 - 70.0).abs() < 1e-12);
        assert_eq!(squad(&text(&["the"]), &[text(&["a"])]), (100.0, 0.0));
    }
}
