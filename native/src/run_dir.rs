//! A run directory: locked while in use, every file whole or absent.

use crate::checksum;
use crate::failure::usage;
use crate::{files, output};
use anyhow::{Context, Result};
use compacter_core::Error;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// The resolved configuration.
pub(crate) const CONFIG: &str = "config.json";
/// One event a line.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// What a run continues from.
pub(crate) const CHECKPOINT: &str = "checkpoint.safetensors";
/// The checkpoint before that one.
const BEFORE: &str = "checkpoint.before.safetensors";
/// A checkpoint that was passed over.
const DAMAGED: &str = "checkpoint.damaged.safetensors";
/// The SHA-256 of the first two, as `sha256sum -c` reads them.
const SUMS: &str = "checkpoint.safetensors.sha256";
/// What was trained, alone.
pub(crate) const ADAPTER: &str = "adapter.safetensors";
/// The end of the run in figures.
pub(crate) const SUMMARY: &str = "summary.json";
const LOCK: &str = ".lock";

/// An open run directory; nobody else writes to it until this is dropped.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// A directory for a new run: `out`, or `runs/<name>-<next free number>`.
    pub(crate) fn create(out: Option<&Path>, name: &str) -> Result<Self> {
        let path = match out {
            Some(path) => path.to_path_buf(),
            None => next_free(Path::new("runs"), name)?,
        };
        std::fs::create_dir_all(&path).with_context(|| format!("{}", path.display()))?;
        let run = Self::open(&path)?;
        if run.holds(CONFIG) {
            let place = path.display();
            return Err(usage(format!(
                "{place} already holds a run: go on with it by `train --resume --out {place}`, or \
                 choose another --out"
            )));
        }
        Ok(run)
    }

    /// A directory that exists, locked.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if !path.is_dir() {
            return Err(Error::file(name, "no such run directory").into());
        }
        match try_lock(&path.join(LOCK))? {
            Some(lock) => Ok(Self {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            None => {
                Err(Error::file(name, "this run directory is in use by another process").into())
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether it has a file of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.file(name).is_file()
    }

    /// Writes a file under a temporary name, syncs and renames it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.prepare(name, |each| each(bytes))?;
        self.place(name)
    }

    /// Writes and syncs what will be this file, under a temporary name; `fill` hands on its parts.
    fn prepare(
        &self,
        name: &str,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let failed = || format!("{} cannot be written", self.file(name).display());
        let mut file = File::create(self.temporary(name)).with_context(failed)?;
        fill(&mut |part| file.write_all(part).with_context(failed))?;
        file.sync_all().with_context(failed)
    }

    /// Gives what was prepared its name.
    fn place(&self, name: &str) -> Result<()> {
        let failed = || format!("{} cannot be written", self.file(name).display());
        std::fs::rename(self.temporary(name), self.file(name)).with_context(failed)?;
        // The rename itself lasts only when the directory is synced; Windows has no such call.
        #[cfg(unix)]
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .with_context(failed)?;
        Ok(())
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.tmp"))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let failed = || format!("{} cannot be renamed to {to}", self.file(from).display());
        std::fs::rename(self.file(from), self.file(to)).with_context(failed)
    }

    /// Writes pretty JSON.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.write(name, &text)
    }

    /// Appends a line to the metrics.
    pub(crate) fn log(&self, value: &impl Serialize) -> Result<()> {
        let path = self.file(METRICS);
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(&line))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Takes the lines after `step` back out of the metrics, and one that a crash cut off: a run
    /// that goes on does those steps again. `None` for all lines.
    pub(crate) fn rewind_log(&self, step: Option<usize>) -> Result<()> {
        if !self.holds(METRICS) {
            return Ok(());
        }
        let bytes = files::read(&self.file(METRICS))?;
        let kept = |line: &&[u8]| {
            let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
            match (value, step) {
                (Some(value), Some(last)) => value["step"].as_u64().unwrap_or(0) <= last as u64,
                _ => false,
            }
        };
        let lines: Vec<&[u8]> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter(kept)
            .collect();
        self.write(METRICS, &lines.concat())
    }

    /// Writes a checkpoint, whose parts `fill` hands on, and keeps the one before. The sums of all
    /// are listed before any is renamed, so that a crash at any point leaves a checkpoint that its
    /// sum vouches for.
    pub(crate) fn write_checkpoint(
        &self,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut sum = Sha256::new();
        self.prepare(CHECKPOINT, |each| {
            fill(&mut |part| {
                sum.update(part);
                each(part)
            })
        })?;
        let new = format!("{}  {CHECKPOINT}\n", checksum::text(sum));
        let old = std::fs::read_to_string(self.file(SUMS)).unwrap_or_default();
        // More than one where a crash came before the sums were put in order.
        let moves = self.holds(CHECKPOINT);
        let moved = |line: &&str| !moves || line.ends_with(&format!("  {CHECKPOINT}"));
        let last = old.lines().filter(moved);
        let last = last.map(|line| line.replace(CHECKPOINT, BEFORE) + "\n");
        let ordered = new.clone() + &last.collect::<String>();
        self.write(SUMS, format!("{new}{old}").as_bytes())?;
        if moves {
            self.rename(CHECKPOINT, BEFORE)?;
        }
        self.place(CHECKPOINT)?;
        self.write(SUMS, ordered.as_bytes())
    }

    /// The last checkpoint that its sum vouches for, and the name of its file; none where none was
    /// written. That one was passed over is said; an error if all there are were.
    pub(crate) fn open_checkpoint(&self) -> Result<Option<(File, String)>> {
        let sums = std::fs::read_to_string(self.file(SUMS)).unwrap_or_default();
        let mut damaged = None;
        for name in [CHECKPOINT, BEFORE] {
            if !self.holds(name) {
                continue;
            }
            let path = self.file(name);
            let place = path.display().to_string();
            let mut file = File::open(&path).with_context(|| place.clone())?;
            let sum = checksum::sha256(&file).with_context(|| place.clone())?;
            if sums.lines().any(|line| line.starts_with(&sum)) {
                if let Some(damage) = damaged {
                    // Out of the way, or it would take the place of this one at the next.
                    self.rename(CHECKPOINT, DAMAGED)?;
                    output::say(format!(
                        "{damage}; it is {DAMAGED} now, and the run goes on from the one before"
                    ));
                }
                file.rewind().with_context(|| place.clone())?;
                return Ok(Some((file, place)));
            }
            let message = format!("is damaged: its SHA-256 is {sum}, which {SUMS} does not list");
            damaged.get_or_insert(Error::file(place, message));
        }
        damaged.map_or(Ok(None), |damage| Err(damage.into()))
    }
}

