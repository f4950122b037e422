//! The port that Prometheus asks.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, TcpListener},
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
/// What `prometheus-client` writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// One scrape at a time is what there is to answer.
const WORKERS: usize = 1;

/// The metrics and the address they are to be served at.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    listener: TcpListener,
    registry: Registry,
    requests: RequestMetrics,
    overload: OverloadMetrics,
    database: DatabaseMetrics,
    started: SystemTime,
}

/// What an answer is made of.
struct Sources {
    registry: Registry,
    database: DatabaseMetrics,
    repositories: Repositories,
    activity: Activity,
    started: SystemTime,
}

impl MetricsServer {
    /// Takes the address, so that a conflict shows before anything else is started. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) fn bind(ip: IpAddr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::new(ip, port))?;
        let mut registry = Registry::with_prefix(PREFIX);
        let requests = RequestMetrics::register(&mut registry);
        let overload = OverloadMetrics::register(&mut registry);
        let database = DatabaseMetrics::register(&mut registry);
        Ok(Self { listener, registry, requests, overload, database, started: SystemTime::now() })
    }

    /// Who is to be told of what goes on between this service and its database.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(self.database.clone())
    }

    /// Who is to be told of requests.
    pub(crate) fn requests(&self) -> RequestMetrics {
        self.requests.clone()
    }

    /// Who is to be told of what is in work and what is refused.
    pub(crate) fn overload(&self) -> OverloadMetrics {
        self.overload.clone()
    }

    /// The server, which serves while it is polled, and the handle that ends it.
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
