//! The app: reports in, drawing out. Layout by width, everything else in the panels.

use crate::home::{Arrival, Home};
use crate::link::Link;
use crate::panels::layer::{self, Pictures};
use crate::panels::{bar, curves, data, device, method, model, plot, run, runs, try_it};
use crate::state::{STATE, Start, State, Todo};
use crate::theme;
use eframe::egui::{self, Context, Event, Panel, ScrollArea, Ui};
use std::time::Duration;
use web_time::Instant;

/// From this width on there are three columns.
const WIDE: f32 = 1100.0;
/// Below this width there is one column.
const NARROW: f32 = 600.0;

/// What the narrow layout shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Data,
    Method,
    Run,
    Plot,
    Try,
}

impl Tab {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Data, "Data"),
        (Self::Method, "Method"),
        (Self::Run, "Run"),
        (Self::Plot, "Plot"),
        (Self::Try, "Try"),
    ];
}

/// Opens the way to a trainer on a device.
pub type Opener = Box<dyn Fn(&Context, &Start) -> Box<dyn Link>>;

/// Seconds between two savings of the state.
const KEEP_EVERY: f64 = 2.0;

/// The state, the way to the trainer, the place around it, and what is only of the screen.
pub struct App {
    state: State,
    open: Opener,
    link: Option<Box<dyn Link>>,
    home: Box<dyn Home>,
    /// What was kept has come; before that nothing is kept, so that it cannot be overwritten.
    restored: bool,
    kept: Vec<u8>,
    kept_at: f64,
    said: Option<String>,
    pictures: Pictures,
    tab: Tab,
    drawer: bool,
    /// The time of the last shown frame, and when that was.
    shown: (f64, Instant),
}

impl App {
    /// Sets the theme and opens the way to a trainer.
    pub fn new(context: &Context, open: Opener, home: Box<dyn Home>) -> Self {
        theme::install(context);
        // The bundled files are part of the program: a test reads them.
        let state = State::new().unwrap_or_else(|error| panic!("{error}"));
        Self {
            link: Some(open(context, &state.start)),
            open,
            state,
            home,
            restored: false,
            kept: Vec::new(),
            kept_at: 0.0,
            said: None,
            pictures: Pictures::default(),
            tab: Tab::Plot,
            drawer: true,
            shown: (0.0, Instant::now()),
        }
    }

    /// What is shown, for tests.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes in what has come from the trainer and from outside.
    fn listen(&mut self, context: &Context, now: f64) {
        while let Some(report) = self.link.as_ref().and_then(|link| link.receive()) {
            self.state.apply(report, now);
        }
        while let Some(arrival) = self.home.receive() {
            match arrival {
                Arrival::Kept(kept) => {
                    self.restored = true;
                    self.state.restore(&kept, now);
                }
                Arrival::File { name, bytes } => self.state.take_file(&name, bytes),
                Arrival::Base(base) => {
                    let weights = self.state.start.weights;
                    self.state.take_base(base, weights);
                }
                Arrival::Link(text) => self.state.take_link(&text),
                Arrival::Notice(words) => self.state.notice = Some(words),
                Arrival::Trouble(words) => self.state.fail(words),
            }
        }
        let typing = context.memory(|memory| memory.focused()).is_some();
        let (dropped, pasted) = context.input(|input| {
            let paste = |event: &Event| match event {
                Event::Paste(text) if !typing => Some(text.clone()),
                _ => None,
            };
            let pasted: Vec<String> = input.events.iter().filter_map(paste).collect();
            (input.raw.dropped_files.clone(), pasted)
        });
        for file in dropped {
            self.home.read(file);
        }
        for text in pasted {
            self.state.paste(&text);
        }
    }

    /// Does what the state asks for.
    fn act(&mut self, context: &Context) {
        for todo in self.state.take_todo() {
            match todo {
                Todo::Send(command) => {
                    if let Some(link) = &self.link {
                        link.send(command);
                    }
                }
                Todo::Restart => {
                    // The old trainer goes first: two would share the device.
                    self.link = None;
                    self.link = Some((self.open)(context, &self.state.start));
                }
                Todo::Keep { key, bytes } => self.home.keep(&key, bytes),
                Todo::Forget { key } => self.home.forget(&key),
                Todo::Save { name, bytes } => self.home.save(&name, bytes),
                Todo::SavePicture { name, svg } => self.home.save_picture(&name, &svg),
                Todo::Pick => self.home.pick(),
                Todo::PickBase => self.home.pick_base(),
                Todo::CopyLink { text } => context.copy_text(self.home.link(&text)),
            }
        }
        let words = self.state.error.as_ref().or(self.state.notice.as_ref());
        if words != self.said.as_ref() {
            self.said = words.cloned();
            self.home.say(self.said.as_deref().unwrap_or_default());
        }
    }

    /// Keeps the state where a reload finds it, if it has changed.
    fn keep(&mut self, now: f64) {
        if !self.restored || now - self.kept_at < KEEP_EVERY {
            return;
        }
        self.kept_at = now;
        let bytes = self.state.kept();
        if bytes != self.kept {
            self.kept = bytes.clone();
            self.home.keep(STATE, bytes);
        }
    }

    /// Data, method, run: what feeds the plot. The button that trains stays in sight.
    fn settings(&mut self, ui: &mut Ui) {
        Panel::bottom("run").resizable(false).show(ui, |ui| {
            ui.add_space(8.0);
            self.running(ui);
            ui.add_space(8.0);
        });
        scroll(ui, "settings", |ui| {
            data::show(ui, &mut self.state);
            ui.add_space(16.0);
            method::show(ui, &mut self.state);
            self.around(ui);
        });
    }

