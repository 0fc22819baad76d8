//! What may go wrong on the way, and what is said then.

use super::*;
use std::time::Instant;

const WEIGHTS: &str = "store /org/tiny/resolve/";

/// Ranges that were asked for.
fn ranges(server: &Server) -> Vec<String> {
    let heads = server
        .asked()
        .into_iter()
        .filter(|head| head.starts_with("store "));
    let range = |head: String| {
        let range = head
            .lines()
            .find(|line| line.to_lowercase().starts_with("range: "));
        range.map_or("all".into(), |line| line[7..].to_string())
    };
    heads.map(range).collect()
}

#[test]
fn broken_connections_are_gone_on_with() {
    let play = Play::new();
    for bytes in [70_000, 30_000] {
        play.server.fail(WEIGHTS, Trouble::Cut(bytes));
    }
    is_whole(&play.fetched());
    let expected = ["all", "bytes=70000-", "bytes=100000-"];
    assert_eq!(ranges(&play.server), expected);
}

#[test]
fn another_process_goes_on_where_one_was_killed() {
    let play = Play::new();
    for _ in 0..6 {
        play.server.fail(WEIGHTS, Trouble::Cut(0));
    }
    let error = play.error();
    assert!(
        error.contains("model.safetensors of org/tiny: the connection broke off"),
        "{error}"
    );
    assert!(
        error.contains("the same command goes on from there"),
        "{error}"
    );
    // As a killed process leaves it.
    let part = part(&play);
    std::fs::write(&part, &weights()[..150_000]).unwrap();
    play.server.asked();
    is_whole(&play.fetched());
    assert_eq!(ranges(&play.server), ["bytes=150000-"]);
    assert!(!part.exists());
}

/// Where the weights lie until they are whole.
fn part(play: &Play) -> PathBuf {
    let blobs = play.path("models--org--tiny/blobs");
    let sha256 = crate::checksum::sha256(&weights()[..]).unwrap();
    std::fs::create_dir_all(&blobs).unwrap();
    blobs.join(format!("{sha256}.incomplete"))
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let play = Play::new();
    play.server.fail(WEIGHTS, Trouble::Cut(70_000));
    play.server.fail(WEIGHTS, Trouble::Whole);
    is_whole(&play.fetched());
}

#[test]
fn a_part_longer_than_the_file_is_dropped() {
    let play = Play::new();
    std::fs::write(part(&play), vec![7; 300_000]).unwrap();
    is_whole(&play.fetched());
    assert_eq!(ranges(&play.server), ["bytes=300000-", "all"]);
}

#[test]
fn a_damaged_part_is_fetched_anew() {
    let play = Play::new();
    std::fs::write(part(&play), vec![7; 1000]).unwrap();
    is_whole(&play.fetched());
    assert_eq!(ranges(&play.server), ["bytes=1000-", "all"]);
    // Whole in size, too.
    let play = Play::new();
    std::fs::write(part(&play), vec![7; 200_000]).unwrap();
    is_whole(&play.fetched());
}

#[test]
fn files_that_are_other_than_said_are_not_kept() {
    for (address, file) in [
        (WEIGHTS, "model.safetensors"),
        ("resolve-cache", "config.json"),
    ] {
        let play = Play::new();
        play.server.fail(address, Trouble::Wrong);
        let error = play.error();
        assert!(
            error.contains(file) && error.contains("its hash is not"),
            "{error}"
        );
        let snapshot = play.path("models--org--tiny/snapshots").join(&play.commit);
        assert!(!snapshot.join(file).exists());
        assert!(!part(&play).exists());
        is_whole(&play.fetched());
    }
}

#[test]
fn short_files_are_asked_for_again_and_then_told_of() {
    let play = Play::new();
    play.server.fail(WEIGHTS, Trouble::Short(150_000));
    is_whole(&play.fetched());
    assert_eq!(ranges(&play.server), ["all", "bytes=150000-"]);

    let play = Play::new();
    play.server.fail(WEIGHTS, Trouble::Short(150_000));
    for _ in 0..9 {
        play.server.fail(WEIGHTS, Trouble::Short(0));
    }
    let error = play.error();
    assert!(
        error.contains("only 150000 of 200000 bytes have come"),
        "{error}"
    );
    let snapshot = play.path("models--org--tiny/snapshots").join(&play.commit);
    assert!(!snapshot.join("model.safetensors").exists());
    assert!(part(&play).exists(), "what has come is kept");
}

