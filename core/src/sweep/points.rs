//! From lists to runs: the product of all axes.

use super::Sweep;
use crate::method::{Method, Overrides};
use crate::run_file::Options;
use crate::t5::T5Config;
use crate::{Error, Result};
use serde_json::Value;

/// Keys that vary slowest, so that runs on the same rows follow each other; all others come after
/// them, and the seed last.
const FIRST: [&str; 4] = ["task", "data", "train-samples", "method"];
const LAST: &str = "seed";

/// One run of a sweep before its data has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What is set, under the names of a `train` file.
    pub options: Options,
    /// What distinguishes it within the sweep, fit for a file name: `rte-full-lr0.001-seed2`.
    pub stem: String,
}

impl Sweep {
    /// Every run once. Where a method does not know a setting (full fine-tuning has no n), its runs
    /// leave it out instead of failing, and those that this makes equal are one.
    ///
    /// # Errors
    /// A setting that the method knows and cannot work with.
    pub fn points(&self, config: &T5Config) -> Result<Vec<Point>> {
        let mut points: Vec<Point> = Vec::new();
        for mut options in self.product() {
            let method = text(&options, "method").unwrap_or_default();
            let mut kept = Options::new();
            for (key, value) in std::mem::take(&mut options) {
                if method.is_empty() || means_something(&method, &key, &value, config)? {
                    kept.insert(key, value);
                }
            }
            if points.iter().all(|point| point.options != kept) {
                let stem = self.stem(&kept);
                points.push(Point {
                    options: kept,
                    stem,
                });
            }
        }
        Ok(points)
    }

    /// All combinations, the seed changing fastest.
    fn product(&self) -> Vec<Options> {
        let rank = |key: &str| match FIRST.iter().position(|first| *first == key) {
            Some(place) => place,
            None if key == LAST => FIRST.len() + 1,
            None => FIRST.len(),
        };
        let mut axes: Vec<_> = self.axes.iter().collect();
        axes.sort_by_key(|axis| rank(&axis.key));
        let mut all = vec![Options::new()];
        for axis in axes {
            let with = |options: &Options| {
                let one = |value: &Value| {
                    let mut options = options.clone();
                    options.insert(axis.key.clone(), value.clone());
                    options
                };
                axis.values.iter().map(one).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(with).collect();
        }
        all
    }

    /// Task and method, and whatever else has several values in this sweep.
    fn stem(&self, options: &Options) -> String {
        let named = ["task", "method"].map(|key| text(options, key));
        let mut words: Vec<String> = named.into_iter().flatten().collect();
        let mut others: Vec<_> = self
            .axes
            .iter()
            .filter(|axis| axis.values.len() > 1)
            .collect();
        others.sort_by_key(|axis| axis.key == LAST);
        for axis in others {
            if let (false, Some(value)) = (
                ["task", "method"].contains(&axis.key.as_str()),
                text(options, &axis.key),
            ) {
                words.push(format!("{}{value}", axis.key));
            }
        }
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || "+.-_".contains(c) => c,
            _ => '-',
        };
        words.join("-").chars().map(plain).collect()
    }
}

/// A value as text without quotes.
fn text(options: &Options, key: &str) -> Option<String> {
    Some(match options.get(key)? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// Whether a method has this setting; what is no setting of methods means something to every one.
fn means_something(method: &str, key: &str, value: &Value, config: &T5Config) -> Result<bool> {
    let mut set = Options::new();
    set.insert(key.replace('-', "_"), value.clone());
    let Ok(set) = serde_json::from_value::<Overrides>(Value::Object(set)) else {
        return Ok(true);
    };
    match Method::resolve(method, config, &set) {
        Err(Error::Setting(message)) if message.contains("means nothing to the method") => {
            Ok(false)
        }
        // Whether all settings together can work is for the run itself to say.
        Err(Error::Setting(message)) if !message.contains("unknown method") => Ok(true),
        Err(error) => Err(error),
        Ok(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(axes: &[(&str, Vec<Value>)]) -> Sweep {
        let mut sweep = Sweep::default();
        for (key, values) in axes {
            sweep.set(key, values.clone());
        }
        sweep
    }

    fn texts(values: &[&str]) -> Vec<Value> {
        values.iter().map(|value| Value::from(*value)).collect()
    }

    fn points(sweep: &Sweep) -> Vec<Point> {
        sweep.points(&T5Config::preset("t5-base").unwrap()).unwrap()
    }

    #[test]
    fn the_product_has_the_seed_fastest_and_the_task_slowest() {
        let sweep = sweep(&[
            ("seed", vec![1.into(), 2.into()]),
            ("method", texts(&["full", "compacter"])),
            ("steps", vec![5.into()]),
            ("task", texts(&["glue/rte", "cola"])),
        ]);
        let points = points(&sweep);
        let stems: Vec<_> = points.iter().map(|point| point.stem.as_str()).collect();
        assert_eq!(
            stems[..3],
            [
                "glue-rte-full-seed1",
                "glue-rte-full-seed2",
                "glue-rte-compacter-seed1"
            ]
        );
        assert_eq!(points.len(), 8);
        assert!(points.iter().all(|point| point.options["steps"] == 5));
        assert_eq!(stems[7], "cola-compacter-seed2");
    }

    #[test]
    fn a_setting_that_means_nothing_to_a_method_is_left_out_and_no_run_is_there_twice() {
        let sweep = sweep(&[
            ("method", texts(&["full", "adapter", "compacter"])),
            ("n", vec![4.into(), 8.into()]),
            ("bottleneck", vec![24.into(), 48.into()]),
        ]);
        let points = points(&sweep);
        let of = |name: &str| {
            points
                .iter()
                .filter(|p| p.options["method"] == name)
                .count()
        };
        assert_eq!((of("full"), of("adapter"), of("compacter")), (1, 2, 4));
        assert!(points.iter().any(|p| p.stem == "compacter-n8-bottleneck48"));
        assert_eq!(points[0].stem, "full");
    }

    #[test]
    fn an_empty_sweep_is_the_default_run_and_an_unknown_method_an_error() {
        assert_eq!(points(&Sweep::default()).len(), 1);
        let unknown = sweep(&[("method", texts(&["ful"])), ("n", vec![4.into()])]);
        let config = T5Config::preset("t5-base").unwrap();
        assert!(unknown.points(&config).is_err());
    }
}
