//! One file: gone on with after a break, checked, and only then given its name.

use super::client::{About, Answer, Reply};
use super::failure::Failure;
use super::id::is_safe_name;
use super::place::Place;
use super::progress::{Progress, shown};
use super::verify;
use crate::{interrupt, output};
use anyhow::{Context, anyhow, bail};
use hf_hub::Repo;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file under way to its blob.
struct Download<'a> {
    place: &'a Place<'a>,
    file: &'a str,
    url: String,
    etag: String,
    size: Option<u64>,
    /// Beside the blob, under the name that the hub's Python library also goes on from.
    part: PathBuf,
}

/// Fetches a file that the snapshot of `commit` lacks.
pub(super) fn fetch(place: &Place, commit: &str, file: &str) -> Result<(), Failure> {
    let (client, settings) = (&place.hub.client, &place.hub.settings);
    let repo = Repo::with_revision(String::new(), hf_hub::RepoType::Model, commit.to_string());
    let (of, at) = (place.repo.url(), repo.url_revision());
    let url = format!("{}/{of}/resolve/{at}/{file}", settings.endpoint);
    let mut patience = client.patience();
    let answer = loop {
        match client.find(&url, 0) {
            Ok(answer) => break answer,
            Err(failure) => patience.wait(failure, output::say)?,
        }
    };
    let About { etag, size, .. } = answer.about().clone();
    let Some(etag) = etag.filter(|etag| is_safe_name(etag)) else {
        let why = "sends no ETag with it, as the hub does: is HF_ENDPOINT a hub?";
        return Err(anyhow!("{} {why}", settings.endpoint).into());
    };
    let blob = place.cached.blob_path(&etag);
    let part = blob.with_file_name(format!("{etag}.incomplete"));
    let _lock = lock(place, &etag, &part)?;
    // Another revision may have the same file, or another program may just have fetched it.
    if !blob.is_file() {
        let download = Download {
            place,
            file,
            url,
            etag,
            size,
            part,
        };
        download.run(answer)?;
        let named = std::fs::rename(&download.part, &blob);
        named.map_err(|e| unwritable(e, &blob, None))?;
    }
    link(place, commit, file, &blob)
}

impl Download<'_> {
    /// Until all is there and right. A file that was gone on with and is wrong is fetched once more
    /// from its beginning: what lay there may have been damaged.
    fn run(&self, answer: Answer) -> Result<(), Failure> {
        let resumed = self.come() > 0;
        self.fill(Some(answer))?;
        if self.is_right()? {
            return Ok(());
        }
        if resumed {
            output::say(format!(
                "{}: what lay here was damaged: once more",
                self.file
            ));
            self.fill(None)?;
            if self.is_right()? {
                return Ok(());
            }
        }
        Err(anyhow!(
            "what came is not what the hub describes (its hash is not {}), and was deleted: try \
             again, and if it stays so look for a proxy or a server (HF_ENDPOINT) that changes files",
            self.etag
        )
        .into())
    }

    /// Whether the part is the whole file with the right hash; deleted if not.
    fn is_right(&self) -> Result<bool, Failure> {
        let failed = |e| unwritable(e, &self.part, self.size);
        let right = verify::matches(&self.part, &self.etag).map_err(failed)?;
        if !right {
            std::fs::remove_file(&self.part).map_err(failed)?;
        }
        Ok(right)
    }

    /// The bytes that are there.
    fn come(&self) -> u64 {
        self.part.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Writes what is missing, through as many requests as it takes.
    fn fill(&self, mut first: Option<Answer>) -> Result<(), Failure> {
        let client = &self.place.hub.client;
        let name = format!("{} of {}", self.file, self.place.title());
        let mut progress = Progress::new(&name, self.size, self.come());
        let mut patience = client.patience();
        loop {
            let before = self.come();
            if self.size.is_some_and(|size| size == before && size > 0) {
                return Ok(());
            }
            let came = match first.take() {
                // It begins at the beginning.
                Some(Answer::Body(reply)) if before == 0 => Ok(reply),
                Some(Answer::Elsewhere(_, url)) => client.get(&url, before),
                _ => client.get(&self.url, before),
            };
            let done = came.and_then(|reply| self.append(reply, &mut progress));
            let failure = match done {
                Ok(come) if self.size.is_none_or(|size| size == come) => return Ok(()),
                Ok(come) => self.wrong_size(come)?,
                Err(failure) => failure,
            };
            if self.come() > before {
                patience.renew();
            }
            patience.wait(failure, |text| progress.say(text))?;
        }
    }

    /// Too short may pass; too long does not, and is deleted.
    fn wrong_size(&self, come: u64) -> Result<Failure, Failure> {
        let size = self.size.unwrap_or_default();
        if come < size {
            let why = format!("only {come} of {size} bytes have come");
            return Ok(Failure::Network(why));
        }
        let deleted = std::fs::remove_file(&self.part);
        deleted.map_err(|e| unwritable(e, &self.part, self.size))?;
        Err(anyhow!("{come} bytes came where the hub says {size}; they were deleted").into())
    }

    /// Appends one answer where it begins; gives the bytes that are there then.
    fn append(&self, reply: Reply, progress: &mut Progress) -> Result<u64, Failure> {
        let failed = |e| unwritable(e, &self.part, self.size);
        if reply
            .about
            .etag
            .as_ref()
            .is_some_and(|etag| *etag != self.etag)
        {
            return Err(anyhow!("the file changed while it was fetched: try again").into());
        }
        let mut come = reply.start;
        if come > self.come() {
            return Err(anyhow!("another part of the file came than was asked for").into());
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.part)
            .map_err(failed)?;
        if come < self.come() {
            file.set_len(come).map_err(failed)?;
        }
        let mut reader = reply.into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Network(format!("the connection broke off ({e})"))),
            };
            file.write_all(&buffer[..read]).map_err(failed)?;
            come += read as u64;
            progress.at(come);
            if interrupt::asked() {
                return Err(stopped());
            }
        }
        file.sync_all().map_err(failed)?;
        Ok(come)
    }
}

