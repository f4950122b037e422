//! Where a request comes from, by its connection and what proxies have written on it.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;

use crate::http::{access::headers::text_of, app};

const FORWARDED_FOR_HEADER: &str = "x-forwarded-for";
const REAL_IP_HEADER: &str = "x-real-ip";

/// The address the request counts as coming from.
pub(in crate::http) fn client_address(request: &HttpRequest) -> IpAddr {
    // There is always one with TCP. Without, all count together.
    let peer = request.peer_addr().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| address.ip());
    let header = |name| text_of(request.headers(), name).unwrap_or_default();
    app(request).proxies.client(peer, &header(FORWARDED_FOR_HEADER), &header(REAL_IP_HEADER))
}
