//! Fetching from a server on this machine, as it should go and as it may go wrong.

mod server;
mod troubles;

use super::settings::Settings;
use super::{Hub, Snapshot};
use hf_hub::Cache;
use server::{Server, Trouble};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TINY: &str = "org/tiny";

/// Bytes that differ everywhere, so that parts in the wrong place show.
fn weights() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A server with one small model, and the hub over an empty cache.
struct Play {
    server: Server,
    commit: String,
    cache: tempfile::TempDir,
}

impl Play {
    fn new() -> Self {
        let server = Server::start();
        let files: [(&str, &[u8]); 4] = [
            ("config.json", b"{}"),
            ("tokenizer.json", b"{\"a\": 1}"),
            ("model.safetensors", &weights()),
            ("README.md", b"# Tiny"),
        ];
        let commit = server.put(TINY, "main", &files);
        Self {
            server,
            commit,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn hub(&self) -> Hub {
        self.hub_with(|_| {})
    }

    fn hub_with(&self, change: impl Fn(&mut Settings)) -> Hub {
        let mut settings = Settings {
            cache: Cache::new(self.cache.path().to_path_buf()),
            endpoint: self.server.endpoint.clone(),
            token: None,
            offline: false,
            pause: Duration::from_millis(2),
        };
        change(&mut settings);
        Hub::new(settings)
    }

    fn fetched(&self) -> Snapshot {
        self.hub().model(TINY, None).unwrap()
    }

    fn error(&self) -> String {
        format!("{:#}", self.hub().model(TINY, None).unwrap_err())
    }

    /// The requests for a file or a listing, without their headers.
    fn asked(&self) -> Vec<String> {
        let line = |head: &String| head.lines().next().unwrap().replace(" HTTP/1.1", "");
        self.server.asked().iter().map(line).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cache.path().join(name)
    }
}

fn is_whole(snapshot: &Snapshot) {
    let read = |name: &str| std::fs::read(snapshot.folder.join(name)).unwrap();
    assert_eq!(read("config.json"), b"{}");
    assert_eq!(read("tokenizer.json"), b"{\"a\": 1}");
    assert!(read("model.safetensors") == weights());
    assert!(!snapshot.folder.join("README.md").exists());
}

#[test]
fn a_model_comes_once() {
    let play = Play::new();
    let snapshot = play.fetched();
    is_whole(&snapshot);
    assert_eq!(snapshot.commit, play.commit);
    // One for the listing; a redirect and the file for each of three.
    assert_eq!(play.asked().len(), 7);

    assert_eq!(play.fetched(), snapshot);
    let offline = play.hub_with(|settings| settings.offline = true);
    assert_eq!(offline.model(TINY, None).unwrap(), snapshot);
    let commit = Some(&*play.commit);
    assert_eq!(offline.model(TINY, commit).unwrap(), snapshot);
    assert_eq!(offline.config(TINY, None).unwrap(), snapshot);
    assert_eq!(play.asked(), [""; 0], "what is cached is not asked for");
}

#[test]
fn the_cache_is_laid_out_as_other_tools_have_it() {
    let play = Play::new();
    play.fetched();
    let root = play.path("models--org--tiny");
    let noted = std::fs::read_to_string(root.join("refs/main")).unwrap();
    assert_eq!(noted, play.commit);
    let pointer = root
        .join("snapshots")
        .join(&play.commit)
        .join("config.json");
    // By `printf '{}' | git hash-object --stdin`.
    let blob = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
    assert_eq!(std::fs::read(root.join("blobs").join(blob)).unwrap(), b"{}");
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(pointer).unwrap(),
        Path::new("../../blobs").join(blob)
    );
    let blobs = std::fs::read_dir(root.join("blobs")).unwrap();
    assert_eq!(blobs.count(), 3, "no part is left");
}

#[test]
fn revisions_are_kept_apart_and_share_files() {
    let play = Play::new();
    play.fetched();
    let files: [(&str, &[u8]); 3] = [
        ("config.json", b"{ }"),
        ("tokenizer.json", b"{\"a\": 1}"),
        ("model.safetensors", &weights()),
    ];
    let commit = play.server.put(TINY, "refs/pr/1", &files);
    play.asked();
    let other = play.hub().model(TINY, Some("refs/pr/1")).unwrap();
    assert_eq!(other.commit, commit);
    assert_eq!(
        std::fs::read(other.folder.join("config.json")).unwrap(),
        b"{ }"
    );
    is_whole(&play.fetched());
    let asked = play.asked();
    assert!(asked[0].contains("/revision/refs%2Fpr%2F1"), "{asked:?}");
    // The store is not asked: the weights are those of the other revision.
    assert!(
        !asked.iter().any(|line| line.starts_with("store")),
        "{asked:?}"
    );
    let wrong = play.hub().model(TINY, Some("../x")).unwrap_err();
    assert!(wrong.to_string().contains("is no revision"), "{wrong}");
    assert_eq!(play.asked(), [""; 0]);
}

#[test]
fn only_sizes_need_only_the_config() {
    let play = Play::new();
    let snapshot = play.hub().config(TINY, None).unwrap();
    assert!(snapshot.folder.join("config.json").exists());
    assert!(!snapshot.folder.join("model.safetensors").exists());
    play.asked();
    is_whole(&play.fetched());
    let asked = play.asked();
    assert!(
        !asked.iter().any(|line| line.contains("config.json")),
        "{asked:?}"
    );
}

#[test]
fn shards_come_by_their_index() {
    let play = Play::new();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let mut files: Vec<(&str, &[u8])> = vec![
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("pytorch_model.bin", b"not this"),
    ];
    play.server.put("org/sharded", "main", &files);
    let snapshot = play.hub().model("org/sharded", None).unwrap();
    assert_eq!(
        std::fs::read(snapshot.folder.join("model-2.safetensors")).unwrap(),
        b"two"
    );
    assert!(!snapshot.folder.join("pytorch_model.bin").exists());

    files.retain(|(name, _)| !name.contains("safetensors"));
    play.server.put("org/pickled", "main", &files);
    let snapshot = play.hub().model("org/pickled", None).unwrap();
    assert!(snapshot.folder.join("pytorch_model.bin").exists());
}

#[test]
fn no_name_leads_out_of_the_cache() {
    let play = Play::new();
    let index = br#"{"weight_map": {"a": "../../../../escaped"}}"#;
    let files: [(&str, &[u8]); 4] = [
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors.index.json", index),
        ("../../../../escaped", b"!"),
    ];
    play.server.put(TINY, "main", &files);
    let error = play.error();
    assert!(error.contains("outside this folder"), "{error}");
    let outside = "cb/train/../../../../escaped";
    play.server
        .put("datasets/org/rows", "main", &[(outside, b"!")]);
    let error = play.hub().data("org/rows", &[outside.into()]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("could lead out of its folder"), "{error}");
    assert!(!play.path("../escaped").exists() && !play.path("escaped").exists());
}

#[test]
fn the_token_stays_with_the_hub() {
    let play = Play::new();
    let hub = play.hub_with(|settings| settings.token = Some("hf_secret".into()));
    hub.model(TINY, None).unwrap();
    let (mut shown, mut hidden) = (0, 0);
    for head in play.server.asked() {
        let has = head
            .to_lowercase()
            .contains("\r\nauthorization: bearer hf_secret\r\n");
        assert_eq!(has, head.starts_with("hub "), "{head}");
        match has {
            true => shown += 1,
            false => hidden += 1,
        }
    }
    assert_eq!((shown, hidden), (6, 1));
}

/// The files of a task as the reader of its rows asks for them.
fn parts(config: &str) -> [String; 2] {
    ["train", "validation"].map(|split| format!("{config}/{split}-00000-of-00001.parquet"))
}

#[test]
fn rows_come_as_parquet() {
    let play = Play::new();
    let [train, validation] = parts("mrpc");
    let files: [(&str, &[u8]); 4] = [
        (&train, b"train"),
        (&validation, b"validation"),
        ("mrpc/test-00000-of-00001.parquet", b"test"),
        ("rte/train-00000-of-00001.parquet", b"other"),
    ];
    play.server.put("datasets/nyu-mll/glue", "main", &files);
    let data = |config| play.hub().data("nyu-mll/glue", &parts(config));
    let fetched = data("mrpc").unwrap();
    assert_eq!(fetched.len(), 2);
    assert!(fetched[&validation].ends_with(&validation));
    assert_eq!(std::fs::read(&fetched[&validation]).unwrap(), b"validation");
    let folder = fetched[&train].parent().unwrap();
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        2,
        "the test rows stay"
    );
    assert!(play.path("datasets--nyu-mll--glue").is_dir());
    play.asked();
    assert_eq!(data("mrpc").unwrap(), fetched);
    assert_eq!(play.asked(), [""; 0], "what is cached is not asked for");

