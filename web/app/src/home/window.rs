//! A folder of the person's own as the place where a window keeps things.

use super::{Arrival, Home};
use crate::state::Base;
use compacter_core::block_on;
use eframe::egui::{Context, DroppedFileHandle};
use rfd::{AsyncFileDialog, FileHandle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

enum Work {
    Keep(String, Vec<u8>),
    Forget(String),
    Save(String, Vec<u8>),
    Read(DroppedFileHandle),
}

/// The folder, and the thread that reads and writes it.
#[derive(Debug)]
pub struct Folder {
    work: Sender<Work>,
    arrivals: Receiver<Arrival>,
    outbox: Sender<Arrival>,
    context: Context,
}

impl Folder {
    /// Opens the folder `compacter` among the person's data, and reads what is kept there.
    pub fn open(context: &Context) -> Self {
        let folder = dirs::data_dir().unwrap_or_default().join("compacter");
        Self::at(folder, context)
    }

    fn at(folder: PathBuf, context: &Context) -> Self {
        let (work, inbox) = channel::<Work>();
        let (outbox, arrivals) = channel();
        let (say, repaint) = (outbox.clone(), context.clone());
        std::thread::spawn(move || {
            let arrive = |arrival| {
                let heard = say.send(arrival).is_ok();
                repaint.request_repaint();
                heard
            };
            arrive(Arrival::Kept(read_all(&folder)));
            // The window is gone when either end is.
            while let Ok(work) = inbox.recv() {
                if !do_work(&folder, work).is_none_or(&arrive) {
                    return;
                }
            }
        });
        Self {
            work,
            arrivals,
            outbox,
            context: context.clone(),
        }
    }

    /// Waits for a choice on a thread of its own: a dialog stands as long as a person likes.
    fn choose(
        &self,
        dialog: impl Future<Output = Option<FileHandle>> + Send + 'static,
        arrival: impl FnOnce(&Path) -> Arrival + Send + 'static,
    ) {
        let (outbox, context) = (self.outbox.clone(), self.context.clone());
        std::thread::spawn(move || {
            let arrival = match block_on(dialog) {
                Some(file) => arrival(file.path()),
                None => {
                    Arrival::Notice("Nothing was chosen; a file can be dropped here too.".into())
                }
            };
            // The window may be gone by now.
            let _ = outbox.send(arrival);
            context.request_repaint();
        });
    }

    fn send(&self, work: Work) {
        // A thread that has ended has nobody to serve.
        let _ = self.work.send(work);
    }
}

impl Home for Folder {
    fn keep(&self, key: &str, bytes: Vec<u8>) {
        self.send(Work::Keep(key.into(), bytes));
    }

    fn forget(&self, key: &str) {
        self.send(Work::Forget(key.into()));
    }

    fn save(&self, name: &str, bytes: Vec<u8>) {
        self.send(Work::Save(name.into(), bytes));
    }

    fn save_picture(&self, name: &str, svg: &str) {
        // Nothing here turns SVG into pixels; every browser and drawing program does.
        self.save(&name.replace(".png", ".svg"), svg.into());
    }

    fn pick(&self) {
        let dialog = AsyncFileDialog::new().pick_file();
        self.choose(dialog, |path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.into_owned();
            match std::fs::read(path) {
                Ok(bytes) => Arrival::File { name, bytes },
                Err(error) => Arrival::Trouble(format!("{name} cannot be read: {error}")),
            }
        });
    }

    fn pick_base(&self) {
        let dialog = AsyncFileDialog::new().pick_folder();
        self.choose(dialog, |path| {
            Arrival::Base(Base::Named(path.display().to_string()))
        });
    }

    fn read(&self, file: DroppedFileHandle) {
        self.send(Work::Read(file));
    }

    fn link(&self, text: &str) -> String {
        format!("#adapter={text}")
    }

    fn say(&self, _words: &str) {}

    fn receive(&self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }
}

/// Keys have one slash at most; a file name has none.
fn file_of(folder: &Path, key: &str) -> PathBuf {
    folder.join(key.replace('/', "+"))
}

fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let kept = files.filter_map(|entry| {
        let key = entry.file_name().to_str()?.replace('+', "/");
        (!key.ends_with(".new")).then_some(())?;
        Some((key, std::fs::read(entry.path()).ok()?))
    });
    kept.collect()
}

fn do_work(folder: &Path, work: Work) -> Option<Arrival> {
    let (what, done) = match work {
        Work::Keep(key, bytes) => {
            let path = file_of(folder, &key);
            let new = path.with_extension("new");
            let done = std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&new, bytes))
                .and_then(|()| std::fs::rename(&new, &path));
            (path, done)
        }
        Work::Forget(key) => {
            let path = file_of(folder, &key);
            let gone = std::fs::remove_file(&path);
            let missing = |e: &std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
            let done = gone.or_else(|e| if missing(&e) { Ok(()) } else { Err(e) });
            (path, done)
        }
        Work::Save(name, bytes) => {
            let path = dirs::download_dir().unwrap_or_default().join(name);
            if let Err(error) = std::fs::write(&path, bytes) {
                return Some(trouble(&path, &error));
            }
            return Some(Arrival::Notice(format!("Saved as {}.", path.display())));
        }
        Work::Read(file) => {
            let name = file.path().file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            return Some(match file.bytes() {
                Ok(bytes) => Arrival::File { name, bytes },
                Err(error) => Arrival::Trouble(format!("{name} cannot be read: {error}")),
            });
        }
    };
    done.err().map(|error| trouble(&what, &error))
}

fn trouble(path: &Path, error: &std::io::Error) -> Arrival {
    let path = path.display();
    Arrival::Trouble(format!(
        "{path} cannot be written: {error}; nothing else is lost"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(home: &Folder) -> Arrival {
        home.arrivals
            .recv_timeout(std::time::Duration::from_secs(10))
            .expect("nothing came")
    }

    #[test]
    fn what_is_kept_is_there_the_next_time() {
        let folder = std::env::temp_dir().join(format!("compacter-home-{}", std::process::id()));
        let open = || Folder::at(folder.clone(), &Context::default());
        let home = open();
        assert_eq!(next(&home), Arrival::Kept(BTreeMap::new()));
        home.keep("adapter/1", vec![1]);
        home.keep("adapter/1", vec![2]);
        home.keep("state", vec![3]);
        home.forget("state");
        home.forget("never there");
        drop(home);
        // The writer ends after its last work; a new one may come too early.
        let kept = BTreeMap::from([("adapter/1".to_string(), vec![2])]);
        let seen = std::iter::repeat_with(|| next(&open())).take(200);
        let found = seen.into_iter().any(|seen| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            seen == Arrival::Kept(kept.clone())
        });
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(found);
    }
}
