//! The state without a screen: what a person does, what the trainer says, what is kept.

use super::*;
use compacter_core::train::Summary;

fn ready() -> State {
    let mut state = State::new().unwrap();
    be_ready(&mut state);
    assert_eq!(state.take_todo(), []);
    state
}

fn be_ready(state: &mut State) {
    let base = Box::new(state.base.clone());
    let (device, reason) = ("CPU".into(), "a test".into());
    let report = Report::Ready {
        device,
        reason,
        base,
    };
    state.apply(report, 0.0);
}

/// What the trainer is told next.
fn sent(state: &mut State) -> Vec<Command> {
    let send = |todo| match todo {
        Todo::Send(command) => Some(command),
        _ => None,
    };
    state.take_todo().into_iter().filter_map(send).collect()
}

/// The job that the trainer is told to train.
fn job(state: &mut State) -> Job {
    match sent(state).pop() {
        Some(Command::Train(job)) => *job,
        other => panic!("{other:?}: {:?}", state.error),
    }
}

fn started(method: &str) -> Event {
    Event::Started {
        task: "reviews".into(),
        method: method.into(),
        trainable: 7024,
        percent: 0.155,
        total_steps: 340,
        train_rows: 540,
        validation_rows: 60,
        test_rows: 200,
    }
}

fn finished(method: &str) -> Event {
    Event::Finished(Summary {
        method: method.into(),
        task: "reviews".into(),
        metric: "accuracy".into(),
        trainable: 7024,
        percent: 0.155,
        score_before: 49.0,
        score_after: 61.0,
        majority: Some(50.0),
        metrics: Default::default(),
        steps: 340,
        best_step: 300,
    })
}

fn event(state: &mut State, run: u64, event: Event, now: f64) {
    let load = Load::default();
    state.apply(Report::Event { run, event, load }, now);
}

fn step(step: usize) -> Event {
    Event::Step {
        step,
        total_steps: 340,
        loss: 1.0,
        lr: 0.1,
        rows: 32,
    }
}

#[test]
fn a_first_visit_can_train_as_soon_as_the_trainer_is_ready() {
    let mut state = State::new().unwrap();
    assert!(!state.can_train());
    assert_eq!(state.data.rows.len(), 800);
    assert_eq!(state.data.balance(), [("negative", 400), ("positive", 400)]);
    state = ready();
    assert!(state.can_train());
    state.train();
    let job = job(&mut state);
    assert_eq!((job.run, job.task.train.len()), (1, 540));
    assert_eq!(job.settings.method.name, "compacter++");
    assert!(!state.can_train());
}

#[test]
fn a_run_grows_with_its_events_and_a_pause_takes_no_time() {
    let mut state = ready();
    state.train();
    event(&mut state, 1, started("compacter++"), 1.0);
    let metrics = Default::default();
    let before = Event::Before {
        score: 49.0,
        metrics,
    };
    event(&mut state, 1, before, 2.0);
    event(&mut state, 1, step(1), 3.0);
    state.take_todo();
    state.pause(3.0);
    assert_eq!(sent(&mut state), [Command::Pause, Command::Checkpoint]);
    state.pause(10.0);
    assert_eq!(sent(&mut state), [Command::Continue]);
    event(&mut state, 1, step(2), 11.0);
    assert_eq!((state.runs[0].seconds, state.runs[0].rows), (2.0, 64));
    assert_eq!(state.runs[0].score(), Some(49.0));
    state.take_todo();
    event(&mut state, 1, finished("compacter++"), 12.0);
    let asked = sent(&mut state);
    assert!(asked.contains(&Command::Adapter), "{asked:?}");
    assert!(
        matches!(asked.last(), Some(Command::Ask { run: 1, source }) if source.starts_with("reviews: "))
    );
    assert_eq!(state.runs[0].score(), Some(61.0));
    assert!(state.can_train());
}

#[test]
fn a_race_trains_every_method_once() {
    let mut state = ready();
    state.start_race();
    let mut methods = Vec::new();
    while state.running.is_some() {
        let job = job(&mut state);
        let name = job.settings.method.name;
        event(&mut state, job.run, started(&name), 0.0);
        event(&mut state, job.run, finished(&name), 1.0);
        methods.push(name);
    }
    methods.reverse();
    assert_eq!(methods, compacter_core::method::NAMES);
}

#[test]
fn what_cannot_work_is_said_and_nothing_begins() {
    let mut state = ready();
    state.form.overrides.n = Some(5);
    state.train();
    assert_eq!(sent(&mut state), []);
    let error = state.error.clone().unwrap();
    assert!(error.contains('5') && state.can_train(), "{error}");
    let message = "the trainer broke".to_string();
    state.apply(Report::Failed { run: None, message }, 0.0);
    assert_eq!(state.error.as_deref(), Some("the trainer broke"));
}

/// What a browser would have kept of these.
fn keep(state: &mut State, kept: &mut BTreeMap<String, Vec<u8>>) {
    for todo in state.take_todo() {
        match todo {
            Todo::Keep { key, bytes } => {
                kept.insert(key, bytes);
            }
            Todo::Forget { key } => {
                kept.remove(&key);
            }
            _ => {}
        }
    }
    kept.insert(STATE.into(), state.kept());
}

