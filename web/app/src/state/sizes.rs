//! What the methods are on the base, found once: found on every frame it would cost as much time as
//! drawing does.

use super::{Form, State};
use compacter_core::method::{Method, NAMES, Overrides};
use compacter_core::t5::T5Config;

/// A method on a base.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// What it is; or in words why it cannot be.
    pub method: Result<Method, String>,
    /// Trained parameters.
    pub trainable: usize,
    /// 100 × trained ÷ parameters of the base.
    pub percent: f64,
}

impl Size {
    fn new(name: &str, base: &T5Config, overrides: &Overrides) -> Self {
        let method = Method::resolve(name, base, overrides).map_err(|error| error.to_string());
        let count = |method: &Method| (method.trainable(base), method.percent(base));
        let (trainable, percent) = method.as_ref().map(count).unwrap_or_default();
        Self {
            method,
            trainable,
            percent,
        }
    }
}

/// All methods on one base.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    base: T5Config,
    form: (String, Overrides),
    /// Parameters of the base.
    pub parameters: usize,
    /// By name, in the order of the paper's Table 1, each as published.
    pub presets: Vec<(&'static str, Size)>,
    /// What is chosen, with its settings.
    pub chosen: Size,
}

impl Sizes {
    pub(super) fn new(base: &T5Config, form: &Form) -> Self {
        let size = |name: &'static str| (name, Size::new(name, base, &Overrides::default()));
        Self {
            base: base.clone(),
            form: (form.method.clone(), form.overrides.clone()),
            parameters: base.parameters(),
            presets: NAMES.into_iter().map(size).collect(),
            chosen: Size::new(&form.method, base, &form.overrides),
        }
    }

    /// The chosen method as published.
    pub fn preset(&self) -> Option<&Method> {
        let mut presets = self.presets.iter();
        let (_, preset) = presets.find(|(name, _)| *name == self.form.0)?;
        preset.method.as_ref().ok()
    }
}

impl State {
    /// Sizes the methods anew if the base, the chosen method or its settings are others; whether so.
    pub fn size_methods(&mut self) -> bool {
        let (name, overrides) = &self.sizes.form;
        if self.sizes.base != self.base {
            self.sizes = Sizes::new(&self.base, &self.form);
        } else if (name, overrides) != (&self.form.method, &self.form.overrides) {
            let form = &self.form;
            self.sizes.chosen = Size::new(&form.method, &self.base, &form.overrides);
            self.sizes.form = (form.method.clone(), form.overrides.clone());
        } else {
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_form_and_the_base() {
        let mut state = State::new().unwrap();
        assert!(!state.size_methods());
        let before = state.sizes.chosen.trainable;
        state.form.overrides.bottleneck = Some(48);
        assert!(state.size_methods() && state.sizes.chosen.trainable > before);
        assert_eq!(state.sizes.preset().unwrap().bottleneck(), Some(24));
        state.form.overrides.n = Some(5);
        assert!(state.size_methods() && state.sizes.chosen.method.is_err());
        state.base.num_layers = 1;
        let parameters = state.sizes.parameters;
        assert!(state.size_methods() && state.sizes.parameters < parameters);
        assert!(!state.size_methods());
    }
}
