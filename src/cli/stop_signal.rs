//! SIGTERM and Ctrl-C.

use tokio::signal::unix::{SignalKind, signal};

use super::CommandError;

/// Starts listening at once and resolves at the signal to stop: `SIGTERM`, or Ctrl-C.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, CommandError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        log::info!("stopping");
    })
}
