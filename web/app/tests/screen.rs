//! The screen through its accessibility tree: what a person sees, does and is told.
#![forbid(unsafe_code)]

use compacter_core::check::{Checked, Health, Speed};
use compacter_core::t5::T5Config;
use compacter_core::train::{Command, Event, Load, Mistake, Report, Summary};
use compacter_web::home::{Arrival, Home};
use compacter_web::link::Link;
use compacter_web::state::{Device, Start};
use compacter_web::{App, Opener};
use eframe::egui::{Context, DroppedFileHandle, OutputCommand, Theme, accesskit::Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Everything around the app, played by the test.
#[derive(Default)]
struct World {
    commands: Vec<Command>,
    devices: Vec<Device>,
    reports: VecDeque<Report>,
    arrivals: VecDeque<Arrival>,
    kept: BTreeMap<String, Vec<u8>>,
    saved: Vec<(String, Vec<u8>)>,
    said: Vec<String>,
}

#[derive(Clone, Default)]
struct Stage(Rc<RefCell<World>>);

impl Link for Stage {
    fn send(&self, command: Command) {
        self.0.borrow_mut().commands.push(command);
    }

    fn receive(&self) -> Option<Report> {
        self.0.borrow_mut().reports.pop_front()
    }
}

impl Home for Stage {
    fn keep(&self, key: &str, bytes: Vec<u8>) {
        self.0.borrow_mut().kept.insert(key.into(), bytes);
    }

    fn forget(&self, key: &str) {
        self.0.borrow_mut().kept.remove(key);
    }

    fn save(&self, name: &str, bytes: Vec<u8>) {
        self.0.borrow_mut().saved.push((name.into(), bytes));
    }

    fn save_picture(&self, name: &str, svg: &str) {
        self.save(name, svg.into());
    }

    fn pick(&self) {}

    fn pick_base(&self) {}

    fn read(&self, _file: DroppedFileHandle) {}

    fn link(&self, text: &str) -> String {
        format!("https://example.org/#adapter={text}")
    }

    fn say(&self, words: &str) {
        self.0.borrow_mut().said.push(words.into());
    }

    fn receive(&self) -> Option<Arrival> {
        self.0.borrow_mut().arrivals.pop_front()
    }
}

/// A visit at a size of the screen, and the world around it.
struct Visit {
    screen: Harness<'static, Option<App>>,
    stage: Stage,
}

impl Visit {
    fn new(size: [f32; 2], theme: Theme) -> Self {
        let stage = Stage::default();
        let around = stage.clone();
        let draw = move |ui: &mut eframe::egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| {
                let link = around.clone();
                let open: Opener = Box::new(move |_: &Context, start: &Start| {
                    link.0.borrow_mut().devices.push(start.device);
                    Box::new(link.clone()) as Box<dyn Link>
                });
                App::new(ui.ctx(), open, Box::new(around.clone()))
            });
            app.tick(ui.ctx());
            app.draw(ui);
        };
        let mut screen = Harness::builder()
            .with_size(size)
            .with_theme(theme)
            // A page draws missing signs with the browser's fonts.
            .allow_missing_glyphs()
            .build_ui_state(draw, None);
        screen.run_steps(3);
        Self { screen, stage }
    }

    /// A visit whose trainer is ready and whose last visit left nothing.
    fn ready(size: [f32; 2]) -> Self {
        let mut visit = Self::new(size, Theme::Light);
        visit.arrive(Arrival::Kept(BTreeMap::new()));
        visit.be_ready();
        visit
    }

    fn be_ready(&mut self) {
        let config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
        self.report(Report::Ready {
            device: "CPU".into(),
            reason: "a test".into(),
            base: Box::new(config),
        });
    }

    fn report(&mut self, report: Report) {
        self.stage.0.borrow_mut().reports.push_back(report);
        self.screen.run_steps(3);
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.stage.0.borrow_mut().arrivals.push_back(arrival);
        self.screen.run_steps(3);
    }

    fn event(&mut self, event: Event) {
        let (run, load) = (1, Load::default());
        self.report(Report::Event { run, event, load });
    }

    fn click(&mut self, role: Role, label: &str) {
        self.screen
            .get_by_role_and_label(role, label)
            .click_accesskit();
        self.screen.run_steps(3);
    }

    fn press(&mut self, label: &str) {
        self.click(Role::Button, label);
    }

    fn sees(&self, words: &str) -> bool {
        self.screen
            .query_all_by_label_contains(words)
            .next()
            .is_some()
    }

    fn commands(&self) -> Vec<Command> {
        std::mem::take(&mut self.stage.0.borrow_mut().commands)
    }

    /// Trains a run to its end.
    fn train(&mut self) {
        self.press("Train");
        self.event(Event::Started {
            task: "reviews".into(),
            method: "compacter++".into(),
            trainable: 7024,
            percent: 0.155,
            total_steps: 340,
            train_rows: 540,
            validation_rows: 60,
            test_rows: 200,
        });
        self.event(Event::Finished(Summary {
            method: "compacter++".into(),
            task: "reviews".into(),
            metric: "accuracy".into(),
            trainable: 7024,
            percent: 0.155,
            score_before: 49.0,
            score_after: 61.0,
            majority: Some(50.0),
            metrics: BTreeMap::new(),
            steps: 340,
            best_step: 300,
        }));
    }
}