/// Takes the lock that a file stands for, until what is returned is dropped or the process ends in
/// whatever way; `None` if another process has it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>> {
    let failed = |e: std::io::Error| {
        Error::file(path.display().to_string(), format!("cannot be locked: {e}"))
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(failed(e).into()),
    }
}

/// Makes the first `<name>-<number>` that does not exist.
fn next_free(parent: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    let name: String = name
        .chars()
        .map(|c| if c == '/' || c == '\\' { '-' } else { c })
        .collect();
    for number in 1usize.. {
        let path = parent.join(format!("{name}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("{}", path.display())),
        }
    }
    anyhow::bail!("{} is full", parent.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn names_count_up_and_slashes_stay_inside() {
        let folder = tempfile::tempdir().unwrap();
        let first = next_free(folder.path(), "glue/rte-full").unwrap();
        let second = next_free(folder.path(), "glue/rte-full").unwrap();
        assert!(first.ends_with("glue-rte-full-1") && second.ends_with("glue-rte-full-2"));
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open(folder.path()).unwrap();
        let error = RunDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("in use"), "{error}");
        drop(run);
        assert!(RunDir::open(folder.path()).is_ok());
    }

    #[test]
    fn where_a_checkpoint_is_damaged_the_one_before_serves() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open(folder.path()).unwrap();
        let read = || {
            let (mut file, place) = run.open_checkpoint().unwrap().unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (bytes, place)
        };
        assert!(run.open_checkpoint().unwrap().is_none());
        for bytes in [b"one", b"two", b"six"] {
            run.write_checkpoint(|each| each(bytes)).unwrap();
            assert_eq!(read().0, bytes);
        }
        let sums = std::fs::read_to_string(run.file(SUMS)).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
        std::fs::write(run.file(CHECKPOINT), b"si").unwrap();
        let (bytes, file) = read();
        assert!(bytes == b"two" && file.ends_with(BEFORE), "{file}");
        // A crash between two renames leaves no other, too.
        assert!(run.holds(DAMAGED) && !run.holds(CHECKPOINT));
        assert_eq!(read().0, b"two");
        run.write_checkpoint(|each| each(b"ten")).unwrap();
        std::fs::write(run.file(CHECKPOINT), b"").unwrap();
        assert_eq!(read().0, b"two");
        std::fs::write(run.file(BEFORE), b"").unwrap();
        let error = run.open_checkpoint().unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }

    #[test]
    fn the_log_goes_back_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open(folder.path()).unwrap();
        for step in 1..4 {
            run.log(&serde_json::json!({"event": "step", "step": step}))
                .unwrap();
        }
        let cut_off = OpenOptions::new().append(true).open(run.file(METRICS));
        cut_off.unwrap().write_all(b"{\"event\":\"st").unwrap();
        let log = || std::fs::read_to_string(run.file(METRICS)).unwrap();
        run.rewind_log(Some(2)).unwrap();
        assert_eq!(log().lines().count(), 2, "{}", log());
        run.rewind_log(None).unwrap();
        assert_eq!(log(), "");
    }

    #[test]
    fn a_second_run_does_not_overwrite_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let run = RunDir::create(Some(&out), "x").unwrap();
        run.write(CONFIG, b"{}").unwrap();
        drop(run);
        let error = RunDir::create(Some(&out), "x").unwrap_err().to_string();
        assert!(error.contains("already holds a run"), "{error}");
    }
}
