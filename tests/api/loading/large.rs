//! An archive that is much larger than memory.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::NamedTempFile;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{ServerFile, loading};
use crate::harness::eventually;

const CHANNELS: usize = 250;
const DAYS: usize = 400;
const HOLE_BYTES: u64 = 5 << 30;
const MOST_MEMORY_KB: usize = 150_000;
const PATIENCE: Duration = Duration::from_secs(120);
static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// A file in which zeros take no room.
struct Sparse(File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() == ZEROS.len() && bytes == ZEROS {
            self.0.seek(SeekFrom::Current(1 << 20))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// A Slack export of 100,000 days with a message each, and an upload of five gigabytes among them.
fn export() -> ServerFile {
    let file = NamedTempFile::new().unwrap();
    let mut zip = ZipWriter::new(BufWriter::new(Sparse(file.reopen().unwrap())));
    let packed = SimpleFileOptions::default();
    let channel = |number: usize| json!({ "id": format!("C{number}"), "name": format!("c{number}"), "creator": "U1", "members": ["U1"] });
    let user = json!([{ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example" } }]);
    let mut add = |name: &str, content: &str, options: SimpleFileOptions| {
        zip.start_file(name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    };
    add("users.json", &user.to_string(), packed);
    add("channels.json", &json!((0..CHANNELS).map(channel).collect::<Vec<_>>()).to_string(), packed);
    let stored = packed.compression_method(CompressionMethod::Stored);
    let mut ts = 1_500_000_000;
    for number in 0..CHANNELS {
        for day in 0..DAYS {
            ts += 60;
            let message = json!([{ "type": "message", "user": "U1", "ts": format!("{ts}.000100"), "text": "hello" }]);
            add(&format!("c{number}/day{day}.json"), &message.to_string(), stored);
        }
    }
    zip.start_file("__uploads/F1/big.bin", stored.large_file(true)).unwrap();
    for _ in 0..HOLE_BYTES / ZEROS.len() as u64 {
        zip.write_all(&ZEROS).unwrap();
    }
    zip.finish().unwrap().into_inner().map_err(io::IntoInnerError::into_error).unwrap().flush().unwrap();
    ServerFile { path: file.into_temp_path() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_five_gigabytes_and_100_000_entries_is_loaded_within_150_mb() {
    let file = export();
    assert!(file.path.metadata().unwrap().len() > HOLE_BYTES);
    let begun = Instant::now();
    let (_workspace, service) = loading("slack", &file).await;
    eventually("the archive is loaded", PATIENCE, async || service.status().await.json()["state"] == "ready").await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: usize = most.trim().trim_end_matches(" kB").parse().unwrap();
    println!("loaded in {:.1?}; at most {most} kB", begun.elapsed());
    let count = &service.status().await.json()["operation"]["count"];
    assert_eq!(count["messages"].as_u64(), Some((CHANNELS * DAYS) as u64), "{count}");
    assert!(most < MOST_MEMORY_KB, "{most} kB");
}