#[test]
fn too_many_requests_are_waited_for() {
    let play = Play::new();
    play.server
        .fail("/api/models", Trouble::Status(429, "Retry-After: 1\r\n"));
    play.server.fail(WEIGHTS, Trouble::Status(429, ""));
    play.server.fail("hub /org/tiny", Trouble::Status(503, ""));
    let started = Instant::now();
    is_whole(&play.fetched());
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn waiting_is_bounded() {
    let play = Play::new();
    play.server.fail(
        "/api/models",
        Trouble::Status(429, "Retry-After: 86400\r\n"),
    );
    let started = Instant::now();
    let error = play.error();
    assert!(
        error.contains("too many requests (429): wait some minutes"),
        "{error}"
    );
    for _ in 0..20 {
        play.server.fail("/api/models", Trouble::Status(429, ""));
    }
    play.asked();
    let error = play.error();
    assert!(error.contains("(429)"), "{error}");
    assert_eq!(play.asked().len(), 6, "one try and five more");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn refusals_say_what_to_do() {
    for status in [401, 403] {
        let play = Play::new();
        play.server.fail("/api/models", Trouble::Status(status, ""));
        let error = play.error();
        assert!(error.contains("set HF_TOKEN"), "{error}");
        assert!(error.contains(&format!(
            "accept the terms at {}/org/tiny",
            play.server.endpoint
        )));
        assert_eq!(play.asked().len(), 1, "asking again would not help");

        play.server
            .fail(".safetensors", Trouble::Status(status, ""));
        let hub = play.hub_with(|settings| settings.token = Some("old".into()));
        let error = hub.model(TINY, None).unwrap_err().to_string();
        assert!(
            error.starts_with("model.safetensors of org/tiny"),
            "{error}"
        );
        assert!(error.contains("the token in HF_TOKEN"), "{error}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let play = Play::new();
    let error = |id, revision| play.hub().model(id, revision).unwrap_err().to_string();
    let unknown = error("org/tinny", None);
    assert!(
        unknown.contains("org/tinny") && unknown.contains("spelled right"),
        "{unknown}"
    );
    let revision = error(TINY, Some("v9"));
    assert!(revision.contains("is there a revision `v9`"), "{revision}");

    play.server.put(
        "org/old",
        "main",
        &[("config.json", b"{}"), ("tf_model.h5", b"")],
    );
    let weights = error("org/old", None);
    let expected =
        "neither model.safetensors nor pytorch_model.bin: it holds config.json, tf_model.h5";
    assert!(weights.contains(expected), "{weights}");
    let files: [(&str, &[u8]); 3] = [
        ("config.json", b"{}"),
        ("spiece.model", b""),
        ("pytorch_model.bin", b""),
    ];
    play.server.put("org/pieces", "main", &files);
    play.asked();
    let pieces = error("org/pieces", None);
    assert!(
        pieces.contains("spiece.model alone, which is not read"),
        "{pieces}"
    );
    let asked = play.asked();
    assert!(
        !asked.iter().any(|line| line.contains("pytorch")),
        "{asked:?}"
    );
}

#[test]
fn without_a_network() {
    let play = Play::new();
    // Nothing listens at a port that was just given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let hub = play.hub_with(|settings| settings.endpoint = format!("http://{free}"));
    let error = hub.model(TINY, None).unwrap_err().to_string();
    assert!(
        error.contains("cannot be reached") && error.contains("HF_ENDPOINT"),
        "{error}"
    );
    is_whole(&play.fetched());
    is_whole(&hub.model(TINY, None).unwrap());
}

#[test]
fn offline_nothing_is_asked() {
    let play = Play::new();
    let offline = play.hub_with(|settings| settings.offline = true);
    let error = offline.model(TINY, None).unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE is set"), "{error}");
    assert!(error.contains("config.json is not in"), "{error}");
    let error = offline.data("nyu-mll/glue", &parts("mrpc"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("mrpc/train-00000-of-00001.parquet is not in"),
        "{error}"
    );
    assert_eq!(play.asked(), [""; 0]);
}

#[test]
fn other_answers_than_the_hubs() {
    let play = Play::new();
    play.server.fail("/api/models", Trouble::Wrong);
    let error = play.error();
    assert!(error.contains("other JSON than the hub's"), "{error}");
    play.server.fail(
        ".safetensors",
        Trouble::Status(302, "Location: ftp://x/y\r\n"),
    );
    let error = play.error();
    assert!(
        error.contains("redirects to `ftp://x/y`, which is no address"),
        "{error}"
    );
    for _ in 0..11 {
        play.server.fail(
            ".safetensors",
            Trouble::Status(302, "Location: /x.safetensors\r\n"),
        );
    }
    let error = play.error();
    assert!(error.contains("more than 10 redirects"), "{error}");
    play.server.mend();
    play.server.fail(
        ".safetensors",
        Trouble::Status(200, "ETag: \"../../evil\"\r\n"),
    );
    let error = play.error();
    assert!(error.contains("sends no ETag"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_of() {
    let play = Play::new();
    std::os::unix::fs::symlink("/dev/full", part(&play)).unwrap();
    let error = play.error();
    assert!(error.contains("no room on the disk for"), "{error}");
    assert!(
        error.contains("195.3 KiB: free some, or set HF_HOME"),
        "{error}"
    );
}

#[test]
fn two_at_once_fetch_once() {
    let play = Play::new();
    let (one, two) = (play.hub(), play.hub());
    std::thread::scope(|scope| {
        let both = [one, two].map(|hub| scope.spawn(move || hub.model(TINY, None).unwrap()));
        for thread in both {
            is_whole(&thread.join().unwrap());
        }
    });
    assert_eq!(ranges(&play.server), ["all"]);
}
