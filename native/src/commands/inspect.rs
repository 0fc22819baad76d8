//! `compacter inspect`: what a file or a folder is, without loading it.

use crate::run_dir::ADAPTER;
use crate::{base, output};
use anyhow::{Context, Result};
use compacter_core::Error;
use compacter_core::artifact::{Header, adapterhub, from_text};
use compacter_core::method::{Layer, Method};
use compacter_core::t5::T5Config;
use compacter_core::tensor_file::{Entry, Listing, list};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  compacter inspect runs/reviews-compacter++-1
  compacter inspect adapter.safetensors --json
  compacter inspect path/to/adapterhub/folder
  compacter inspect t5-base/pytorch_model.bin";

/// The longest text of a link, beyond which a file is none.
const LONGEST_LINK: u64 = 4 << 20;

/// Say what an adapter, a run or a model file is
///
/// Takes adapter files and checkpoints of this program, texts of links, runs, folders of the
/// AdapterHub library, T5 folders, safetensors files and files of torch.save. Reads headers alone;
/// nothing in a file is executed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// File or folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What is said, in this order.
type Facts = Vec<(&'static str, Value)>;

/// Looks and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let facts = match args.path.is_dir() {
        true => folder(&args.path)?,
        false => file(&args.path)?,
    };
    if args.json {
        let facts = facts
            .into_iter()
            .map(|(key, value)| (key.replace(' ', "_"), value));
        return output::json(&Value::Object(facts.collect::<Map<_, _>>()));
    }
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Array(all) => all.iter().map(text_of).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_u64() {
            Some(number) => output::thousands(number as usize),
            None => number.to_string(),
        },
        other => other.to_string(),
    };
    let width = facts.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in facts {
        output::line(format!("{key:width$}  {}", text(value)))?;
    }
    Ok(())
}

fn folder(path: &Path) -> Result<Facts> {
    if path.join(adapterhub::CONFIG).is_file() {
        return hub_folder(path);
    }
    if path.join(ADAPTER).is_file() {
        return file(&path.join(ADAPTER));
    }
    let config = path.join(base::CONFIG);
    if !config.is_file() {
        let (adapter, hub) = (ADAPTER, adapterhub::CONFIG);
        let message =
            format!("no run, adapter or T5: it has neither {adapter}, {hub} nor config.json");
        return Err(Error::file(path.display().to_string(), message).into());
    }
    let config = base::Base::Dir(path.to_path_buf()).config()?;
    let mut facts = vec![("kind", json!("T5 model")), ("base", json!(sizes(&config)))];
    facts.push(("parameters", json!(config.parameters())));
    for shard in base::weight_files(path)? {
        facts.push(("file", json!(shard.display().to_string())));
        let listing = listing(&shard)?;
        facts.extend(
            contents(&listing)
                .into_iter()
                .filter(|(key, _)| *key != "kind"),
        );
    }
    Ok(facts)
}

/// A folder of the AdapterHub library.
fn hub_folder(path: &Path) -> Result<Facts> {
    let config: Value = crate::files::read_json(&path.join(adapterhub::CONFIG))?;
    let of = |key: &str| config.get(key).cloned().unwrap_or(Value::Null);
    let switch = |key: &str| config["config"].get(key).cloned().unwrap_or(Value::Null);
    let hypercomplex = switch("phm_layer") == json!(true);
    let mut facts = vec![
        ("kind", json!("adapter of the AdapterHub library")),
        ("name", of("name")),
        ("made by", of("version")),
        (
            "model",
            json!(
                format!(
                    "{} {}",
                    text_of(&of("model_class")),
                    text_of(&of("model_name"))
                )
                .trim()
            ),
        ),
        ("d_model", of("hidden_size")),
        ("after self-attention", switch("mh_adapter")),
        ("after feed-forward", switch("output_adapter")),
        ("reduction factor", switch("reduction_factor")),
        ("activation", switch("non_linearity")),
        ("hypercomplex", json!(hypercomplex)),
    ];
    if hypercomplex {
        facts.push(("n", switch("phm_dim")));
        facts.push(("rank", switch("phm_rank")));
    }
    for name in adapterhub::WEIGHTS {
        let file = path.join(name);
        if !file.is_file() {
            continue;
        }
        let listing = listing(&file)?;
        facts.push(("file", json!(name)));
        facts.push(("numbers", json!(numbers(&listing.tensors))));
        let rule = listing
            .tensors
            .iter()
            .any(|t| t.name.ends_with(".phm_rule"));
        if hypercomplex && !rule {
            let missing = "missing: `import` needs --rule FILE";
            facts.push(("shared rule", json!(missing)));
        }
    }
    Ok(facts)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn file(path: &Path) -> Result<Facts> {
    if let Some(bytes) = link(path)? {
        let listing = list(Cursor::new(&bytes), "the link")?;
        let mut facts = contents_of(&listing, "the link")?;
        facts.insert(1, ("form", json!("text of a link, 8 bits a number")));
        return Ok(facts);
    }
    contents_of(&listing(path)?, &path.display().to_string())
}

/// The adapter in the text of a link, if the file is one.
fn link(path: &Path) -> Result<Option<Vec<u8>>> {
    let metadata = path
        .metadata()
        .with_context(|| format!("{}", path.display()))?;
    if metadata.len() > LONGEST_LINK {
        return Ok(None);
    }
    let bytes = crate::files::read(path)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(None);
    };
    let text = text.trim();
    let text = text.rsplit_once("#adapter=").map_or(text, |(_, text)| text);
    match text.starts_with("1.") {
        true => Ok(Some(from_text(text)?)),
        false => Ok(None),
    }
}

