//! A whole run as a state machine: each call does one thing and says what happened.

use super::score::{Metrics, Scorer};
use super::{Event, Optimiser, Settings, Summary, Trainer};
use crate::artifact::{self, Header};
use crate::data::{Batch, Row, Tokenizer, epoch_plan};
use crate::t5::{T5, Weights};
use crate::task::{Example, Task};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Start,
    Before,
    Train,
    Evaluate,
    After,
    Done,
}

/// Where a run stands, beside its tensors: what a checkpoint's metadata holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Progress {
    pub phase: Phase,
    pub before: Metrics,
    pub best_step: usize,
    /// None before the first evaluation: JSON has no infinity.
    pub best_score: Option<f64>,
    pub stale: usize,
}

/// A run: data, settings, trainer and progress. [`Session::advance`] moves it on.
#[derive(Debug)]
pub struct Session {
    pub(super) trainer: Trainer,
    pub(super) best: Weights,
    pub(super) progress: Progress,
    pub(super) settings: Settings,
    tokenizer: Arc<Tokenizer>,
    task: Task,
    rows: Vec<Row>,
    total_steps: usize,
    max_target: usize,
    plan: Option<(usize, Vec<Vec<usize>>)>,
}

impl Session {
    /// Tokenises the training rows and initialises the method; nothing has run yet.
    pub fn new(
        model: Arc<T5>,
        tokenizer: Arc<Tokenizer>,
        task: Task,
        mut settings: Settings,
    ) -> Result<Self> {
        settings.check()?;
        let row = |example: &Example| {
            let max_source = settings.max_source;
            Row::from_text(&tokenizer, &example.source, &example.target, max_source)
        };
        let rows = task.train.iter().map(row).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            return Err(Error::Setting(format!("{}: no training rows", task.name)));
        }
        let vocab = model.config().vocab_size;
        let ids = rows
            .iter()
            .flat_map(|row| row.source.iter().chain(&row.target));
        if let Some(id) = ids.max().filter(|&&id| id as usize >= vocab) {
            let message = format!("gives id {id}, but the model has {vocab} rows in its embedding");
            return Err(Error::file("tokenizer.json", message));
        }
        // Room for the longest label or training target, whichever is longer.
        let mut max_target = rows.iter().map(|row| row.target.len()).max().unwrap_or(1);
        let scored = task.validation.iter().chain(&task.test);
        let own = scored.flat_map(|row| &row.candidates);
        let labels: BTreeSet<&String> = task.labels.iter().chain(own).collect();
        for label in labels {
            max_target = max_target.max(tokenizer.encode(label, 0)?.len());
        }
        if let Some(intrinsic) = &mut settings.method.intrinsic {
            intrinsic.seed = settings.seed; // the adapter file names the projections by it
        }
        let weights = Weights::start(&model, &settings.method, settings.seed)?;
        let optimiser = Optimiser::new(1e-8, settings.weight_decay);
        let mut trainer = Trainer::new(model, &weights, optimiser, settings.seed);
        trainer.activation_checkpointing = settings.activation_checkpointing;
        trainer.dropout = settings.dropout;
        trainer.max_grad_norm = settings.max_grad_norm;
        let total_steps = settings.total_steps(rows.len());
        let progress = Progress {
            phase: Phase::Start,
            before: Metrics::new(),
            best_step: 0,
            best_score: None,
            stale: 0,
        };
        Ok(Self {
            best: weights.frozen(),
            trainer,
            progress,
            settings,
            tokenizer,
            task,
            rows,
            total_steps,
            max_target,
            plan: None,
        })
    }

    /// Does the next thing (one step, or one evaluation) and reports it; `None` after the end.
    pub async fn advance_async(&mut self) -> Result<Option<Event>> {
        match self.progress.phase {
            Phase::Start => {
                self.progress.phase = Phase::Before;
                Ok(Some(self.started()))
            }
            Phase::Before => {
                let untouched = self.trainer.model().untouched();
                let metrics = self.score(&untouched, &self.task.test).await?;
                self.progress.before = metrics.clone();
                self.progress.phase = Phase::Train;
                Ok(Some(Event::Before {
                    score: self.first(&metrics),
                    metrics,
                }))
            }
            Phase::Train => self.step().await.map(Some),
            Phase::Evaluate => self.evaluate().await.map(Some),
            Phase::After => self.finish().await.map(Some),
            Phase::Done => Ok(None),
        }
    }

    /// [`Self::advance_async`], waited for. On the CPU it is faster within [`crate::in_pool`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn advance(&mut self) -> Result<Option<Event>> {
        crate::engine::block_on(self.advance_async())
    }

    /// Probability of each label for a source text, by the untouched base and by the weights as
    /// they are now.
    pub async fn compare_async(&self, source: &str) -> Result<[Vec<f64>; 2]> {
        let (untouched, now) = (
            self.trainer.model().untouched(),
            self.trainer.weights().frozen(),
        );
        let before = self
            .scorer(&untouched)
            .probabilities(&[source], &self.task.labels)
            .await?;
        let after = self
            .scorer(&now)
            .probabilities(&[source], &self.task.labels)
            .await?;
        Ok([before.concat(), after.concat()])
    }

    /// The task that it trains on.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.trainer.steps()
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The adapter file of the best checkpoint so far.
    pub async fn adapter_async(&self) -> Result<Vec<u8>> {
        let base = self.trainer.model().config().clone();
        let mut header = Header::new(self.settings.method.clone(), base);
        header.base_hash = self.trainer.model().hash().map(String::from);
        header.seed = Some(self.settings.seed);
        header.validation = self.progress.best_score;
        header.task = self.task.name.clone();
        header.labels = self.task.labels.clone();
        header.score = self.settings.score;
        header.max_source = self.settings.max_source;
        header.max_target = self.max_target;
        artifact::save(&self.best, &header).await
    }

    /// [`Self::adapter_async`], waited for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn adapter(&self) -> Result<Vec<u8>> {
        crate::engine::block_on(self.adapter_async())
    }

    fn started(&self) -> Event {
        let config = self.trainer.model().config();
        let method = &self.settings.method;
        Event::Started {
            task: self.task.name.clone(),
            method: method.name.clone(),
            trainable: method.trainable(config),
            percent: method.percent(config),
            total_steps: self.total_steps,
            train_rows: self.rows.len(),
            validation_rows: self.task.validation.len(),
            test_rows: self.task.test.len(),
        }
    }

    async fn step(&mut self) -> Result<Event> {
        let done = self.trainer.steps();
        let per_epoch = self.rows.len().div_ceil(self.settings.batch).max(1);
        let epoch = done / per_epoch;
        let rows = self.batch_rows(epoch, done % per_epoch);
        let micro = self.settings.micro_batch.unwrap_or(self.settings.batch);
        let batches: Vec<Batch> = rows
            .chunks(micro)
            .map(|chunk| Batch::new(&chunk.iter().map(|&i| &self.rows[i]).collect::<Vec<_>>()))
            .collect();
        let lr = self.settings.lr_at(done + 1, self.total_steps);
        let loss = self.trainer.step(&batches, lr).await?;
        let step = self.trainer.steps();
        let every = self.settings.eval_every.unwrap_or(per_epoch);
        if step.is_multiple_of(every) || step >= self.total_steps {
            self.progress.phase = Phase::Evaluate;
        }
        let total_steps = self.total_steps;
        Ok(Event::Step {
            step,
            total_steps,
            loss,
            lr,
            rows: rows.len(),
        })
    }

    /// Rows of the `index`-th batch of an epoch; the order depends on seed and epoch alone.
    fn batch_rows(&mut self, epoch: usize, index: usize) -> Vec<usize> {
        let fresh = match &self.plan {
            Some((planned, _)) => *planned != epoch,
            None => true,
        };
        if fresh {
            let lengths: Vec<usize> = self.rows.iter().map(|row| row.source.len()).collect();
            let plan = epoch_plan(&lengths, self.settings.batch, self.settings.seed, epoch);
            self.plan = Some((epoch, plan));
        }
        let plan = self.plan.as_ref().map(|(_, plan)| plan);
        plan.and_then(|plan| plan.get(index))
            .cloned()
            .unwrap_or_default()
    }

    async fn evaluate(&mut self) -> Result<Event> {
        let frozen = self.trainer.weights().frozen();
        let metrics = self.score(&frozen, &self.task.validation).await?;
        let score = metrics.values().sum::<f64>() / metrics.len().max(1) as f64;
        // Without validation rows there is nothing to choose by: the last weights count.
        let best = self.task.validation.is_empty()
            || self.progress.best_score.is_none_or(|best| score > best);
        if best {
            self.best = frozen;
            self.progress.best_step = self.trainer.steps();
            self.progress.best_score = Some(score);
            self.progress.stale = 0;
        } else {
            self.progress.stale += 1;
        }
        let stale = self
            .settings
            .patience
            .is_some_and(|most| self.progress.stale >= most);
        let over = stale || self.trainer.steps() >= self.total_steps;
        self.progress.phase = if over { Phase::After } else { Phase::Train };
        Ok(Event::Evaluated {
            step: self.trainer.steps(),
            score,
            metrics,
            best,
        })
    }

    async fn finish(&mut self) -> Result<Event> {
        let metrics = self.score(&self.best, &self.task.test).await?;
        self.progress.phase = Phase::Done;
        let config = self.trainer.model().config();
        let method = &self.settings.method;
        let metric = self.task.metric().to_string();
        Ok(Event::Finished(Summary {
            method: method.name.clone(),
            task: self.task.name.clone(),
            metric,
            trainable: method.trainable(config),
            percent: method.percent(config),
            score_before: self.first(&self.progress.before),
            score_after: self.first(&metrics),
            majority: self.task.majority(),
            metrics,
            steps: self.trainer.steps(),
            best_step: self.progress.best_step,
        }))
    }

    async fn score(&self, weights: &Weights, rows: &[Example]) -> Result<Metrics> {
        let scorer = self.scorer(weights);
        scorer.metrics(&self.task, rows, self.settings.score).await
    }

    pub(super) fn scorer<'a>(&'a self, weights: &'a Weights) -> Scorer<'a> {
        Scorer {
            model: self.trainer.model(),
            weights,
            tokenizer: &self.tokenizer,
            max_source: self.settings.max_source,
            max_target: self.max_target,
        }
    }

    /// The task's first metric out of all.
    fn first(&self, metrics: &Metrics) -> f64 {
        metrics.get(self.task.metric()).copied().unwrap_or(0.0)
    }
}