const WIDE: [f32; 2] = [1600.0, 1000.0];

#[test]
fn one_press_trains_and_another_pauses() {
    let mut visit = Visit::new(WIDE, Theme::Light);
    let train = visit.screen.get_by_role_and_label(Role::Button, "Train");
    assert!(train.accesskit_node().is_disabled());
    visit.be_ready();
    visit.press("Train");
    let commands = visit.commands();
    assert!(
        matches!(&commands[..], [Command::Train(job)] if job.settings.method.name == "compacter++"),
        "{commands:?}"
    );
    visit.press("Pause");
    assert_eq!(visit.commands(), [Command::Pause, Command::Checkpoint]);
    visit.press("Continue");
    visit.press("Stop");
    assert_eq!(visit.commands(), [Command::Continue, Command::Stop]);
}

#[test]
fn what_cannot_work_is_said_beside_the_settings() {
    let mut visit = Visit::ready(WIDE);
    assert!(!visit.sees("must divide 192, but"));
    let number = |node: &egui_kittest::Node<'_>| node.accesskit_node().numeric_value() == Some(4.0);
    let n = visit.screen.get_all_by_role(Role::SpinButton).find(number);
    n.unwrap().set_value_accesskit(5.0);
    visit.screen.run_steps(3);
    assert!(visit.sees("n = 5"), "{:#?}", visit.screen.root());
    visit.press("Train");
    assert_eq!(visit.commands(), []);
    assert!(visit.stage.0.borrow().said.last().unwrap().contains('5'));
}

#[test]
fn a_pasted_table_asks_for_its_columns_and_becomes_the_data() {
    let mut visit = Visit::ready(WIDE);
    let csv = "when,verdict,remark\n".to_string()
        + &"1,good,a fine film in every way\n2,bad,a dull film in every way\n".repeat(8);
    visit.screen.event(eframe::egui::Event::Paste(csv));
    visit.screen.run_steps(3);
    assert!(visit.sees("pasted.csv: 16 rows"));
    visit.press("Use these rows");
    assert!(visit.sees("bad 8 · good 8"));
    let state = visit.screen.state().as_ref().unwrap().state();
    assert_eq!(
        (state.data.name.as_str(), state.data.rows.len()),
        ("pasted", 16)
    );
    assert_eq!(state.data.rows[0], ["a fine film in every way", "good"]);
}

#[test]
fn a_broken_file_is_named_and_changes_nothing() {
    let mut visit = Visit::ready(WIDE);
    let (name, bytes) = ("ragged.tsv".to_string(), b"a\tb\n1\n".to_vec());
    visit.arrive(Arrival::File { name, bytes });
    assert!(visit.sees("ragged.tsv:2"));
    visit.arrive(Arrival::Link("1.broken".into()));
    assert!(visit.sees("the link"));
    let state = visit.screen.state().as_ref().unwrap().state();
    assert!(state.runs.is_empty() && state.data.rows.len() == 800);
}

