//! The app: reports in, drawing out. Layout by width, everything else in the panels.

use crate::link::Link;
use crate::panels::{curves, data, method, plot, run, runs, try_it};
use crate::state::State;
use crate::theme;
use compacter_core::train::Command;
use eframe::egui::{self, Context, Panel, ScrollArea, Ui};

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

/// The state, the way to the trainer, and what is only of the screen.
pub struct App {
    state: State,
    link: Box<dyn Link>,
    tab: Tab,
    drawer: bool,
}

impl App {
    /// Sets the theme; the trainer is at the other end of `link`.
    pub fn new(context: &Context, link: Box<dyn Link>) -> Self {
        theme::install(context);
        // The bundled files are part of the program: a test reads them.
        let state = State::new().unwrap_or_else(|error| panic!("{error}"));
        Self {
            state,
            link,
            tab: Tab::Plot,
            drawer: true,
        }
    }

    fn send(&self, command: Option<Command>) {
        if let Some(command) = command {
            self.link.send(command);
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
        });
    }

    fn running(&mut self, ui: &mut Ui) {
        let command = run::show(ui, &mut self.state);
        self.send(command);
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
        let command = try_it::show(ui, &mut self.state);
        self.send(command);
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
            Tab::Data => data::show(ui, &mut self.state),
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

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let now = context.input(|input| input.time);
        while let Some(report) = self.link.receive() {
            let command = self.state.apply(report, now);
            self.send(command);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let width = ui.ctx().content_rect().width();
        let medium = (NARROW..WIDE).contains(&width);
        Panel::top("bar").exact_size(48.0).show(ui, |ui| {
            crate::panels::bar::show(ui, &self.state, medium.then_some(&mut self.drawer));
        });
        if width >= WIDE {
            self.wide(ui);
        } else if medium {
            self.medium(ui);
        } else {
            self.narrow(ui);
        }
    }
}
