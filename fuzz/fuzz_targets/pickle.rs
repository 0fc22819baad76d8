//! The pickle alone, in an archive whose checksums are right, which no mutation would find: packed
//! by deflate if the first byte is 1. Two storages of 48 bytes lie beside it.
#![no_main]

use compacter_core::tensor_file::Archive;
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::{Cursor, Write};

fn archive(deflate: bool, pickle: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut zip = ZipArchiveWriter::new(&mut bytes);
    let entries = [
        ("a/data.pkl", pickle),
        ("a/data/0", &[1; 48]),
        ("a/data/1", &[0; 48]),
    ];
    for (name, content) in entries {
        let method = match deflate {
            true => CompressionMethod::DEFLATE,
            false => CompressionMethod::STORE,
        };
        let (mut entry, config) = zip.new_file(name).compression_method(method).start().ok()?;
        let descriptor = if deflate {
            let level = flate2::Compression::fast();
            let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, level));
            writer.write_all(content).ok()?;
            let (deflate, descriptor) = writer.finish().ok()?;
            deflate.finish().ok()?;
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content).ok()?;
            writer.finish().ok()?.1
        };
        entry.finish(descriptor).ok()?;
    }
    zip.finish().ok()?;
    Some(bytes)
}

fuzz_target!(|data: &[u8]| bounded(|| {
    let Some((first, pickle)) = data.split_first() else {
        return;
    };
    let Some(bytes) = archive(*first == 1, pickle) else {
        return;
    };
    if let Ok(archive) = Archive::open(Cursor::new(&bytes[..]), "file") {
        let _ = archive.read();
        let _ = archive.stored();
    }
}));