fn stopped() -> Failure {
    anyhow!("stopped; what has come is kept, and the same command goes on from there").into()
}

/// Two programs do not write one part: the second waits, by the lock that the hub's Python library
/// takes too. On a file system without locks there is none.
fn lock(place: &Place, etag: &str, part: &Path) -> Result<Option<File>, Failure> {
    let locks = place.hub.settings.cache.path().join(".locks");
    let path = locks
        .join(place.repo.folder_name())
        .join(format!("{etag}.lock"));
    for folder in [path.parent(), part.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|e| unwritable(e, folder, None))?;
    }
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = open.map_err(|e| unwritable(e, &path, None))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if interrupt::asked() => return Err(stopped()),
            Err(TryLockError::WouldBlock) => {}
        }
        if !said {
            output::say("another program is fetching the same file: waiting for it");
            said = true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What to do when the cache cannot be written.
fn unwritable(error: io::Error, path: &Path, size: Option<u64>) -> Failure {
    let path = path.display();
    let size = size.map_or_else(String::new, |size| format!(" of {}", shown(size)));
    let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].contains(&error.kind());
    match full {
        true => anyhow!(
            "no room on the disk for {path}{size}: free some, or set HF_HOME to a folder on another \
             disk; what has come is kept"
        ),
        false => anyhow!("{path}: {error}: set HF_HOME to a folder that can be written, if this one cannot"),
    }
    .into()
}

/// Gives the blob the file's name in the snapshot: by a relative link, so that the cache can be
/// moved, or where there are no links by moving the blob itself.
fn link(place: &Place, commit: &str, file: &str, blob: &Path) -> Result<(), Failure> {
    let pointer = place.at(commit).folder.join(file);
    let linked = || -> anyhow::Result<()> {
        let (Some(folder), Some(name)) = (pointer.parent(), blob.file_name()) else {
            bail!("{} has no folder", pointer.display());
        };
        std::fs::create_dir_all(folder)?;
        if pointer.is_symlink() {
            std::fs::remove_file(&pointer)?;
        }
        // Part by part: Windows follows no link whose target has a `/`.
        let up = std::iter::repeat_n("..", file.split('/').count() + 1);
        let target = up.chain(["blobs"]).collect::<PathBuf>().join(name);
        match symlink(&target, &pointer) {
            // Another program made it at the same moment.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(_) => Ok(std::fs::rename(blob, &pointer)?),
            Ok(()) => Ok(()),
        }
    };
    Ok(linked().with_context(|| format!("{} cannot be made", pointer.display()))?)
}

#[cfg(unix)]
fn symlink(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

#[cfg(windows)]
fn symlink(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, pointer)
}
