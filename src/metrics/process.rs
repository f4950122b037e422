//! The process itself, by the names of Prometheus' own clients. Empty without `/proc`.

use std::{fs, time::SystemTime};

use prometheus_client::{
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

const BYTES_PER_KIB: u64 = 1024;

/// Registers memory, open files, and the start of the process.
pub(super) fn register(registry: &mut Registry, started: SystemTime) {
    if let Ok(since) = started.duration_since(SystemTime::UNIX_EPOCH) {
        let start = ConstGauge::new(since.as_secs_f64());
        registry.register_with_unit("process_start_time", "When the process started, since 1970", Unit::Seconds, start);
    }
    if let Some(bytes) = resident_memory() {
        let bytes = ConstGauge::new(bytes);
        registry.register_with_unit("process_resident_memory", "Memory in use", Unit::Bytes, bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let open = ConstGauge::new(open.count() as u64);
        registry.register("process_open_fds", "Open files and sockets", open);
    }
}

/// In bytes.
fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * BYTES_PER_KIB)
}