    let error = data("rte").unwrap_err().to_string();
    let expected = "the data set nyu-mll/glue has no rte/train-00000-of-00001.parquet at `main`: it \
                    has Parquet files of mrpc, rte";
    assert_eq!(error, expected);
}

#[test]
fn rows_of_a_script_come_from_their_conversion() {
    let play = Play::new();
    play.server.put(
        "datasets/super_glue",
        "main",
        &[("super_glue.py", b"import")],
    );
    let mut files: Vec<(&str, &[u8])> = vec![
        ("cb/train/0000.parquet", b"train"),
        ("cb/validation/0000.parquet", b"validation"),
    ];
    let converted = "refs/convert/parquet";
    play.server.put("datasets/super_glue", converted, &files);
    let data = || play.hub().data("super_glue", &parts("cb"));
    let fetched = data().unwrap();
    let [train, _] = parts("cb");
    assert_eq!(std::fs::read(&fetched[&train]).unwrap(), b"train");
    play.asked();
    assert_eq!(data().unwrap(), fetched);
    assert_eq!(play.asked(), [""; 0], "what is cached is not asked for");

    files.push(("cb/train/0001.parquet", b"more"));
    play.server.put("datasets/super_glue", converted, &files);
    std::fs::remove_dir_all(play.path("datasets--super_glue")).unwrap();
    let error = data().unwrap_err().to_string();
    assert!(
        error.contains("in several files, which is not read"),
        "{error}"
    );
}
