//! A trained adapter on new sentences.

use super::score::Scorer;
use crate::artifact::{self, Header};
use crate::data::Tokenizer;
use crate::t5::{T5, Weights};
use crate::task::Task;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A base with one adapter, ready to answer; several can share the base.
#[derive(Debug, Clone)]
pub struct Predictor {
    model: Arc<T5>,
    tokenizer: Arc<Tokenizer>,
    weights: Weights,
    header: Header,
}

impl Predictor {
    /// Loads an adapter file for this base.
    pub fn new(
        model: Arc<T5>,
        tokenizer: Arc<Tokenizer>,
        adapter: &[u8],
        file: &str,
    ) -> Result<Self> {
        let (header, weights) = artifact::load(adapter, file, &model)?;
        Ok(Self {
            model,
            tokenizer,
            weights,
            header,
        })
    }

    /// The same questions to the base alone.
    pub fn untouched(&self) -> Self {
        Self {
            weights: self.model.untouched(),
            ..self.clone()
        }
    }

    /// What the adapter file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Probability of each of the adapter's labels per source.
    pub async fn probabilities_async(&self, sources: &[&str]) -> Result<Vec<Vec<f64>>> {
        let scorer = self.scorer();
        scorer.probabilities(sources, &self.header.labels).await
    }

    /// The label with the highest of these probabilities, the first of equals; empty without labels.
    pub fn likeliest(&self, probabilities: &[f64]) -> &str {
        let label = self.header.labels.get(super::score::best(probabilities));
        label.map_or("", String::as_str)
    }

    /// Greedy text per source.
    pub async fn generate_async(&self, sources: &[&str]) -> Result<Vec<String>> {
        self.scorer().generate(sources).await
    }

    /// Every metric of a task on its test rows, in percent.
    pub async fn evaluate_async(&self, task: &Task) -> Result<BTreeMap<String, f64>> {
        if task.labels != self.header.labels {
            return Err(Error::Setting(format!(
                "the adapter was trained on the labels {:?}, the data has {:?}",
                self.header.labels, task.labels
            )));
        }
        self.scorer()
            .metrics(task, &task.test, self.header.score)
            .await
    }

    /// [`Self::probabilities_async`], waited for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn probabilities(&self, sources: &[&str]) -> Result<Vec<Vec<f64>>> {
        crate::engine::block_on(self.probabilities_async(sources))
    }

    /// [`Self::generate_async`], waited for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn generate(&self, sources: &[&str]) -> Result<Vec<String>> {
        crate::engine::block_on(self.generate_async(sources))
    }

    /// [`Self::evaluate_async`], waited for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn evaluate(&self, task: &Task) -> Result<BTreeMap<String, f64>> {
        crate::engine::block_on(self.evaluate_async(task))
    }

    fn scorer(&self) -> Scorer<'_> {
        Scorer {
            model: &self.model,
            weights: &self.weights,
            tokenizer: &self.tokenizer,
            max_source: self.header.max_source,
            max_target: self.header.max_target,
        }
    }
}

/// Adapters over one loaded base, swapped by name: each costs its own few numbers, the base none.
#[derive(Debug, Clone)]
pub struct AdapterSet {
    model: Arc<T5>,
    tokenizer: Arc<Tokenizer>,
    by_name: BTreeMap<String, Predictor>,
}

impl AdapterSet {
    /// A base without adapters.
    pub fn new(model: Arc<T5>, tokenizer: Arc<Tokenizer>) -> Self {
        let by_name = BTreeMap::new();
        Self {
            model,
            tokenizer,
            by_name,
        }
    }

    /// Loads an adapter file under a name, in place of one that had it.
    pub fn add(&mut self, name: &str, adapter: &[u8], file: &str) -> Result<&Predictor> {
        let (model, tokenizer) = (self.model.clone(), self.tokenizer.clone());
        let predictor = Predictor::new(model, tokenizer, adapter, file)?;
        let place = self.by_name.entry(name.into());
        Ok(place.insert_entry(predictor).into_mut())
    }

    /// The base with the adapter of this name.
    pub fn get(&self, name: &str) -> Result<&Predictor> {
        let unknown = || {
            let names: Vec<&str> = self.names().collect();
            Error::Setting(format!("no adapter `{name}`: there are {names:?}"))
        };
        self.by_name.get(name).ok_or_else(unknown)
    }

    /// Takes an adapter out; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;
    use crate::t5::T5Config;
    use crate::{block_on, cpu_device};

    #[test]
    fn one_base_serves_several_adapters_by_name() {
        let config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
        let weights = ("model".to_string(), compacter_assets::WEIGHTS.to_vec());
        let model = T5::from_safetensors(config.clone(), &[weights], &cpu_device()).unwrap();
        let tokens = Tokenizer::from_bytes(compacter_assets::TOKENIZER, "tokenizer.json").unwrap();
        let (model, tokens) = (Arc::new(model), Arc::new(tokens));
        let method = Method::preset("compacter++", &config).unwrap();
        let mut header = Header::new(method, config);
        header.labels = vec!["good".into(), "bad".into()];
        let file = |seed| {
            let mut weights = Weights::start(&model, &header.method, seed).unwrap();
            // Fresh adapters are too near to nothing to tell apart.
            for tensor in weights.tensors.values_mut() {
                *tensor = tensor.clone().add_scalar(0.1 * seed as f64);
            }
            block_on(artifact::save(&weights, &header)).unwrap()
        };
        let mut set = AdapterSet::new(model.clone(), tokens.clone());
        set.add("first", &file(1), "first").unwrap();
        set.add("second", &file(2), "second").unwrap();
        let answer = |name: &str| set.get(name).unwrap().probabilities(&["a film"]).unwrap();
        let alone = Predictor::new(model.clone(), tokens, &file(1), "first").unwrap();
        assert_eq!(answer("first"), alone.probabilities(&["a film"]).unwrap());
        assert_ne!(answer("first"), answer("second"));
        let unknown = set.get("third").unwrap_err().to_string();
        assert_eq!(
            unknown,
            r#"no adapter `third`: there are ["first", "second"]"#
        );
        assert!(set.remove("first") && set.get("first").is_err());
    }
}
