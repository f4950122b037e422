//! The port for Prometheus.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::SystemTime,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::header::{CONTENT_TYPE, ContentType},
    web,
};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    registry::Registry,
};

use super::{
    PREFIX,
    database::DatabaseMetrics,
    overload::OverloadMetrics,
    process,
    requests::RequestMetrics,
    workspace::{self, Reading},
};
use crate::{
    engine::Activity,
    repository::{Observer, Repositories},
};

const PATH: &str = "/metrics";
/// The content type of `prometheus-client`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Scrapes come one at a time.
const WORKERS: usize = 1;

/// The metrics and their address.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    listener: TcpListener,
    registry: Registry,
    requests: RequestMetrics,
    overload: OverloadMetrics,
    database: DatabaseMetrics,
    started: SystemTime,
}

/// The sources of an answer.
struct Sources {
    registry: Registry,
    database: DatabaseMetrics,
    repositories: Repositories,
    activity: Activity,
    started: SystemTime,
}

impl MetricsServer {
    /// Takes the address. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let mut registry = Registry::with_prefix(PREFIX);
        let requests = RequestMetrics::register(&mut registry);
        let overload = OverloadMetrics::register(&mut registry);
        let database = DatabaseMetrics::register(&mut registry);
        Ok(Self { listener, registry, requests, overload, database, started: SystemTime::now() })
    }

    /// The observer of the connection to the database.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(self.database.clone())
    }

    /// The counters of requests.
    pub(crate) fn requests(&self) -> RequestMetrics {
        self.requests.clone()
    }

    /// The counters of overload.
    pub(crate) fn overload(&self) -> OverloadMetrics {
        self.overload.clone()
    }

    /// Starts the server, which serves while it is polled, and returns it with the handle that stops it.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub(crate) fn start(self, repositories: Repositories, activity: Activity) -> io::Result<(Server, ServerHandle)> {
        let address = self.listener.local_addr()?;
        let Self { listener, registry, database, started, .. } = self;
        let sources = web::Data::new(Sources { registry, database, repositories, activity, started });
        let server = HttpServer::new(move || App::new().app_data(sources.clone()).route(PATH, web::get().to(scrape)))
            .workers(WORKERS)
            .disable_signals()
            .listen(listener)?
            .run();
        log::info!("metrics at http://{address}{PATH}");
        let handle = server.handle();
        Ok((server, handle))
    }
}

async fn scrape(sources: web::Data<Sources>) -> HttpResponse {
    let reading = Reading::take(&sources.repositories).await;
    match sources.write(reading.as_ref()) {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, OPEN_METRICS)).body(text),
        Err(error) => {
            log::error!("the metrics could not be written: {error}");
            HttpResponse::InternalServerError().insert_header(ContentType::plaintext()).finish()
        }
    }
}

impl Sources {
    fn write(&self, reading: Option<&Reading>) -> Result<String, fmt::Error> {
        self.database.refresh();
        let mut of_this_moment = Registry::with_prefix(PREFIX);
        workspace::register(&mut of_this_moment, reading);
        workspace::register_instance(&mut of_this_moment, &self.activity);
        let mut of_the_process = Registry::default();
        process::register(&mut of_the_process, self.started);

        let mut text = String::new();
        for registry in [&self.registry, &of_this_moment, &of_the_process] {
            encode_registry(&mut text, registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}
