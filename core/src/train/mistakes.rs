//! The test rows that a run is most wrong about: what a person looks at to see what it has not learned.

use super::score::best;
use super::{Mistake, Session};
use crate::Result;

impl Session {
    /// The test rows whose label the best checkpoint does not find, the least probable label first.
    ///
    /// Errors where the task has no labels to weigh.
    pub async fn mistakes_async(&self) -> Result<Vec<Mistake>> {
        let task = self.task();
        let sources: Vec<&str> = task.test.iter().map(|row| row.source.as_str()).collect();
        let scorer = self.scorer(&self.best);
        let shares = scorer.probabilities(&sources, &task.labels).await?;
        let mistake = |(row, shares): (&crate::task::Example, &Vec<f64>)| {
            let answer = &task.labels[best(shares)];
            let own = task.labels.iter().position(|label| *label == row.target);
            (*answer != row.target).then(|| Mistake {
                source: row.source.clone(),
                label: row.target.clone(),
                answer: answer.clone(),
                share: own.map_or(0.0, |own| shares[own]),
            })
        };
        let mut rows: Vec<Mistake> = task.test.iter().zip(&shares).filter_map(mistake).collect();
        rows.sort_by(|a, b| a.share.total_cmp(&b.share));
        Ok(rows)
    }
}
