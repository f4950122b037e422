//! Telling somebody outside what goes on between this service and the database, in words that are not the driver's.

use std::{sync::Arc, time::Duration};

use mongodb::{
    event::{
        EventHandler,
        cmap::CmapEvent,
        command::{CommandEvent, CommandFailedEvent, CommandSucceededEvent},
    },
    options::{ClientOptions, ServerAddress},
};

/// Hears of every command and of what happens in the pool of connections. Called in the middle of the work, so it must
/// be quick.
pub trait Observer: Send + Sync {
    /// A command, such as `find`, was answered or has failed after this long.
    fn command(&self, name: &str, took: Duration, outcome: CommandOutcome);
    /// Something happened in the pool.
    fn pool(&self, event: PoolEvent);
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    Succeeded,
    /// The database refused it, or the connection broke.
    Failed,
}

/// One connection among all that this process ever opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionName {
    server: String,
    number: u32,
}

/// What happens in the pool of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolEvent {
    Opened(ConnectionName),
    Closed(ConnectionName),
    TakenOut(ConnectionName),
    GivenBack(ConnectionName),
    /// Somebody wants a connection. One who gives up waiting says nothing more.
    Wanted,
    /// Somebody got the connection he wanted after this long.
    Got(Duration),
    /// There was none to be had, which took this long to find out.
    Missed(Duration),
}

/// Has the driver tell `observer`.
pub(in crate::repository) fn observe(options: &mut ClientOptions, observer: Arc<dyn Observer>) {
    let of_commands = Arc::clone(&observer);
    options.command_event_handler = Some(EventHandler::callback(move |event| match event {
        CommandEvent::Succeeded(CommandSucceededEvent { command_name, duration, .. }) => {
            of_commands.command(&command_name, duration, CommandOutcome::Succeeded);
        }
        CommandEvent::Failed(CommandFailedEvent { command_name, duration, .. }) => {
            of_commands.command(&command_name, duration, CommandOutcome::Failed);
        }
        _ => {}
    }));
    options.cmap_event_handler = Some(EventHandler::callback(move |event| tell(&*observer, event)));
}

fn tell(observer: &dyn Observer, event: CmapEvent) {
    match event {
        CmapEvent::ConnectionCreated(event) => {
            observer.pool(PoolEvent::Opened(name(&event.address, event.connection_id)));
        }
        CmapEvent::ConnectionClosed(event) => {
            observer.pool(PoolEvent::Closed(name(&event.address, event.connection_id)));
        }
        CmapEvent::ConnectionCheckoutStarted(_) => observer.pool(PoolEvent::Wanted),
        CmapEvent::ConnectionCheckoutFailed(event) => observer.pool(PoolEvent::Missed(event.duration)),
        CmapEvent::ConnectionCheckedOut(event) => {
            observer.pool(PoolEvent::Got(event.duration));
            observer.pool(PoolEvent::TakenOut(name(&event.address, event.connection_id)));
        }
        CmapEvent::ConnectionCheckedIn(event) => {
            observer.pool(PoolEvent::GivenBack(name(&event.address, event.connection_id)));
        }
        _ => {}
    }
}

fn name(server: &ServerAddress, number: u32) -> ConnectionName {
    ConnectionName { server: server.to_string(), number }
}