    /// What most people never change.
    fn around(&mut self, ui: &mut Ui) {
        ui.add_space(8.0);
        model::show(ui, &mut self.state);
        device::show(ui, &mut self.state);
    }

    fn running(&mut self, ui: &mut Ui) {
        run::show(ui, &mut self.state);
    }

    fn results(&mut self, ui: &mut Ui) {
        let height = (ui.available_height() * 0.58).clamp(260.0, 620.0);
        plot::show(ui, &mut self.state, height);
        ui.add_space(8.0);
        curves::show(ui, &self.state);
        ui.add_space(8.0);
        runs::show(ui, &mut self.state);
    }

    fn trying(&mut self, ui: &mut Ui) {
        try_it::show(ui, &mut self.state);
        ui.add_space(8.0);
        try_it::mistakes(ui, &mut self.state);
        ui.add_space(16.0);
        layer::show(ui, &mut self.state, &mut self.pictures);
        ui.add_space(16.0);
        try_it::about(ui);
    }

    fn wide(&mut self, ui: &mut Ui) {
        column("left").show(ui, |ui| self.settings(ui));
        Panel::right("right")
            .exact_size(320.0)
            .resizable(false)
            .show(ui, |ui| scroll(ui, "trying", |ui| self.trying(ui)));
        scroll_centre(ui, |ui| self.results(ui));
    }

    fn medium(&mut self, ui: &mut Ui) {
        if self.drawer {
            column("drawer").show(ui, |ui| self.settings(ui));
        }
        scroll_centre(ui, |ui| {
            self.results(ui);
            ui.add_space(16.0);
            self.trying(ui);
        });
    }

    fn narrow(&mut self, ui: &mut Ui) {
        Panel::bottom("tabs").show(ui, |ui| {
            ui.add_space(4.0);
            ui.spacing_mut().button_padding.x = 2.0;
            ui.columns(Tab::ALL.len(), |columns| {
                for (ui, (tab, name)) in columns.iter_mut().zip(Tab::ALL) {
                    ui.vertical_centered_justified(|ui| {
                        ui.selectable_value(&mut self.tab, tab, name);
                    });
                }
            });
            ui.add_space(4.0);
        });
        scroll_centre(ui, |ui| match self.tab {
            Tab::Data => {
                data::show(ui, &mut self.state);
                self.around(ui);
            }
            Tab::Method => method::show(ui, &mut self.state),
            Tab::Run => {
                self.running(ui);
                curves::show(ui, &self.state);
            }
            Tab::Plot => {
                plot::show(ui, &mut self.state, 340.0);
                self.running(ui);
                runs::show(ui, &mut self.state);
            }
            Tab::Try => self.trying(ui),
        });
    }
}

fn column(name: &'static str) -> Panel {
    Panel::left(name).exact_size(320.0).resizable(false)
}

fn scroll(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().id_salt(name).show(ui, |ui| {
        ui.add_space(8.0);
        contents(ui);
        ui.add_space(16.0);
    });
}

fn scroll_centre(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    egui::CentralPanel::default().show(ui, |ui| scroll(ui, "centre", contents));
}

impl App {
    /// While nothing is shown egui's time stands still, and checkpoints are due all the same.
    fn now(&mut self, context: &Context) -> f64 {
        let time = context.input(|input| input.time);
        if time != self.shown.0 {
            self.shown = (time, Instant::now());
        }
        let hidden = context.input(|input| input.viewport().visible() == Some(false));
        match hidden {
            true => time + self.shown.1.elapsed().as_secs_f64(),
            false => time,
        }
    }

    /// What happens whether or not anything is drawn; a hidden tab still trains.
    pub fn tick(&mut self, context: &Context) {
        let now = self.now(context);
        self.listen(context, now);
        self.act(context);
        self.keep(now);
    }

    /// Draws everything and does what was asked.
    pub fn draw(&mut self, ui: &mut Ui) {
        let width = ui.ctx().content_rect().width();
        let medium = (NARROW..WIDE).contains(&width);
        Panel::top("bar").exact_size(48.0).show(ui, |ui| {
            bar::show(ui, &mut self.state, medium.then_some(&mut self.drawer));
        });
        if width >= WIDE {
            self.wide(ui);
        } else if medium {
            self.medium(ui);
        } else {
            self.narrow(ui);
        }
        let context = ui.ctx().clone();
        self.act(&context);
        if self.state.size_methods() {
            context.request_repaint();
        }
        if context.input(|input| !input.raw.hovered_files.is_empty()) {
            drop_hint(&context);
        }
        // What was done by hand is kept even if nothing else happens.
        context.request_repaint_after(Duration::from_secs_f64(KEEP_EVERY));
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        self.tick(context);
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        #[cfg(target_arch = "wasm32")]
        crate::page::note_frame(frame.info().cpu_usage);
        #[cfg(not(target_arch = "wasm32"))]
        let _ = frame;
        self.draw(ui);
    }
}

/// Says what happens to a file that is held over the page.
fn drop_hint(context: &Context) {
    let id = egui::Id::unique("drop");
    egui::Area::new(id)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .show(context, |ui| {
            egui::Frame::popup(ui.style()).show(ui, |ui| {
                ui.label("Drop it: a table becomes data, an adapter or runs are added to yours.");
            });
        });
}
