//! A store that goes away while files are on their way, and comes back.

use super::*;

/// Files on their way, slowly, to a store that goes away.
pub(super) struct Outage {
    pub(super) content: Vec<u8>,
}

impl Outage {
    pub(super) const FILES: usize = 12;
    /// How long a store is away.
    pub(super) const AWAY_FOR: Duration = Duration::from_secs(30);

    /// Files that messages of the workspace wait for.
    pub(super) async fn of(workspace: &Workspace, server: &FileServer) -> Self {
        let outage = Self { content: noise(6_000_000, 7) };
        let messages = Self::names().map(|name| {
            let reply = Reply::Slow(outage.content.clone(), Duration::from_millis(5));
            let url = server.put(&format!("/{name}"), reply);
            waiting(&name, "open", &url, &name, outage.content.len())
        });
        workspace.add_messages(messages.collect()).await;
        outage
    }

    /// The names of the files, which are also the ids of their messages.
    pub(super) fn names() -> impl Iterator<Item = String> {
        (0..Self::FILES).map(|number| format!("f{number}.bin"))
    }

    pub(super) fn settings(workspace: &Workspace) -> Vec<(&str, &str)> {
        vec![("MONGO_URL", workspace.url.as_str()), ("DOWNLOADS_AT_ONCE", "3")]
    }

    /// Returns when a file is stored and others are on their way.
    pub(super) async fn begins(&self, workspace: &Workspace, service: &Service) {
        assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
        eventually("a file is stored", PATIENCE, async || workspace.count_of(UPLOADS).await > 0).await;
    }

    /// The store is away: the service says so, and goes on trying.
    pub(super) async fn lasts(&self, service: &Service, sentence: &str) {
        service.logged(sentence).await;
        tokio::time::sleep(Self::AWAY_FOR).await;
        assert_eq!(service.status().await.json()["state"], "importing");
    }

    /// The store is back: every file is stored once, without another call.
    pub(super) async fn is_over(&self, workspace: &Workspace, service: &Service) {
        let done = service.wait_for_state("done").await;
        let expected = json!({ "messages": Self::FILES, "total": Self::FILES, "completed": Self::FILES, "error": 0 });
        assert_eq!(done["operation"]["count"], expected, "{done}");
        assert_eq!(workspace.count_of(UPLOADS).await, Self::FILES as u64);
    }
}
