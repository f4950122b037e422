//! Binding the socket and running the HTTP server until it is told to stop.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App, HttpServer, web};
use futures::future::OptionFuture;
use tokio::sync::oneshot;

use super::{
    AppState, access_log,
    guards::RateLimiter,
    import::{self, UnknownStatusLog},
    overload::{self, Overload},
    readiness::Readiness,
    request_metrics, routes,
};
use crate::{
    config::LimitArgs, domain::client_address::Proxies, engine::Engine, live::Hub, metrics::MetricsServer,
    repository::Repositories,
};

/// How long requests in flight may take to finish once the service is told to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Takes the address, so that a conflict shows before anything else is started. Port 0 takes a free one.
///
/// # Errors
/// When the address cannot be had.
pub(crate) fn bind(ip: IpAddr, port: u16) -> io::Result<TcpListener> {
    overload::connections::listen(SocketAddr::new(ip, port))
}

/// Serves the API on `listener`, and runs imports, until `stop` resolves; then accepts nothing new and lets what is in
/// flight finish, for ten seconds at most; streams end at once. The metrics go last.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) async fn serve(
    listener: TcpListener,
    repositories: Repositories,
    readiness: Readiness,
    limits: LimitArgs,
    proxies: Proxies,
    metrics: Option<MetricsServer>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let engine = Engine::over(repositories.clone());
    let supervisor = tokio::spawn(engine.clone().supervise());
    let requests = web::Data::new(metrics.as_ref().map(MetricsServer::requests));
    let overload = metrics.as_ref().map(MetricsServer::overload).unwrap_or_default();
    let overload = web::Data::new(Overload::new(limits.max_requests_in_work, overload));
    let metrics = metrics.map(|metrics| metrics.start(repositories.clone(), engine.activity())).transpose()?;
    let (metrics_server, metrics_handle) = metrics.unzip();
    let (stopping, stopped) = oneshot::channel();
    let live = Hub::over(repositories.clone(), import::live_status);
    let state = web::Data::new(AppState {
        repositories,
        engine: engine.clone(),
        live: live.clone(),
        readiness,
        proxies,
        rate_limiter: RateLimiter::default(),
        unknown_statuses: UnknownStatusLog::default(),
    });
    let workers = overload::connections::workers();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(requests.clone())
            .app_data(overload.clone())
            .configure(routes::configure)
            .wrap(routes::headers_on_everything())
            .wrap(actix_web::middleware::from_fn(access_log::log_request))
            .wrap(actix_web::middleware::from_fn(request_metrics::measure))
    })
    .workers(workers.count)
    .max_connections(workers.connections_each)
    .client_request_timeout(overload::HEAD_PATIENCE)
    .shutdown_timeout(SHUTDOWN_PATIENCE.as_secs())
    .shutdown_signal(async move {
        stop.await;
        // They would never finish by themselves.
        live.stop();
        // Nobody listens any more only if the server has failed already.
        let _ = stopping.send(());
    })
    .listen(listener)?
    .run();
    log::info!("listening on http://{address}");
    let end_of_runs = async {
        // An error means that the server is gone without being told to stop; runs end all the same.
        let _ = stopped.await;
        supervisor.abort();
        engine.shut_down().await;
    };
    let api_and_runs = async {
        let (outcome, ()) = tokio::join!(server, end_of_runs);
        if let Some(metrics) = metrics_handle {
            metrics.stop(false).await;
        }
        outcome
    };
    let (outcome, _) = tokio::join!(api_and_runs, OptionFuture::from(metrics_server));
    outcome
}
