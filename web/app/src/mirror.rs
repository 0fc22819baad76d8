//! The canvas as real HTML for those who do not see it: egui's accessibility tree, mirrored into the
//! page by `mirror.js`, and what is done there, done here.
//!
//! It costs time in every frame, so it is off until a person (or a test) turns it on.

use eframe::egui::accesskit::{
    Action, ActionData, ActionRequest, Node, NodeId, Role, Toggled, TreeId, TreeUpdate,
};
use eframe::egui::{Context, Event, FullOutput, Plugin, RawInput};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

/// One element of the mirror, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// egui's number of the widget; as text, since JavaScript's numbers are too short.
    pub id: String,
    /// `button`, `checkbox`, `text`, `field`, `number`, `link`.
    pub kind: &'static str,
    /// Its words.
    pub label: String,
    /// What is in it.
    pub value: String,
    /// Whether it is chosen.
    pub on: bool,
    /// Whether it can be used.
    pub off: bool,
}

/// What was done in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// From now on the mirror is wanted.
    Start,
    /// A click on an element.
    Click(u64),
    /// Another value for an element.
    Set(u64, String),
}

/// The plugin that shows the tree and feeds the deeds in.
pub struct Mirror {
    deeds: Mutex<Receiver<Deed>>,
    show: Box<dyn Fn(&str) + Send + Sync>,
    shown: String,
}

impl Mirror {
    /// A mirror that shows lines as JSON, and the way for deeds to it.
    pub fn new(show: impl Fn(&str) + Send + Sync + 'static) -> (Self, Sender<Deed>) {
        let (sender, deeds) = channel();
        let mirror = Self {
            deeds: Mutex::new(deeds),
            show: Box::new(show),
            shown: String::new(),
        };
        (mirror, sender)
    }
}

impl Plugin for Mirror {
    fn debug_name(&self) -> &'static str {
        "mirror"
    }

    fn input_hook(&mut self, context: &Context, input: &mut RawInput) {
        let deeds = self.deeds.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(deed) = deeds.try_recv() {
            if deed == Deed::Start {
                context.enable_accesskit();
                context.request_repaint();
                continue;
            }
            input.events.extend(request(deed));
        }
    }

    fn output_hook(&mut self, _context: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else {
            return;
        };
        let json = serde_json::to_string(&lines(update)).unwrap_or_default();
        if json != self.shown {
            (self.show)(&json);
            self.shown = json;
        }
    }
}

/// A deed as egui understands it.
fn request(deed: Deed) -> Option<Event> {
    let (id, action, data) = match deed {
        Deed::Start => return None,
        Deed::Click(id) => (id, Action::Click, None),
        Deed::Set(id, value) => {
            let data = match value.parse() {
                Ok(number) => ActionData::NumericValue(number),
                Err(_) => ActionData::Value(value.into()),
            };
            (id, Action::SetValue, Some(data))
        }
    };
    Some(Event::AccessKitActionRequest(ActionRequest {
        action,
        target_tree: TreeId::ROOT,
        target_node: NodeId(id),
        data,
    }))
}

/// The tree in reading order, without what only groups.
fn lines(update: &TreeUpdate) -> Vec<Line> {
    let nodes: HashMap<NodeId, &Node> = update.nodes.iter().map(|(id, node)| (*id, node)).collect();
    let root = update.tree.as_ref().map(|tree| tree.root);
    let mut open: Vec<NodeId> = root.into_iter().collect();
    let mut lines = Vec::new();
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(&id) else { continue };
        open.extend(node.children().iter().rev());
        lines.extend(line(id, node));
    }
    lines
}

fn line(id: NodeId, node: &Node) -> Option<Line> {
    let kind = match node.role() {
        Role::Button
        | Role::ComboBox
        | Role::DisclosureTriangle
        | Role::RadioButton
        | Role::Tab => "button",
        Role::CheckBox | Role::Switch => "checkbox",
        Role::Link => "link",
        Role::TextInput | Role::MultilineTextInput => "field",
        Role::SpinButton | Role::Slider => "number",
        Role::Label | Role::Heading | Role::ProgressIndicator => "text",
        _ => return None,
    };
    let value = match (node.value(), node.numeric_value()) {
        (Some(text), _) => text.to_string(),
        (None, Some(number)) => number.to_string(),
        (None, None) => String::new(),
    };
    Some(Line {
        id: id.0.to_string(),
        kind,
        label: node.label().unwrap_or_default().to_string(),
        value,
        on: node.toggled() == Some(Toggled::True) || node.is_selected() == Some(true),
        off: node.is_disabled(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Button, RawInput};
    use std::sync::{Arc, Mutex};

    #[test]
    fn the_mirror_shows_what_is_there_and_does_what_is_done() {
        let seen = Arc::new(Mutex::new(String::new()));
        let into = seen.clone();
        let show = move |json: &str| *into.lock().unwrap() = json.to_string();
        let (mirror, deeds) = Mirror::new(show);
        let context = Context::default();
        context.add_plugin(mirror);
        let (mut clicks, mut text, mut number) = (0, "old".to_string(), 4);
        let mut frame = || {
            let mut output = context.run_ui(RawInput::default(), |ui| {
                clicks += usize::from(ui.button("Train").clicked());
                ui.add_enabled(false, Button::new("Race"));
                ui.text_edit_singleline(&mut text);
                ui.add(eframe::egui::DragValue::new(&mut number));
            });
            output.textures_delta.clear();
            (clicks, text.clone(), number)
        };
        frame();
        assert_eq!(*seen.lock().unwrap(), "");
        deeds.send(Deed::Start).unwrap();
        frame();
        frame();
        let lines: serde_json::Value = serde_json::from_str(&seen.lock().unwrap()).unwrap();
        let find = |key: &str, value: &str| {
            let lines = lines.as_array().unwrap();
            lines.iter().find(|line| line[key] == value).unwrap()
        };
        assert_eq!(find("label", "Race")["off"], true);
        let id = |line: &serde_json::Value| line["id"].as_str().unwrap().parse().unwrap();
        deeds.send(Deed::Click(id(find("label", "Train")))).unwrap();
        let field = id(find("kind", "field"));
        deeds.send(Deed::Set(field, "new words".into())).unwrap();
        let spin = id(find("kind", "number"));
        deeds.send(Deed::Set(spin, "7".into())).unwrap();
        frame();
        assert_eq!(frame(), (1, "new words".into(), 7));
    }
}