#[test]
fn a_finished_run_can_be_kept_compared_and_deleted() {
    let mut visit = Visit::ready(WIDE);
    visit.train();
    assert!(visit.commands().contains(&Command::Adapter));
    let run = 1;
    let bytes = b"an adapter".to_vec();
    visit.report(Report::Adapter { run, bytes });
    assert_eq!(visit.stage.0.borrow().kept["adapter/1"], b"an adapter");
    visit.press("Save");
    visit.press("Export");
    let names: Vec<String> = {
        let world = visit.stage.0.borrow();
        world.saved.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(
        names,
        ["reviews-compacter++-1.safetensors", "compacter-runs.json"]
    );
    visit.press("SVG");
    let svg = visit.stage.0.borrow().saved[2].clone();
    let words = String::from_utf8(svg.1).unwrap();
    assert!(svg.0 == "compacter-runs.svg" && words.contains("compacter++: 7024 trained, 61.0 %"));
    let runs = visit.stage.0.borrow().saved[1].clone();
    let (name, bytes) = runs;
    visit.arrive(Arrival::File { name, bytes });
    for pin in ["Pin", "Pin"] {
        let first = visit
            .screen
            .get_all_by_role_and_label(Role::Button, pin)
            .next();
        first.unwrap().click_accesskit();
        visit.screen.run_steps(3);
    }
    assert!(visit.sees("Side by side") && visit.sees("gain in points"));
    let last = visit
        .screen
        .get_all_by_role_and_label(Role::Button, "Delete")
        .last();
    last.unwrap().click_accesskit();
    visit.screen.run_steps(3);
    assert!(!visit.sees("Side by side"));
    assert!(!visit.stage.0.borrow().kept.contains_key("adapter/1"));
}

#[test]
fn a_lost_device_offers_two_ways_on() {
    let mut visit = Visit::ready(WIDE);
    visit.press("Train");
    let message = "The graphics device was lost (driver reset).".to_string();
    visit.report(Report::Gone { message });
    assert!(visit.sees("driver reset"));
    visit.press("Continue on the CPU");
    assert_eq!(visit.stage.0.borrow().devices, [Device::Auto, Device::Cpu]);
    visit.commands();
    visit.be_ready();
    assert!(matches!(&visit.commands()[..], [Command::Train(_)]));
}

#[test]
fn a_method_that_the_base_cannot_have_is_greyed_with_the_reason() {
    let mut visit = Visit::ready(WIDE);
    visit.click(Role::Button, "adapter");
    let mut config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
    config.d_model = 190;
    visit.report(Report::Ready {
        device: "CPU".into(),
        reason: "a test".into(),
        base: Box::new(config),
    });
    let disabled = |label: &str| {
        let button = visit.screen.get_by_role_and_label(Role::Button, label);
        button.accesskit_node().is_disabled()
    };
    assert!(disabled("compacter") && disabled("compacter++") && !disabled("full"));
    assert!(visit.sees("n = 4 does not divide d_model 190"));
}

#[test]
fn the_worst_mistakes_of_a_run_are_found_when_they_are_unfolded() {
    let mut visit = Visit::ready(WIDE);
    visit.click(Role::DisclosureTriangle, "Where it is most wrong");
    assert!(visit.sees("Train a run"));
    visit.train();
    visit.screen.run_steps(30);
    let asked = Command::Mistakes { run: 1, most: 5 };
    let count = visit.commands().iter().filter(|one| **one == asked).count();
    assert_eq!(count, 1);
    visit.report(Report::Mistakes {
        run: 1,
        rows: vec![Mistake {
            source: "reviews: a dull, dull film".into(),
            label: "negative".into(),
            answer: "positive".into(),
            share: 0.021,
        }],
        wrong: 78,
        of: 200,
    });
    assert!(visit.sees("78 of 200") && visit.sees("2.1 % for negative"));
    assert!(visit.screen.query_by_label("a dull, dull film").is_some());
}

#[test]
fn a_device_is_held_to_the_cpu() {
    let mut visit = Visit::ready(WIDE);
    visit.click(Role::DisclosureTriangle, "The device");
    visit.press("Check it");
    assert_eq!(visit.commands(), [Command::Check]);
    let checked = |kernel: &str, worst| Checked {
        kernel: kernel.into(),
        worst,
        limit: 1e-5,
    };
    let speed = |product, launch| Speed {
        copy: 10.0,
        product,
        launch,
    };
    let mut health = Health {
        results: vec![checked("adapter", 2e-7)],
        speed: speed(500.0, Some(20.0)),
        cpu: speed(100.0, None),
    };
    visit.report(Report::Checked {
        health: health.clone(),
    });
    assert!(visit.sees("good: all 1 results are the CPU's"));
    assert!(visit.sees("5.0 times the CPU's"));
    health.results.push(checked("dropout", 0.5));
    visit.report(Report::Checked { health });
    assert!(visit.sees("wrong: 1 of 2 results"));
    assert!(visit.sees("dropout: off by") && !visit.sees("adapter: off by"));
}

#[test]
fn what_was_kept_is_there_again() {
    let mut visit = Visit::ready(WIDE);
    visit.train();
    visit.screen.run_steps(20); // longer than the pause between two savings
    let kept = visit.stage.0.borrow().kept.clone();
    assert!(kept.contains_key("state"), "{:?}", kept.keys());
    let mut again = Visit::new(WIDE, Theme::Light);
    again.arrive(Arrival::Kept(kept));
    again.be_ready();
    let state = again.screen.state().as_ref().unwrap().state();
    assert_eq!((state.runs.len(), state.runs[0].after), (1, Some(61.0)));
}

#[test]
fn an_answer_shows_both_probabilities() {
    let mut visit = Visit::ready(WIDE);
    visit.train();
    visit.report(Report::Answer {
        run: 1,
        source: "reviews: fine".into(),
        labels: vec!["negative".into(), "positive".into()],
        before: vec![0.5, 0.5],
        after: vec![0.09, 0.91],
    });
    assert!(visit.sees("91 %") && visit.sees("9 %"));
}

/// Every width and both themes are drawn; the harness fails on a field without a name.
#[test]
fn every_screen_is_drawn_and_its_fields_have_names() {
    for theme in [Theme::Light, Theme::Dark] {
        for size in [[360.0, 740.0], [820.0, 1100.0], WIDE] {
            let mut visit = Visit::new(size, theme);
            visit.be_ready();
            if size[0] < 600.0 {
                for tab in ["Data", "Method", "Run", "Plot", "Try"] {
                    visit.press(tab);
                }
                visit.press("Run");
            }
            assert!(visit.sees("Train"));
        }
    }
}

/// The clipboard gets the whole address.
#[test]
fn a_run_is_shared_as_a_link() {
    let mut visit = Visit::ready(WIDE);
    visit.train();
    let adapter = adapter();
    visit.report(Report::Adapter {
        run: 1,
        bytes: adapter.clone(),
    });
    let share = visit.screen.get_by_role_and_label(Role::Button, "Share");
    share.click_accesskit();
    let mut copied = None;
    for _ in 0..3 {
        visit.screen.step();
        let commands = &visit.screen.output().platform_output.commands;
        copied = commands
            .iter()
            .find_map(|command| match command {
                OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            })
            .or(copied);
    }
    let link = copied.expect("nothing was copied");
    let text = link.strip_prefix("https://example.org/#adapter=").unwrap();
    let mut other = Visit::ready(WIDE);
    other.arrive(Arrival::Link(text.into()));
    let opened = other.commands();
    assert!(
        matches!(&opened[..], [Command::Open { run: 1, .. }]),
        "{opened:?}"
    );
}

/// An adapter file of the chosen method with every number zero.
fn adapter() -> Vec<u8> {
    use compacter_core::artifact::Header;
    use compacter_core::method::Method;
    let config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
    let method = Method::preset("compacter++", &config).unwrap();
    let mut header = Header::new(method, config);
    header.task = "reviews".into();
    header.labels = vec!["negative".into(), "positive".into()];
    let metadata = header.metadata().unwrap();
    let data = vec![0u8; 4 * 64];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![64], &data);
    safetensors::serialize([("rule", view.unwrap())], Some(metadata)).unwrap()
}
