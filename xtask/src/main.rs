//! `cargo xtask web`: builds the browser's files into `web/dist`, and serves them if asked.
#![forbid(unsafe_code)]

mod offline;
mod serve;

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// All modules and scripts together, gzipped; the model is not among them.
const LARGEST: usize = 5_000_000;
/// What must be there before anything is drawn.
const LARGEST_PAGE: usize = 1_500_000;
const USAGE: &str = "usage: cargo xtask web [--page] [--serve]
  --page   leaves the trainer's module as it lies in web/dist: it takes minutes to build
  --serve  shows the result at http://127.0.0.1:8080/";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dist = root().join("web/dist");
    let (mut page, mut serve) = (false, false);
    let mut flags = arguments.iter().map(String::as_str);
    if flags.next() != Some("web") {
        bail!("{USAGE}");
    }
    for flag in flags {
        match flag {
            "--page" => page = true,
            "--serve" => serve = true,
            _ => bail!("{USAGE}"),
        }
    }
    web(&dist, page)?;
    if serve {
        serve::serve(&dist)?;
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What belongs to the trainer's module; the script of its worker is written by hand.
const TRAINER: [&str; 2] = ["trainer.js", "trainer_bg.wasm"];

/// Modules, scripts and the model, side by side, so that any static host will do.
fn web(dist: &Path, only_page: bool) -> Result<()> {
    clear(dist, only_page)?;
    let page = ["--no-default-features", "--bin", "compacter-web"];
    module(&root().join("web/app"), &page, "page", dist)?;
    if !only_page {
        // A library elsewhere; as a module alone it can be optimised as a whole.
        let trainer = ["--lib", "--crate-type", "cdylib"];
        module(&root().join("web/trainer"), &trainer, "trainer", dist)?;
    }
    for entry in fs::read_dir(root().join("web/static"))? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        fs::copy(&path, dist.join(name)).with_context(|| path.display().to_string())?;
    }
    let model = dist.join(compacter_assets::MODEL_NAME);
    fs::create_dir_all(&model)?;
    fs::write(model.join("config.json"), compacter_assets::CONFIG)?;
    fs::write(model.join("tokenizer.json"), compacter_assets::TOKENIZER)?;
    fs::write(model.join("model.safetensors"), compacter_assets::WEIGHTS)?;
    offline::list_files(dist)?;
    check_sizes(dist)
}

/// Empties the folder, so that nothing of an older build stays in it but, if wished, the trainer.
fn clear(dist: &Path, keep_trainer: bool) -> Result<()> {
    if keep_trainer && !TRAINER.iter().all(|name| dist.join(name).is_file()) {
        bail!("web/dist holds no trainer yet; run `cargo xtask web` without --page once");
    }
    fs::create_dir_all(dist).with_context(|| dist.display().to_string())?;
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        let trainer = path
            .file_name()
            .is_some_and(|name| TRAINER.iter().any(|trainer| name == *trainer));
        if keep_trainer && trainer {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Compiles the crate in a folder for the browser and writes its module and script.
fn module(folder: &Path, options: &[&str], name: &str, dist: &Path) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["rustc", "--profile", "web", "--target", TARGET])
        .args(options)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        let folder = folder.display();
        bail!("{folder} does not build for {TARGET}; is it there? `rustup target add {TARGET}`");
    }
    let wasm = built_module(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("{name}: cargo named no .wasm file"))?;
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(&wasm).out_name(name).typescript(false);
    bindgen
        .remove_name_section(true)
        .remove_producers_section(true);
    bindgen.web(true)?.generate(dist)
}

/// The last .wasm file among cargo's messages.
fn built_module(messages: &str) -> Option<PathBuf> {
    let end = messages.rfind(".wasm\"")? + ".wasm".len();
    let start = messages[..end].rfind('"')? + 1;
    Some(PathBuf::from(messages[start..end].replace("\\\\", "\\")))
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

/// Prints what a first visit downloads, and refuses what is too much.
fn check_sizes(dist: &Path) -> Result<()> {
    let (mut page, mut trainer) = (0, 0);
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        if !path.is_file() {
            continue;
        }
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = fs::read(&path)?;
        let small = gzipped(&bytes)?;
        let part = if name.starts_with("trainer") {
            &mut trainer
        } else {
            &mut page
        };
        *part += small;
        println!("{name}: {} bytes, {small} gzipped", bytes.len());
    }
    println!("gzipped: {page} to draw the page, of {LARGEST_PAGE}; {trainer} to train");
    println!("{} in all, of {LARGEST}", page + trainer);
    if page > LARGEST_PAGE || page + trainer > LARGEST {
        bail!("the page is too large");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_cargos_messages() {
        let messages = r#"{"filenames":["/t/a.rlib"]}
{"filenames":["/t/compacter_trainer.wasm","/t/libcompacter_trainer.rlib"]}"#;
        assert_eq!(
            built_module(messages),
            Some(PathBuf::from("/t/compacter_trainer.wasm"))
        );
        assert_eq!(built_module("{}"), None);
    }
}
