//! One base and at most one run, moved on by whoever owns the loop.

use compacter_core::check::examine;
use compacter_core::data::Tokenizer;
use compacter_core::t5::{Loader, Storage, T5, T5Config};
use compacter_core::train::{Command, Event, Job, Launches, Load, Predictor, Report, Session};
use compacter_core::{Device, Error, Result};
use std::sync::Arc;

/// A run under way.
#[derive(Debug)]
struct Run {
    id: u64,
    session: Session,
    moving: bool,
}

/// An adapter made earlier.
#[derive(Debug)]
struct Opened {
    run: u64,
    before: Predictor,
    after: Predictor,
}

/// A loaded base, the run on it and an adapter that was opened.
#[derive(Debug)]
pub struct Desk {
    model: Arc<T5>,
    tokenizer: Arc<Tokenizer>,
    run: Option<Run>,
    opened: Option<Opened>,
    launches: Launches,
}

impl Desk {
    /// A base that is loaded, and no run.
    pub fn new(model: T5, tokenizer: Tokenizer) -> Self {
        Self {
            model: Arc::new(model),
            tokenizer: Arc::new(tokenizer),
            run: None,
            opened: None,
            launches: Launches::default(),
        }
    }

    /// Loads a base from the bytes of its three files in the Hugging Face layout.
    pub fn from_files(
        config: &[u8],
        tokenizer: &[u8],
        weights: &[u8],
        storage: Storage,
        device: &Device,
    ) -> Result<Self> {
        let config = T5Config::from_json(config, "config.json")?;
        let tokenizer = Tokenizer::from_bytes(tokenizer, "tokenizer.json")?;
        let loader = Loader::new(config, storage, device);
        let model = loader.load(&[("model.safetensors".to_string(), weights)])?;
        Ok(Self::new(model, tokenizer))
    }

    /// Sizes of the base.
    pub fn base(&self) -> &T5Config {
        self.model.config()
    }

    /// Whether there is a run that [`Self::advance`] would move on.
    pub fn is_moving(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.moving)
    }

    /// Does what is asked; most commands have no answer but their effect.
    pub async fn receive(&mut self, command: Command) -> Option<Report> {
        let answer = match command {
            Command::Train(job) => {
                let run = Some(job.run);
                let error = self.begin(*job).err()?;
                let message = error.to_string();
                return Some(Report::Failed { run, message });
            }
            Command::Stop => {
                self.run = None;
                return None;
            }
            Command::Pause | Command::Continue => {
                if let Some(run) = &mut self.run {
                    run.moving = command == Command::Continue;
                }
                return None;
            }
            Command::Open { run, bytes } => self.open(run, &bytes),
            Command::Ask { run, source } => self.ask(run, source).await,
            Command::Check => {
                let health = examine(self.model.device()).await;
                health.map(|health| Report::Checked { health })
            }
            asked => match &self.run {
                Some(run) => run.answer(asked).await,
                None => Err(Error::Setting("there is no run: train one first".into())),
            },
        };
        Some(answer.unwrap_or_else(|error| Report::Failed {
            run: None,
            message: error.to_string(),
        }))
    }

    /// One step or one evaluation of the run; nothing where none is moving.
    pub async fn advance(&mut self) -> Option<Report> {
        let run = self.run.as_mut().filter(|run| run.moving)?;
        match run.session.advance_async().await {
            Ok(Some(event)) => {
                // The run stays, to be asked.
                run.moving = !matches!(event, Event::Finished(_));
                let (run, load) = (run.id, self.load());
                Some(Report::Event { run, event, load })
            }
            Ok(None) => {
                run.moving = false;
                None
            }
            Err(error) => Some(Report::Failed {
                run: self.run.take().map(|run| run.id),
                message: error.to_string(),
            }),
        }
    }

    fn load(&self) -> Load {
        let pool = self.model.device().memory_pool_usage();
        #[cfg(target_arch = "wasm32")]
        let heap = Some(compacter_heap::most() as u64);
        #[cfg(not(target_arch = "wasm32"))]
        let heap = None;
        Load {
            launches: self.launches.take(),
            bytes: pool.map(|pool| pool.bytes_reserved).or(heap),
        }
    }

    fn begin(&mut self, job: Job) -> Result<()> {
        self.run = None;
        // Each run is told what it held itself, not what one before it did.
        self.model.device().memory_cleanup();
        #[cfg(target_arch = "wasm32")]
        compacter_heap::forget();
        let (model, tokenizer) = (self.model.clone(), self.tokenizer.clone());
        let mut session = Session::new(model, tokenizer, job.task, job.settings)?;
        if let Some(bytes) = &job.checkpoint {
            session.resume(&bytes[..], "the saved checkpoint")?;
        }
        self.run = Some(Run {
            id: job.run,
            session,
            moving: true,
        });
        Ok(())
    }

    fn open(&mut self, run: u64, bytes: &[u8]) -> Result<Report> {
        let (model, tokenizer) = (self.model.clone(), self.tokenizer.clone());
        let after = Predictor::new(model, tokenizer, bytes, "the adapter")?;
        let before = after.untouched();
        self.opened = Some(Opened { run, before, after });
        Ok(Report::Opened { run })
    }

    async fn ask(&self, id: u64, source: String) -> Result<Report> {
        let run = self.run.as_ref().filter(|run| run.id == id);
        let opened = self.opened.as_ref().filter(|opened| opened.run == id);
        let (labels, [before, after]) = match (run, opened) {
            (Some(Run { session, .. }), _) => (
                session.task().labels.clone(),
                session.compare_async(&source).await?,
            ),
            (None, Some(Opened { before, after, .. })) => (
                after.header().labels.clone(),
                [
                    before.probabilities_async(&[&source]).await?.concat(),
                    after.probabilities_async(&[&source]).await?.concat(),
                ],
            ),
            (None, None) => {
                let message = format!("run {id} is not loaded: open its adapter first");
                return Err(Error::Setting(message));
            }
        };
        Ok(Report::Answer {
            run: id,
            source,
            labels,
            before,
            after,
        })
    }
}