fn listing(path: &Path) -> Result<Listing> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    Ok(list(BufReader::new(file), &name)?)
}

fn contents_of(listing: &Listing, file: &str) -> Result<Facts> {
    match Header::find(&listing.metadata, file)? {
        Some(header) => Ok(adapter(&header, listing)),
        None => Ok(contents(listing)),
    }
}

/// An adapter file of this program.
fn adapter(header: &Header, listing: &Listing) -> Facts {
    let (method, config) = (&header.method, &header.base);
    let labels = match header.labels.is_empty() {
        true => "free text".into(),
        false => header.labels.join(", "),
    };
    let percent = format!("{:.3} % of the base", method.percent(config));
    let mut facts = vec![
        ("kind", json!("adapter")),
        ("method", json!(method.name)),
        ("task", json!(header.task)),
        ("answers", json!(labels)),
        ("base", json!(sizes(config))),
        ("trained numbers", json!(numbers(&listing.tensors))),
        ("share", json!(percent)),
    ];
    let known = [
        ("base hash", json!(header.base_hash)),
        ("seed", json!(header.seed)),
        ("validation score", json!(header.validation)),
    ];
    facts.extend(known.into_iter().filter(|(_, value)| !value.is_null()));
    facts.extend(layers(method));
    facts
}

fn layers(method: &Method) -> Facts {
    let Some(adapters) = &method.adapters else {
        return Vec::new();
    };
    let mut facts = vec![
        (
            "sites",
            serde_json::to_value(&adapters.sites).unwrap_or_default(),
        ),
        ("bottleneck", json!(adapters.bottleneck)),
        (
            "activation",
            serde_json::to_value(adapters.activation).unwrap_or_default(),
        ),
        (
            "input",
            serde_json::to_value(adapters.input).unwrap_or_default(),
        ),
    ];
    if let Layer::Lphm { n, rank, .. } = adapters.layer {
        facts.extend([("n", json!(n)), ("rank", json!(rank))]);
    }
    facts
}

/// A tensor file that is no adapter of ours, by the names in it.
fn contents(listing: &Listing) -> Facts {
    let has = |wanted: &dyn Fn(&str) -> bool| listing.tensors.iter().any(|t| wanted(&t.name));
    let kind = if listing.metadata.contains_key("compacter_checkpoint") {
        "checkpoint of a run"
    } else if has(&|name| name.contains(".adapters.")) {
        "tensors of an AdapterHub adapter"
    } else if has(&|name| name.starts_with("encoder.block.0.")) {
        "weights of a T5"
    } else {
        "tensors"
    };
    let form = if listing.torch {
        "torch.save"
    } else {
        "safetensors"
    };
    let mut types: Vec<String> = listing
        .tensors
        .iter()
        .map(|t| format!("{:?}", t.dtype))
        .collect();
    types.sort();
    types.dedup();
    vec![
        ("kind", json!(kind)),
        ("form", json!(form)),
        ("tensors", json!(listing.tensors.len())),
        ("numbers", json!(numbers(&listing.tensors))),
        ("types", json!(types.join(", "))),
    ]
}

/// A file's own word, so an overflow is no panic.
fn numbers(tensors: &[Entry]) -> usize {
    let count = |shape: &[usize]| {
        shape
            .iter()
            .fold(1usize, |all, &size| all.saturating_mul(size))
    };
    tensors
        .iter()
        .fold(0usize, |all, t| all.saturating_add(count(&t.shape)))
}

fn sizes(config: &T5Config) -> String {
    format!(
        "T5 of d_model {}, {} + {} layers, {} ids",
        config.d_model, config.num_layers, config.num_decoder_layers, config.vocab_size
    )
}