#[test]
fn a_run_under_way_survives_a_reload() {
    let mut kept = BTreeMap::new();
    let mut state = ready();
    state.form.seed = 7;
    state.train();
    event(&mut state, 1, started("compacter++"), 0.0);
    for now in 1..=9 {
        event(&mut state, 1, step(now), now as f64);
    }
    let (run, step, bytes) = (1, 6, b"checkpoint".to_vec());
    state.apply(Report::Checkpoint { run, step, bytes }, 9.0);
    keep(&mut state, &mut kept);
    // Whichever comes first, what was kept or the trainer.
    for early in [true, false] {
        let mut other = if early {
            ready()
        } else {
            State::new().unwrap()
        };
        other.restore(&kept, 1.0);
        if !early {
            be_ready(&mut other);
        }
        assert_eq!(other.running, Some(1));
        assert_eq!((other.runs[0].done(), other.form.seed), (6, 7));
        let job = job(&mut other);
        assert_eq!(job.checkpoint.as_deref(), Some(&b"checkpoint"[..]));
        assert_eq!((job.run, job.settings.seed), (1, 7));
        assert!(!other.can_train() && other.notice.is_some());
    }
    state.stop();
    keep(&mut state, &mut kept);
    let mut other = ready();
    other.restore(&kept, 1.0);
    assert_eq!((other.running, other.runs.len()), (None, 1));
}

#[test]
fn another_device_goes_on_from_the_last_checkpoint() {
    let mut state = ready();
    state.train();
    event(&mut state, 1, started("compacter++"), 0.0);
    event(&mut state, 1, step(1), 1.0);
    let (run, step, bytes) = (1, 1, b"checkpoint".to_vec());
    state.apply(Report::Checkpoint { run, step, bytes }, 1.0);
    let message = "The graphics device was lost.".to_string();
    state.apply(Report::Gone { message }, 2.0);
    assert!(state.running == Some(1) && !state.can_train());
    state.take_todo();
    state.take_device(Device::Cpu);
    assert_eq!(state.take_todo(), [Todo::Restart]);
    be_ready(&mut state);
    assert!(job(&mut state).checkpoint.is_some());
}

#[test]
fn runs_travel_as_a_file_and_get_new_numbers() {
    let mut state = ready();
    state.train();
    event(&mut state, 1, started("full"), 0.0);
    event(&mut state, 1, finished("full"), 1.0);
    state.take_todo();
    state.export_runs();
    let Some(Todo::Save { name, bytes }) = state.take_todo().pop() else {
        panic!("no file");
    };
    state.take_file(&name, bytes.clone());
    assert_eq!(state.runs.len(), 2);
    assert_eq!((state.runs[1].id, state.runs[1].after), (2, Some(61.0)));
    let kept = state.kept();
    state.take_file("compacter-runs.json", kept);
    assert_eq!((state.runs.len(), state.error.clone()), (4, None));
    state.take_file("other.json", b"{}".to_vec());
    assert!(state.error.take().unwrap().contains("other.json"));
    let newer = String::from_utf8(bytes)
        .unwrap()
        .replace("_runs\": 1", "_runs\": 9");
    state.take_file("newer.json", newer.into_bytes());
    assert!(state.error.unwrap().contains("version 9"));
    assert_eq!(state.runs.len(), 4);
}

#[test]
fn files_that_are_no_adapters_are_refused_in_words() {
    let mut state = ready();
    state.take_file("broken.safetensors", b"nothing".to_vec());
    assert!(state.error.take().unwrap().contains("broken.safetensors"));
    state.take_link("1.AAAA");
    assert!(state.error.take().unwrap().contains("the link"));
    assert!(state.runs.is_empty() && state.asked.is_none());
}

#[test]
fn of_three_pins_the_oldest_goes() {
    let mut state = ready();
    for id in 1..=3 {
        state.runs.push(Run {
            id,
            ..Run::default()
        });
        state.pin(id);
    }
    let pinned: Vec<u64> = state.pinned().iter().map(|run| run.id).collect();
    assert_eq!(pinned, [2, 3]);
    state.pin(3);
    assert_eq!(state.pinned().len(), 1);
    state.delete(2);
    assert!(state.pinned().is_empty() && state.runs.len() == 2);
}

#[test]
fn a_state_that_cannot_be_read_is_kept_aside() {
    let now = String::from_utf8(ready().kept()).unwrap();
    let other = now.replace("{\"version\":1,", "{\"version\":2,");
    assert_ne!(now, other);
    for old in ["{\"version\": 99}", "{", &other] {
        let mut state = ready();
        let old = old.as_bytes().to_vec();
        state.restore(&BTreeMap::from([(STATE.to_string(), old.clone())]), 0.0);
        let (key, bytes) = ("unreadable".to_string(), old);
        assert_eq!(state.take_todo(), [Todo::Keep { key, bytes }]);
        assert!(state.error.is_some());
    }
}
