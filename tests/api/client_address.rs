//! Where a request counts as coming from: behind proxies that the settings name, and with headers that nobody vouches for.

use crate::harness::{LIMITED, Service, Workspace, workspace};

/// Where our connections come from, unless a test says otherwise.
const PEER: &str = "127.0.0.1";
const OTHER_PEER: &str = "127.0.0.2";

async fn one_call_a_minute() -> Workspace {
    let workspace = workspace().await;
    workspace.add_limited_caller().await;
    workspace.limit_calls(1, 60_000).await;
    workspace
}

impl Workspace {
    async fn serve_behind(&self, proxies: &[(&str, &str)]) -> Service {
        let url = ("MONGO_URL", self.url.as_str());
        Service::start(&[&[url], proxies].concat()).await
    }
}

/// Calls from `peer` with `forwarded_for`, and whether they are let through.
async fn statuses(service: &Service, calls: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (peer, forwarded_for) in calls {
        let answer = service.limited_status_from(peer, &[("X-Forwarded-For", forwarded_for)]).await;
        statuses.push(answer.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn made_up_headers_do_not_get_around_the_limit() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve().await;
    assert_eq!(service.limited_status_from(PEER, &[]).await.status, 200);
    for headers in [
        [("X-Forwarded-For", "1.2.3.4")].as_slice(),
        &[("X-Forwarded-For", "1.2.3.4, 5.6.7.8, 9.9.9.9")],
        &[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8")],
        &[("X-Forwarded-For", "127.0.0.9")],
        &[("X-Forwarded-For", "")],
        &[("X-Forwarded-For", "::ffff:1.2.3.4")],
        &[("X-Forwarded-For", "é")],
        &[("X-Real-IP", "1.2.3.4")],
        &[("X-Real-IP", "2001:db8::1"), ("X-Forwarded-For", "1.2.3.4")],
        &[("Forwarded", "for=1.2.3.4"), ("X-Client-IP", "1.2.3.4"), ("True-Client-IP", "1.2.3.4")],
        &[("CF-Connecting-IP", "1.2.3.4"), ("X-Forwarded", "1.2.3.4"), ("X-Cluster-Client-IP", "1.2.3.4")],
    ] {
        assert_eq!(service.limited_status_from(PEER, headers).await.status, 429, "{headers:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_tells_its_clients_apart_and_nobody_else_does() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve_behind(&[("TRUSTED_PROXIES", "192.0.2.0/24, 127.0.0.2")]).await;
    let calls = [
        (OTHER_PEER, "1.1.1.1"),
        (OTHER_PEER, "2.2.2.2"),
        // What a client puts in front does not count.
        (OTHER_PEER, "6.6.6.6, 1.1.1.1"),
        // The proxy's own neighbour is passed over.
        (OTHER_PEER, "2.2.2.2, 192.0.2.77"),
        (OTHER_PEER, "2.2.2.2:1234"),
        (OTHER_PEER, "::ffff:2.2.2.2"),
        (PEER, "3.3.3.3"),
        (PEER, "4.4.4.4"),
    ];
    assert_eq!(statuses(&service, &calls).await, [200, 200, 429, 429, 429, 429, 200, 429]);
    let real_ip =
        async |peer, address| service.limited_status_from(peer, &[("X-Real-IP", address)]).await.status.as_u16();
    assert_eq!(real_ip(OTHER_PEER, "5.5.5.5").await, 200);
    assert_eq!(real_ip(OTHER_PEER, "5.5.5.5").await, 429);
    assert_eq!(real_ip(PEER, "7.7.7.7").await, 429);
}

#[tokio::test]
async fn a_count_of_proxies_takes_the_address_rocket_chat_takes() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve_behind(&[("HTTP_FORWARDED_COUNT", "2")]).await;
    let calls = [
        (PEER, "1.1.1.1, 10.0.0.1"),
        (PEER, "2.2.2.2, 10.0.0.1"),
        (PEER, "6.6.6.6, 1.1.1.1, 10.0.0.1"),
        (OTHER_PEER, "2.2.2.2, 10.0.0.1"),
        // Fewer than there are proxies: it came past them.
        (PEER, "3.3.3.3"),
        (PEER, "4.4.4.4"),
    ];
    assert_eq!(statuses(&service, &calls).await, [200, 200, 429, 429, 200, 429]);
    // The two headers of a request are one list.
    let split = [("X-Forwarded-For", "8.8.8.8, 9.9.9.9"), ("X-Forwarded-For", "10.0.0.1")];
    assert_eq!(service.limited_status_from(PEER, &split).await.status, 200);
    assert_eq!(statuses(&service, &[(PEER, "9.9.9.9, 10.0.0.1")]).await, [429]);
}

#[tokio::test]
async fn with_a_list_and_a_count_both_must_be_right() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve_behind(&[("HTTP_FORWARDED_COUNT", "1"), ("TRUSTED_PROXIES", OTHER_PEER)]).await;
    let calls = [(OTHER_PEER, "1.1.1.1"), (OTHER_PEER, "2.2.2.2"), (PEER, "3.3.3.3"), (PEER, "4.4.4.4")];
    assert_eq!(statuses(&service, &calls).await, [200, 200, 200, 429]);
}

#[tokio::test]
async fn empty_settings_are_no_settings() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve_behind(&[("HTTP_FORWARDED_COUNT", ""), ("TRUSTED_PROXIES", "")]).await;
    assert_eq!(statuses(&service, &[(PEER, "1.1.1.1"), (PEER, "2.2.2.2")]).await, [200, 429]);
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_socket_is_the_same_client() {
    let workspace = one_call_a_minute().await;
    let mut service =
        workspace.serve_behind(&[("BIND_IP", "::"), ("TRUSTED_PROXIES", OTHER_PEER), ("RUST_LOG", "info")]).await;
    let port = service.address.rsplit_once(':').unwrap().1.to_owned();
    service.address = format!("http://127.0.0.1:{port}");
    let calls = [(OTHER_PEER, PEER), (PEER, "1.1.1.1")];
    assert_eq!(statuses(&service, &calls).await, [200, 429]);
    service.address = format!("http://[::1]:{port}");
    assert_eq!(service.limited_status_from("::1", &[]).await.status, 200);
    service.logged(" client=::1").await;
    let clients: Vec<_> = service
        .log_lines("path=/api/v1/import.status ")
        .iter()
        .map(|line| line.split_once(" client=").unwrap().1.to_owned())
        .collect();
    assert_eq!(clients, [PEER, PEER, "::1"]);
}

#[tokio::test]
async fn the_log_tells_the_client_not_the_proxy() {
    let workspace = one_call_a_minute().await;
    let service = workspace.serve_behind(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let request = service.request(reqwest::Method::GET, "/livez").header("X-Forwarded-For", "2001:db8::7, 127.0.0.3");
    service.send(request).await;
    let line = service.logged("path=/livez ").await;
    assert!(line.ends_with(" client=2001:db8::7"), "{line}");
    assert_eq!(service.log_lines(LIMITED.1), [""; 0]);
}
