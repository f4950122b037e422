//! The HTTP server: its socket, its parts and its limits.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroU16,
    rc::Rc,
    time::Duration,
};

use actix_http::{Extensions, HttpService, Protocol};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Server},
    middleware::from_fn,
    web,
};
use tokio::net::TcpStream;

use super::{
    AppState,
    import::{Checks, UnknownStatusLog},
    middleware::{access_log, drain_body, rate_limit::RateLimiter, request_metrics},
    overload::{self, ClientStream, OpenConnections, Overload},
    routes,
    streamed::Streams,
};
use crate::{
    domain::api::client_address::Proxies,
    engine::{Engine, Uploads},
    live::StatusFeed,
    metrics::{OverloadMetrics, RequestMetrics},
    repository::{Repositories, setup::Readiness},
};

/// How long requests in flight may take to finish once the service is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// How long a client whose connection is being closed may take to notice.
const DISCONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// The parts of the process that handlers use.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) repositories: Repositories,
    pub(crate) engine: Engine,
    pub(crate) uploads: Uploads,
    pub(crate) live: StatusFeed,
    pub(crate) readiness: Readiness,
    pub(crate) proxies: Proxies,
    pub(crate) requests: Option<RequestMetrics>,
    pub(crate) overload: OverloadMetrics,
    pub(crate) max_requests_in_work: NonZeroU16,
}

/// Takes the address. Port 0 takes a free one.
///
/// # Errors
/// When the address cannot be had.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    overload::connections::listen(address)
}

/// Starts the server on `listener`. It serves while it is polled, until `stop` resolves.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn server(
    listener: TcpListener,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let overload = web::Data::new(Overload::new(parts.max_requests_in_work, parts.overload));
    let state = web::Data::new(AppState {
        repositories: parts.repositories,
        engine: parts.engine,
        uploads: parts.uploads,
        live: parts.live,
        readiness: parts.readiness,
        proxies: parts.proxies,
        rate_limiter: RateLimiter::default(),
        unknown_statuses: UnknownStatusLog::default(),
        overload: overload.clone(),
        requests: parts.requests,
        streams: Streams::default(),
        checks: Checks::default(),
    });
    let workers = overload::connections::workers();
    let server = actix_server::Server::build();
    let shutdown = server.graceful_shutdown_signal();
    // Once for each worker.
    let service = move || {
        let app = App::new()
            .app_data(state.clone())
            .app_data(overload.clone())
            .configure(routes::configure)
            .wrap(routes::headers_on_everything())
            .wrap(from_fn(access_log::log_request))
            .wrap(from_fn(request_metrics::measure))
            .wrap(from_fn(drain_body::drain_unread_body))
            .wrap(from_fn(overload::bound_exchange));
        let shutdown = shutdown.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .client_request_timeout(overload::HEAD_PATIENCE)
            .client_disconnect_timeout(DISCONNECT_PATIENCE)
            .local_addr(address)
            .on_connect_ext(|stream: &ClientStream, to_requests: &mut Extensions| stream.introduce(to_requests))
            .finish(map_config(app, |()| AppConfig::default()));
        let connections = Rc::new(OpenConnections::new(workers.open_each));
        fn_service(move |stream: TcpStream| {
            let stream = connections.accept(stream);
            let peer = stream.peer();
            async move { Ok((stream, Protocol::Http1, peer)) }
        })
        .and_then(http)
    };
    let server = server
        .workers(workers.count)
        .max_concurrent_connections(workers.connections_each)
        .shutdown_timeout(SHUTDOWN_PATIENCE.as_secs())
        .shutdown_signal(stop)
        .listen("api", listener, service)?
        .run();
    log::info!("listening on http://{address}");
    Ok(server)
}
