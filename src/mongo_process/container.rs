//! A MongoDB in a Docker container, through testcontainers.

use std::time::Duration;

use testcontainers::{ContainerAsync, GenericImage, ImageExt, core::ContainerPort, runners::AsyncRunner};
use tokio::time::timeout;

use super::{Topology, come_up, server::free_port, url_of, variable};

/// Names the image to use.
pub(super) const IMAGE_VARIABLE: &str = "TEST_MONGO_IMAGE";
/// The official image of a release that is maintained.
const DEFAULT_IMAGE: &str = "mongo:8.0";
/// Long enough to fetch the image where it is not on the machine yet.
const FETCH_PATIENCE: Duration = Duration::from_secs(300);

/// A running container. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Container {
    running: ContainerAsync<GenericImage>,
    image: String,
    member: String,
    topology: Topology,
}

impl Container {
    /// Starts one.
    ///
    /// # Errors
    /// With the reason, when there is no engine or no image, or the server does not come up.
    pub(super) async fn start(topology: Topology) -> Result<Self, String> {
        if topology == Topology::WithUsers {
            return Err("a server lets only its own machine make the first user".to_owned());
        }
        let image = variable(IMAGE_VARIABLE).unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
        let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
        // One port inside and outside, so that the address the replica set gives its clients is one they can reach.
        let port = free_port().map_err(|error| error.to_string())?;
        let port_text = port.to_string();
        let mut command = vec!["mongod", "--bind_ip_all", "--port", &port_text, "--quiet"];
        if topology == Topology::ReplicaSet {
            command.extend(["--replSet", "rs0"]);
        }
        let request = GenericImage::new(name, tag).with_cmd(command).with_mapped_port(port, ContainerPort::Tcp(port));
        let running = timeout(FETCH_PATIENCE, request.start())
            .await
            .map_err(|_| format!("{image} did not start within {FETCH_PATIENCE:?}"))?
            .map_err(|error| format!("{image}: {error}"))?;
        let member = format!("127.0.0.1:{port}");
        come_up(&member, topology).await?;
        Ok(Self { running, image, member, topology })
    }

    pub(super) fn url(&self) -> String {
        url_of(&self.member, self.topology)
    }

    pub(super) fn image(&self) -> &str {
        &self.image
    }

    /// Ends the server on the spot, as a loss of power does, and starts it again with its data.
    pub(super) async fn crash(&self) -> Result<(), String> {
        self.running.stop_with_timeout(Some(0)).await.map_err(|error| error.to_string())?;
        self.running.start().await.map_err(|error| error.to_string())?;
        come_up(&self.member, self.topology).await
    }

    pub(super) async fn pause(&self) -> Result<(), String> {
        self.running.pause().await.map_err(|error| error.to_string())
    }

    pub(super) async fn unpause(&self) -> Result<(), String> {
        self.running.unpause().await.map_err(|error| error.to_string())
    }

    pub(super) async fn stop(self) -> Result<(), String> {
        self.running.rm().await.map_err(|error| error.to_string())
    }
}