impl Run {
    /// The answer to a command that asks the run.
    async fn answer(&self, command: Command) -> Result<Report> {
        let (run, session) = (self.id, &self.session);
        Ok(match command {
            Command::Checkpoint => Report::Checkpoint {
                run,
                step: session.steps(),
                bytes: session.checkpoint_async().await?,
            },
            Command::Look { place, side } => {
                let projection = session.projection_async(&place, side).await?;
                let method = &session.settings().method.name;
                let missing =
                    || Error::Setting(format!("{method} has no layer `{place}` to look into"));
                Report::Projection {
                    run,
                    step: session.steps(),
                    projection: projection.ok_or_else(missing)?,
                }
            }
            Command::Mistakes { run: asked, most } => {
                if asked != run {
                    let message = format!("run {asked} is not the last one: its rows are gone");
                    return Err(Error::Setting(message));
                }
                let mut rows = session.mistakes_async().await?;
                let (wrong, of) = (rows.len(), session.task().test.len());
                rows.truncate(most);
                Report::Mistakes {
                    run,
                    rows,
                    wrong,
                    of,
                }
            }
            _ => Report::Adapter {
                run,
                bytes: session.adapter_async().await?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compacter_core::method::Method;
    use compacter_core::task;
    use compacter_core::train::{Settings, Side};
    use compacter_core::{block_on, cpu_device};

    fn desk() -> Desk {
        Desk::from_files(
            compacter_assets::CONFIG,
            compacter_assets::TOKENIZER,
            compacter_assets::WEIGHTS,
            Storage::F32,
            &cpu_device(),
        )
        .unwrap()
    }

    fn job(desk: &Desk, run: u64) -> Job {
        let pairs = [("a fine film", "good"), ("a dull film", "bad")].repeat(10);
        let task = task::pairs("films", &pairs, 1).unwrap();
        let mut settings =
            Settings::new(Method::preset("compacter++", desk.base()).unwrap(), &task);
        (settings.steps, settings.batch, settings.eval_every) = (Some(6), 4, Some(2));
        Job {
            run,
            task,
            settings,
            checkpoint: None,
        }
    }

    fn receive(desk: &mut Desk, command: Command) -> Option<Report> {
        block_on(desk.receive(command))
    }

    /// Advances until the event, which must come.
    fn until(desk: &mut Desk, wanted: impl Fn(&Event) -> bool) {
        loop {
            match block_on(desk.advance()).expect("the run ended before that") {
                Report::Event { event, .. } if wanted(&event) => return,
                Report::Event { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn adapter(desk: &mut Desk) -> Vec<u8> {
        match receive(desk, Command::Adapter) {
            Some(Report::Adapter { run: 7, bytes }) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_pauses_answers_and_ends() {
        let mut desk = desk();
        assert!(!desk.is_moving() && block_on(desk.advance()).is_none());
        let job = job(&desk, 7);
        assert_eq!(receive(&mut desk, Command::Train(Box::new(job))), None);
        until(&mut desk, |event| {
            matches!(event, Event::Step { step: 3, .. })
        });
        receive(&mut desk, Command::Pause);
        assert!(!desk.is_moving() && block_on(desk.advance()).is_none());
        receive(&mut desk, Command::Continue);
        until(&mut desk, |event| matches!(event, Event::Finished(_)));
        assert!(!desk.is_moving());
        let source = "films: a fine play".to_string();
        let Some(Report::Answer {
            labels,
            before,
            after,
            ..
        }) = receive(&mut desk, Command::Ask { run: 7, source })
        else {
            panic!("no answer");
        };
        assert_eq!(labels, ["bad", "good"]);
        assert!((after.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert_ne!(before, after);
        receive(&mut desk, Command::Stop);
        let nothing = receive(&mut desk, Command::Adapter);
        assert!(matches!(nothing, Some(Report::Failed { run: None, .. })));
    }

    #[test]
    fn the_rows_that_a_run_is_most_wrong_about_are_its_own_mistakes() {
        let mut desk = desk();
        let job = job(&desk, 7);
        let test = job.task.test.clone();
        receive(&mut desk, Command::Train(Box::new(job)));
        let mut score = 0.0;
        until(&mut desk, |event| matches!(event, Event::Step { .. }));
        while let Some(Report::Event { event, .. }) = block_on(desk.advance()) {
            if let Event::Finished(summary) = event {
                score = summary.score_after;
            }
        }
        let asked = Command::Mistakes { run: 7, most: 3 };
        let Some(Report::Mistakes {
            rows, wrong, of, ..
        }) = receive(&mut desk, asked)
        else {
            panic!("no rows");
        };
        assert_eq!((of, rows.len()), (test.len(), wrong.min(3)));
        assert!(
            (100.0 * (of - wrong) as f64 / of as f64 - score).abs() < 1e-9,
            "{score}"
        );
        for row in &rows {
            assert_ne!(row.label, row.answer);
            assert!(row.share <= 0.5 && test.iter().any(|one| one.source == row.source));
        }
        assert!(rows.is_sorted_by(|a, b| a.share <= b.share));
        let other = receive(&mut desk, Command::Mistakes { run: 8, most: 3 });
        assert!(matches!(other, Some(Report::Failed { run: None, .. })));
    }

    #[test]
    fn a_checkpoint_goes_on_elsewhere_as_if_nothing_had_happened() {
        // Before the first evaluation, and after it.
        goes_on_elsewhere(1);
        goes_on_elsewhere(3);
    }

    fn goes_on_elsewhere(after: usize) {
        let mut first = desk();
        let whole = job(&first, 7);
        receive(&mut first, Command::Train(Box::new(whole.clone())));
        until(
            &mut first,
            |event| matches!(event, Event::Step { step, .. } if *step == after),
        );
        let Some(mut report) = receive(&mut first, Command::Checkpoint) else {
            panic!("no checkpoint");
        };
        let own = matches!(&report, Report::Checkpoint { run: 7, step, .. } if *step == after);
        assert!(own, "{report:?}");
        let bytes = report.take_bytes();
        let held = bytes.as_ref().map(|bytes| bytes.capacity() - bytes.len());
        assert_eq!(held, Some(0), "room for what never comes");
        until(&mut first, |event| matches!(event, Event::Finished(_)));
        let mut second = desk();
        let json = serde_json::to_string(&Command::Train(Box::new(whole))).unwrap();
        let command: Command = serde_json::from_str(&json).unwrap();
        receive(&mut second, command.with_bytes(bytes));
        until(
            &mut second,
            |event| matches!(event, Event::Step { step, .. } if *step == after + 1),
        );
        until(&mut second, |event| matches!(event, Event::Finished(_)));
        assert!(
            adapter(&mut first) == adapter(&mut second),
            "the adapters differ"
        );
    }

    #[test]
    fn a_layer_can_be_looked_into_while_it_trains() {
        let mut desk = desk();
        let job = job(&desk, 7);
        let place = job.settings.method.places(desk.base())[1].name();
        receive(&mut desk, Command::Train(Box::new(job)));
        until(&mut desk, |event| {
            matches!(event, Event::Step { step: 2, .. })
        });
        for side in [Side::Down, Side::Up] {
            let place = place.clone();
            let look = receive(&mut desk, Command::Look { place, side });
            let Some(Report::Projection {
                run: 7,
                step: 2,
                projection: p,
            }) = look
            else {
                panic!("{look:?}");
            };
            // W[row, col] = Σ_i A_i[row / P, col / Q] · (s_i t_i)[row % P, col % Q]
            let (rows, cols) = (p.input / p.n, p.output / p.n);
            let entry = |row: usize, col: usize| -> f32 {
                let term = |i: usize| {
                    let a = p.rule[(i * p.n + row / rows) * p.n + col / cols];
                    let b = |rho| {
                        p.s[(i * rows + row % rows) * p.rank + rho]
                            * p.t[(i * p.rank + rho) * cols + col % cols]
                    };
                    a * (0..p.rank).map(b).sum::<f32>()
                };
                (0..p.n).map(term).sum()
            };
            assert_eq!(p.w.len(), p.input * p.output);
            for (at, have) in p.w.iter().enumerate() {
                let want = entry(at / p.output, at % p.output);
                assert!((have - want).abs() <= 1e-6 * (1.0 + want.abs()), "{at}");
            }
        }
        let (place, side) = ("nowhere".to_string(), Side::Down);
        let nothing = receive(&mut desk, Command::Look { place, side });
        let Some(Report::Failed { run: None, message }) = nothing else {
            panic!("{nothing:?}");
        };
        assert!(message.contains("nowhere") && desk.is_moving(), "{message}");
    }

    #[test]
    fn an_opened_adapter_answers_as_its_run_did() {
        let mut first = desk();
        let job = job(&first, 7);
        receive(&mut first, Command::Train(Box::new(job)));
        until(&mut first, |event| matches!(event, Event::Finished(_)));
        let bytes = adapter(&mut first);
        let link = compacter_core::artifact::to_text(&bytes).unwrap();
        let mut answers = Vec::new();
        for bytes in [bytes, compacter_core::artifact::from_text(&link).unwrap()] {
            let mut other = desk();
            let opened = receive(&mut other, Command::Open { run: 3, bytes });
            assert_eq!(opened, Some(Report::Opened { run: 3 }));
            let source = "films: a fine play".to_string();
            match receive(&mut other, Command::Ask { run: 3, source }) {
                Some(Report::Answer { run: 3, after, .. }) => answers.push(after[0]),
                other => panic!("{other:?}"),
            }
        }
        assert!((answers[0] - answers[1]).abs() < 0.01, "{answers:?}");
        let bytes = b"no adapter".to_vec();
        let refused = receive(&mut first, Command::Open { run: 4, bytes });
        assert!(matches!(refused, Some(Report::Failed { run: None, .. })));
    }

    #[test]
    fn what_cannot_begin_says_why() {
        let mut desk = desk();
        let mut job = job(&desk, 8);
        job.settings.batch = 0;
        let failed = receive(&mut desk, Command::Train(Box::new(job)));
        let Some(Report::Failed {
            run: Some(8),
            message,
        }) = failed
        else {
            panic!("{failed:?}");
        };
        assert!(message.contains("batch is 0"), "{message}");
    }
}
